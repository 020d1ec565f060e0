--- Whether what a depot has written down of its devices is true.
--
-- @module spec.whole.depot_truth

local natives = require "update.natives"
local store = require "depot.store"
local version = require "update.version"

local M = {}

local LOST = { failed = true, reverted = true }

-- What is untrue of one device.
local function untruth_of(device, row, newest)
  if not row then return "has no row" end
  if row.release ~= device.release then
    return ("runs %s, and the depot says %s"):format(device.release, row.release)
  elseif row.state == "succeeded" and row.target ~= device.release then
    return ("runs %s, and its job for %s has succeeded"):format(device.release, row.target)
  elseif row.state ~= "succeeded" and row.target == device.release then
    return ("runs %s, and its job is %s"):format(row.target, row.state)
  elseif device.release ~= newest and not (LOST[row.state] and row.target == newest) then
    return ("runs %s, and its job for %s is %s"):format(device.release, row.target, row.state)
  end
end

local EVENTS = [[SELECT at, what, device, release FROM event WHERE what IN ('first heard', 'runs', 'offered')
  ORDER BY at, what = 'offered', id]]

-- No device was offered anything older than what the depot knew that it runs.
local function check_offers(world, kept)
  local statement <close> = assert(kept.db:prepare(EVENTS))
  local runs, count = {}, 0
  for _, event in ipairs(assert(statement:all())) do
    if event.what ~= "offered" then
      runs[event.device] = event
    else
      count = count + 1
      local known = runs[event.device]
      if known and known.at < event.at and version.compare(event.release, known.release) < 0 then
        world.faults[#world.faults + 1] = ("%s: runs %s and was offered %s"):format(event.device, known.release,
          event.release)
      end
    end
  end
  world.seen["offers made"] = count
end

--- Compare the store with the devices.
-- @tparam table world dir, devices, newest (number of the newest release), faults (what is wrong is added), seen
function M.check(world)
  local kept = assert(store.open(natives, world.dir .. "/packages", 5000))
  for _, device in ipairs(world.devices) do
    local untruth = untruth_of(device, kept:get(device.cloud, device.product, device.name),
      "1.0." .. world.newest)
    if untruth then world.faults[#world.faults + 1] = ("%s: %s"):format(device.name, untruth) end
  end
  check_offers(world, kept)
  assert(kept:change())
  if #assert(kept:recount()) > 0 or kept:recount_standings() then
    world.faults[#world.faults + 1] = "a count is wrong"
  end
  kept:abandon()
  kept:close()
end

return M
