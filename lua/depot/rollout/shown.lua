--- How rollouts are printed: as a table, one by one, and as JSON.
--
-- From objects of depot.rollout.view, whether they come from the store or from a server.
--
-- @module depot.rollout.shown

local jobs = require "depot.jobs"
local life = require "depot.rollout.life"
local natives = require "update.natives"
local shown = require "depot.shown"
local windows = require "depot.rollout.window"

local M = {}

local json, value = natives.json, shown.value

local function sum(counts)
  local parts = {}
  for _, state in ipairs(jobs.STATES) do
    if (counts[state] or 0) > 0 then parts[#parts + 1] = ("%d %s"):format(counts[state], state) end
  end
  return #parts > 0 and table.concat(parts, ", ") or "no jobs"
end

local function state_of(rollout)
  local reason = value(rollout.reason)
  return reason and ("%s (%s)"):format(rollout.state, reason) or rollout.state
end

--- Print the rollouts as a table of 80 columns.
function M.list(env, objects)
  local head = ("%4s  %-20s %-18s %-6s %9s %9s"):format("ID", "STATE", "RELEASE", "WAVE", "DONE", "FAILED")
  shown.list(env, "rollouts", objects, head, function(o)
    return ("%4d  %-20.20s %-18.18s %-6s %9d %9d"):format(o.id, state_of(o), o.release,
      ("%d/%d"):format(o.wave, #o.waves), o.jobs.succeeded or 0, (o.jobs.failed or 0) + (o.jobs.reverted or 0))
  end)
end

local function limit_of(limit)
  if limit.count then return ("%d failure%s"):format(limit.count, limit.count == 1 and "" or "s") end
  return limit.percent and ("%g %% of at least %d verdicts"):format(limit.percent, limit.sample) or "none"
end

local function window_of(rollout, zone)
  local w, own = value(rollout.window), value(rollout.zone)
  if not w then return nil end
  return ("%s %s"):format(windows.text(w), own or (zone or "UTC") .. ", or where a device is")
end

-- The devices that the rollout is for, as its filter says.
local function whom(rollout)
  local parts = {}
  for _, name in ipairs { "cloud", "product", "from", "filter" } do
    if value(rollout[name]) then parts[#parts + 1] = name .. " " .. rollout[name] end
  end
  return #parts > 0 and table.concat(parts, ", ") or "all devices of its product"
end

--- Print one rollout.
-- @tparam table env
-- @tparam table rollout
-- @tparam[opt] string zone of its product
function M.one(env, rollout, zone)
  if env.json then return env.out(json.encode(rollout)) end
  local function line(name, text)
    if text then env.out(natives.printable.text(("%-10s %s"):format(name, text))) end
  end
  line("rollout", ("%d of %s"):format(rollout.id, rollout.release))
  line("state", state_of(rollout))
  if rollout.reason == "restored" then
    line("advice", "the database was restored or copied; resume if no other depot serves")
  end
  line("for", whom(rollout))
  line("limit", ("%s; %d of %d verdicts are failures"):format(limit_of(rollout.limit), rollout.failed,
    rollout.verdicts))
  for _, counts in ipairs(rollout.judged) do
    line("release", ("%s: %d of %d verdicts are failures%s"):format(counts.release, counts.failed, counts.verdicts,
      counts.reached and ", the limit" or ""))
  end
  line("in flight", value(rollout.in_flight) and ("at most %d"):format(rollout.in_flight))
  line("window", window_of(rollout, zone))
  line("soak", not life.has_ended(rollout) and ("%g h, then %s"):format(rollout.soak / 3600,
    rollout.advance == "hand" and "a person advances it" or "the next wave") or nil)
  for i, wave in ipairs(rollout.waves) do
    line(("wave %d"):format(i), ("%g %%%s: %s"):format(wave.percent, i <= rollout.wave and "" or ", not open",
      sum(wave.jobs)))
  end
end

-- What is said besides the state.
local SAID = {
  resume = function(rollout, failed)
    return ("%s; forgives %d failure%s"):format(rollout.state, failed, failed == 1 and "" or "s")
  end,
  retry = function(_, count)
    return ("%d %s once more"):format(count, count == 1 and "device tries" or "devices try")
  end,
}

--- Something was done to a rollout.
-- @tparam table env
-- @tparam table rollout
-- @tparam[opt] string verb
-- @tparam[opt] integer count with resume, the failures that it forgives; with retry, how many try again
function M.done(env, rollout, verb, count)
  if env.json then return env.out(json.encode(rollout)) end
  env.out(natives.printable.text(("rollout %d of %s: %s"):format(rollout.id, rollout.release,
    SAID[verb] and SAID[verb](rollout, count) or rollout.state)))
end

--- What a rollout would reach.
-- @tparam table env
-- @tparam table found release, reaches, waves ({percent, devices}), others ({[reason] = count}), overtakes
function M.preview(env, found)
  if env.json then
    local waves = json.array {}
    for i, wave in ipairs(found.waves) do waves[i] = wave.devices end
    return env.out(json.encode { reaches = found.reaches, waves = waves, others = found.others,
      overtakes = json.array(found.overtakes) })
  end
  local parts = {}
  for i, wave in ipairs(found.waves) do
    parts[i] = ("wave %d (%g %%) %d"):format(i, wave.percent, wave.devices)
  end
  env.out(("%s would reach %d of the devices known now: %s"):format(found.release, found.reaches,
    table.concat(parts, ", ")))
  for why, count in pairs(found.others) do
    env.out(("not reached: %d (%s)"):format(count, why == "newer" and "they run it, or something newer" or why))
  end
  for _, id in ipairs(found.overtakes) do env.out(("would end rollout %d"):format(id)) end
end

return M
