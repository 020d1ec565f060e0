--- Rollouts as objects, which depot.rollout.shown prints.
--
-- @module depot.rollout.view

local M = {}

local LISTED = 1000 -- rollouts at most

-- How many jobs are in which state: of all waves, and of each.
local function counts_of(store, rollout)
  local tally, message, code = store:tally(rollout)
  if not tally then return nil, message, code end
  local all, waves = {}, {}
  for i = 1, #rollout.plan.waves do waves[i] = {} end
  for _, line in ipairs(tally) do
    all[line.state] = (all[line.state] or 0) + line.n
    if waves[line.wave] then waves[line.wave][line.state] = line.n end
  end
  return all, waves
end

local function seconds(ms, null) return ms and ms // 1000 or null end

--- A rollout as an object for JSON; times are seconds since 1970.
-- @treturn table|nil nil, message, code
function M.object(context, rollout)
  local json = context.natives.json
  local null = json.null
  local all, waves, code = counts_of(context.store, rollout)
  if not all then return nil, waves, code end
  local entry = context.by_digest[rollout.package]
  local plan, list = rollout.plan, json.array {}
  for i, percent in ipairs(plan.waves) do list[i] = { percent = percent, jobs = waves[i] } end
  return { id = rollout.id, kind = rollout.kind, state = rollout.state, reason = rollout.reason or null,
    package = entry and entry.name or null,
    release = rollout.target, cloud = rollout.cloud or null, product = rollout.product or null,
    product_key = rollout.hash,
    from = rollout.source or null, filter = rollout.filter or null, wave = rollout.wave, waves = list, jobs = all,
    verdicts = rollout.verdicts, failed = rollout.failed,
    judged = json.array(rollout.judged or {}), priority = rollout.priority, members = plan.members,
    soak = plan.soak, advance = plan.advance, limit = plan.limit,
    count_silent = plan.count_silent or false, in_flight = plan.in_flight or null,
    window = plan.window or null, zone = plan.zone or null, retries = plan.retries,
    made = seconds(rollout.made, null), wave_at = seconds(rollout.wave_at, null),
    starts_at = seconds(rollout.starts_at, null), ended = seconds(rollout.ended, null) }
end

--- The rollouts as objects, the newest first.
-- @treturn {table,...}|nil nil, message, code
function M.objects(context)
  local rollouts, message, code = context.store:every_rollout(LISTED)
  if not rollouts then return nil, message, code end
  local objects = {}
  for i, rollout in ipairs(rollouts) do
    objects[i], message, code = M.object(context, rollout)
    if not objects[i] then return nil, message, code end
  end
  return objects
end

return M
