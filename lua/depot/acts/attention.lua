--- What needs a person in a product: each with a count, and a filter or a rollout that leads there.
--
-- Reads only.
--
-- @module depot.acts.attention

local acts = require "depot.acts"
local choice = require "depot.choice"
local filters = require "depot.filter"
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

local function of_jobs(world, hash, add, found)
  local states, silent, message, code = found.states, 0, nil, nil
  if states.reverted then add { what = "reverted", count = states.reverted, filter = "state:reverted" } end
  if states.failed then silent, message, code = world.store:silent_count(hash) end
  if not silent then return nil, message, code end
  if (states.failed or 0) > silent then
    add { what = "failed", count = states.failed - silent, filter = "state:failed -reason:silent" }
  end
  if silent > 0 then add { what = "silent", count = silent, filter = "state:failed reason:silent" } end
  if found.unheard > 0 then add { what = "not listening", count = found.unheard, filter = "listening:no" } end
  return true
end

-- The devices of a product, those together that are alike; each by itself if packages are for some of them.
local function alike_of(world, hash, found)
  local columns = { "hash", "cloud", "hardware", "release", "other", "device" }
  for _, entry in ipairs(world.packages) do
    if entry.devices and entry.manifest.product_key == hash then
      local where = world.store:where()
      where:add("hash = ?", hash)
      return world.store:count(where, columns)
    end
  end
  return found.alike
end

-- What devices run: something that was withdrawn, or that nothing orders.
local function of_runs(world, hash, add, found)
  local unordered = {}
  local withdrawn, is_unordered = {}, choice.unordered(world.packages)
  local alike, message, code = alike_of(world, hash, found)
  if not alike then return nil, message, code end
  for _, release in ipairs(releases.all(world)) do
    local m = release.manifest
    if m.product_key == hash and release.withdrawn then withdrawn[m.release] = true end
  end
  for _, row in ipairs(alike) do
    row.hash = hash
    if is_unordered(row) then
      unordered[row.release] = (unordered[row.release] or 0) + row.n
    end
  end
  for _, row in ipairs(found.runs) do
    local gone, unknown = withdrawn[row.release], unordered[row.release]
    local filter = row.release and filters.term("release", row.release)
    if gone or unknown then
      add { what = gone and "withdrawn" or "unordered", count = gone and row.n or unknown, release = row.release,
        filter = filter }
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

-- Devices that rollouts are not for, since nobody has admitted them.
local function of_admission(world, hash, add)
  local product, message, code = world.store:product(hash)
  if product == nil then return nil, message, code end
  if not product or product.admit ~= "listed" then return true end
  local count
  count, message, code = world.store:unadmitted(hash)
  if not count then return nil, message, code end
  if count > 0 then add { what = "not admitted", count = count, filter = "-admitted:yes" } end
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

-- A release that devices run, and that is no longer supported before long.
local function of_support(world, release, now, add)
  local note, message, code = world.store:release_note(release.manifest)
  if not note then return nil, message, code end
  if not note.support_until or note.support_until > os.date("!%Y-%m-%d", now + MONTH) then return true end
  local runs
  runs, message, code = world.store:running(release.manifest)
  if not runs then return nil, message, code end
  if runs > 0 then
    add { what = "support ends", count = runs, release = release.manifest.release, id = release.id,
      text = note.support_until }
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
    if m.product_key == hash and not release.withdrawn then
      local ok, message, code = of_support(world, release, now, add)
      if not ok then return nil, message, code end
    end
  end
  return true
end

-- Webhooks that nobody switched off but the depot.
local function of_webhooks(world, hash, add)
  local hooks, message, code = world.store:webhooks()
  if not hooks then return nil, message, code end
  local count = 0
  for _, hook in ipairs(hooks) do
    if hook.product == hash and hook.enabled == 0 and hook.reason then count = count + 1 end
  end
  if count > 0 then add { what = "webhook off", count = count } end
  return true
end

--- @tparam table world
-- @tparam string hash of the product's key
-- @treturn {table,...}|nil what, count; release, rollout, filter, reason, text, since, at, id; nil, message, code
function M.list(world, hash)
  local items = {}
  local function add(item) items[#items + 1] = item end
  local found, message, code = world:standing(hash)
  if not found then return nil, message, code end
  local ok
  for _, read in ipairs { of_rollouts, of_jobs, of_runs, of_hardware, of_admission, of_ends, of_webhooks } do
    ok, message, code = read(world, hash, add, found)
    if not ok then return nil, message, code end
  end
  ok, message, code = of_broker(world, add)
  if not ok then return nil, message, code end
  return items
end

return M
