--- When a rollout may make offers, and to devices of which time zones: methods of depot.rollout.board.
--
-- @module depot.rollout.hours

local windows = require "depot.rollout.window"
local zones = require "depot.rollout.zone"

local M = {}

-- Whether the window of a rollout is open for a device: in the rollout's zone, else the device's, else the product's.
function M:_is_open(rollout, now, zone)
  local plan = rollout.plan
  local own = not plan.zone and zone and zones.load(zone)
  return windows.is_open(plan.window, own or zones.load(plan.zone or self.registry:zone(rollout.hash)) or zones.UTC,
    now)
end

-- In which zones of devices the window of a rollout is open: an array, "" for devices without one; nil: for all.
-- @treturn {string,...}|nil|false false, message, code: the store failed
function M:_open_zones(rollout, now)
  if not rollout.plan.window then return nil end
  local here = self:_is_open(rollout, now)
  if rollout.plan.zone then
    if here then return nil end
    return {}
  end
  local own, message, code = self.zones[rollout.hash], nil, nil
  if not own then own, message, code = self.store:zones_of(rollout.hash) end
  if not own then return false, message, code end
  self.zones[rollout.hash] = own
  local open = { here and "" or nil }
  for _, zone in ipairs(own) do
    if self:_is_open(rollout, now, zone) then open[#open + 1] = zone end
  end
  return open
end

return M
