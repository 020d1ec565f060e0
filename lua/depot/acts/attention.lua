--- What needs a person in a product: each with a count, and a filter or a rollout that leads there.
--
-- Reads only.
--
-- @module depot.acts.attention

local acts = require "depot.acts"
local choice = require "depot.choice"
local releases = require "depot.acts.releases"

local M = {}

local DAY = 86400 * 1000 -- ms
local MONTH = 30 * 86400 -- seconds

local OFFERING = { running = true, soaking = true, waiting = true }

-- Rollouts that are paused, or have devices to offer to and no verdict for a day.
local function of_rollouts(world, hash, add)
  local rows, message, code = world.store:rollouts()
  if not rows then return nil, message, code end
  local now = acts.now()
  for _, rollout in ipairs(rows) do
    if rollout.hash == hash and rollout.state == "paused" then
      add { what = "paused", reason = rollout.reason, rollout = rollout.id, count = rollout.failed,
        release = rollout.target }
    elseif rollout.hash == hash and rollout.state == "waiting" then
      add { what = "waiting", rollout = rollout.id, count = rollout.wave, release = rollout.target }
    elseif rollout.hash == hash and OFFERING[rollout.state] and (rollout.wave_at or now) < now - DAY then
      local row
      row, message, code = world.store:stalled(rollout.id)
      if not row then return nil, message, code end
      if row.open > 0 and (row.last or 0) < now - DAY then
        add { what = "stalled", rollout = rollout.id, count = row.open, release = rollout.target }
      end
    end
  end
  return true
end

local function of_jobs(world, hash, add)
  local states, message, code = world.store:jobs_by_state(hash)
  if not states then return nil, message, code end
  for _, row in ipairs(states) do
    if row.state == "reverted" then add { what = "reverted", count = row.n, filter = "state:reverted" } end
    if row.state == "failed" then
      local silent
      silent, message, code = world.store:silent_count(hash)
      if not silent then return nil, message, code end
      if row.n > silent then
        add { what = "failed", count = row.n - silent, filter = "state:failed -reason:silent" }
      end
      if silent > 0 then add { what = "silent", count = silent, filter = "state:failed reason:silent" } end
    end
  end
  local deaf
  deaf, message, code = world.store:deaf_count(hash)
  if not deaf then return nil, message, code end
  if deaf > 0 then add { what = "not listening", count = deaf } end
  return true
end

-- What devices run: something that was withdrawn, or that nothing orders.
local function of_runs(world, hash, add)
  local rows, message, code = world.store:runs_by_release(hash)
  if not rows then return nil, message, code end
  local withdrawn, is_unordered = {}, choice.unordered(world.packages)
  for _, release in ipairs(releases.all(world)) do
    local m = release.manifest
    if m.product_key == hash and release.withdrawn then withdrawn[m.release] = true end
  end
  for _, row in ipairs(rows) do
    local filter = row.release and ('release:"%s"'):format(row.release:gsub('"', ""))
    if withdrawn[row.release] then
      add { what = "withdrawn", count = row.n, release = row.release, filter = filter }
    elseif is_unordered { hash = hash, release = row.release, device = "" } then
      add { what = "unordered", count = row.n, release = row.release, filter = filter }
    end
  end
  return true
end

-- Devices that get nothing, since nobody told which of several kinds of hardware they are.
local function of_hardware(world, hash, add)
  if not choice.lacks_hardware(world.packages, { hash = hash }) then return true end
  local count, message, code = world.store:unknown_hardware(hash)
  if not count then return nil, message, code end
  if count > 0 then add { what = "hardware unknown", count = count, filter = 'hardware:""' } end
  return true
end

-- The broker cannot be reached, as the depot last said.
local function of_broker(world, add)
  local row, message, code = world.store:last_connection()
  if row == nil then return nil, message, code end
  if row and row.code ~= "connected" then
    add { what = "broker", count = 0, text = row.text, since = row.at // 1000 }
  end
  return true
end

-- Releases that no device may install before long.
local function of_ends(world, hash, add)
  local now = acts.now() // 1000
  for _, release in ipairs(releases.all(world)) do
    local m = release.manifest
    local ends = m.product_key == hash and not release.withdrawn and m.not_after
    if ends and ends < now + MONTH then
      add { what = "ends", count = 1, release = m.release, id = release.id, at = ends }
    end
  end
  return true
end

--- @tparam table world
-- @tparam string hash of the product's key
-- @treturn {table,...}|nil what, count; release, rollout, filter, reason, text, since, at, id; nil, message, code
function M.list(world, hash)
  local items = {}
  local function add(item) items[#items + 1] = item end
  for _, read in ipairs { of_rollouts, of_jobs, of_runs, of_hardware, of_ends } do
    local ok, message, code = read(world, hash, add)
    if not ok then return nil, message, code end
  end
  local ok, message, code = of_broker(world, add)
  if not ok then return nil, message, code end
  return items
end

return M
