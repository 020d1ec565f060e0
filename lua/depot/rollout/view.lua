--- How rollouts are shown: as a table, one by one, and as JSON.
--
-- @module depot.rollout.view

local jobs = require "depot.jobs"
local life = require "depot.rollout.life"

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

local function sum(counts)
  local parts = {}
  for _, state in ipairs(jobs.STATES) do
    if (counts[state] or 0) > 0 then parts[#parts + 1] = ("%d %s"):format(counts[state], state) end
  end
  return #parts > 0 and table.concat(parts, ", ") or "no jobs"
end

local function state_of(rollout)
  return rollout.reason and ("%s (%s)"):format(rollout.state, rollout.reason) or rollout.state
end

--- Print the rollouts as a table of 80 columns.
-- @treturn integer 0; or nil, message, code
function M.list(context)
  local env, json = context.env, context.natives.json
  local rollouts, message, code = context.store:every_rollout(LISTED)
  if not rollouts then return nil, message, code end
  local objects = json.array {}
  if not env.json then
    env.out(("%4s  %-20s %-18s %-6s %9s %9s"):format("ID", "STATE", "RELEASE", "WAVE", "DONE", "FAILED"))
  end
  for i, rollout in ipairs(rollouts) do
    local object
    object, message, code = M.object(context, rollout)
    if not object then return nil, message, code end
    objects[i] = object
    local done, lost = object.jobs.succeeded or 0, (object.jobs.failed or 0) + (object.jobs.reverted or 0)
    if not env.json then
      env.out(context.natives.printable.text(("%4d  %-20.20s %-18.18s %-6s %9d %9d"):format(rollout.id,
        state_of(rollout), rollout.target, ("%d/%d"):format(rollout.wave, #rollout.plan.waves), done, lost)))
    end
  end
  if env.json then env.out(json.encode { rollouts = objects }) end
  return 0
end

local function limit_of(plan)
  local limit = plan.limit
  if limit.count then return ("%d failure%s"):format(limit.count, limit.count == 1 and "" or "s") end
  return limit.percent and ("%g %% of at least %d verdicts"):format(limit.percent, limit.sample) or "none"
end

local function window_of(context, rollout)
  local w, zone = rollout.plan.window, rollout.plan.zone
  if not w then return nil end
  local product = not zone and context.store:product(rollout.hash)
  return ("%02d:%02d-%02d:%02d %s"):format(w.from // 60, w.from % 60, w.to // 60, w.to % 60,
    zone or (product and product.zone or "UTC") .. ", or where a device is")
end

-- The devices that the rollout is for, as its filter says.
local function whom(rollout)
  local parts = {}
  for _, name in ipairs { "cloud", "product", "source", "filter" } do
    if rollout[name] then parts[#parts + 1] = (name == "source" and "from" or name) .. " " .. rollout[name] end
  end
  return #parts > 0 and table.concat(parts, ", ") or "all devices of its product"
end

--- Print one rollout.
-- @treturn integer 0; or nil, message, code
function M.show(context, rollout)
  local env, plan = context.env, rollout.plan
  local object, message, code = M.object(context, rollout)
  if not object then return nil, message, code end
  if env.json then
    env.out(context.natives.json.encode(object))
    return 0
  end
  local function line(name, text)
    if text then env.out(context.natives.printable.text(("%-10s %s"):format(name, text))) end
  end
  line("rollout", ("%d of %s"):format(rollout.id, rollout.target))
  line("state", state_of(rollout))
  if rollout.reason == "restored" then
    line("advice", "the database was restored or copied; resume if no other depot serves")
  end
  line("for", whom(rollout))
  line("limit", ("%s; %d of %d verdicts are failures"):format(limit_of(plan), rollout.failed, rollout.verdicts))
  for _, counts in ipairs(rollout.judged or {}) do
    line("release", ("%s: %d of %d verdicts are failures%s"):format(counts.release, counts.failed, counts.verdicts,
      counts.reached and ", the limit" or ""))
  end
  line("in flight", plan.in_flight and ("at most %d"):format(plan.in_flight))
  line("window", window_of(context, rollout))
  line("soak", life.has_ended(rollout) and nil or ("%g h, then %s"):format(plan.soak / 3600,
    plan.advance == "hand" and "a person advances it" or "the next wave"))
  for i, wave in ipairs(object.waves) do
    line(("wave %d"):format(i), ("%g %%%s: %s"):format(wave.percent, i <= rollout.wave and "" or ", not open",
      sum(wave.jobs)))
  end
  return 0
end

return M
