--- Gives up upgrades of devices that have been silent for a day.
--
-- Silence counts only while the depot could hear. After a jump of the clock, or
-- when the depot was away, the day begins anew for all devices; when the broker
-- was away, for those that it carries. An absence of less than an hour does not
-- matter.
--
-- @module depot.silence

local M = {}

local Silence = {}
Silence.__index = Silence

-- Milliseconds.
local SILENT = 24 * 3600 * 1000
local SWEEP = 60000     -- between two looks
local JUMP = 60000      -- a smaller jump of the clock does not matter
local GAP = 3600 * 1000 -- a shorter time in which nobody could be heard does not matter

local AT_ONCE = 500 -- devices

--- @tparam table store depot.store
-- @tparam integer now ms
-- @tparam[opt] integer base of the clock, as from depot.mqtt.clock(): changes only when the clock jumps
function M.new(store, now, base)
  local last = store:last_heard()
  local since = last and now - last <= GAP and now - SILENT or now
  return setmetatable({ store = store, base = base, next_sweep = now + SWEEP, away_at = now, since = since,
    since_http = since }, Silence)
end

--- The broker was reached, or lost.
function Silence:connected(is_connected, now)
  if is_connected and self.away_at and now - self.away_at > GAP then self.since = now end
  self.away_at = not is_connected and (self.away_at or now) or nil
end

--- Once a minute, give up devices that were silent for too long.
-- @tparam integer now ms
-- @tparam integer|nil base of the clock
-- @tparam function give_up function(row) -> true; nil, message, code
-- @treturn true|nil nil, message, code: the store failed
function Silence:sweep(now, base, give_up)
  if base and base - self.base > JUMP then self.since, self.since_http = now, now end
  self.base = base
  if now < self.next_sweep then return true end
  self.next_sweep = now + SWEEP
  if now - self.since_http < SILENT then return true end
  local only_http = self.away_at ~= nil or now - self.since < SILENT
  local rows, message, code = self.store:stale(now - SILENT, AT_ONCE, only_http)
  if not rows then return nil, message, code end
  for _, row in ipairs(rows) do
    local ok
    ok, message, code = give_up(row)
    if not ok then return nil, message, code end
  end
  return true
end

return M
