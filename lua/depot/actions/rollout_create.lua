--- `moult depot rollout create DIR [PACKAGE]`: lay down a rollout, and start it unless it is a draft.
--
-- @module depot.actions.rollout_create

local acts = require "depot.rollout.acts"
local base = require "depot.actions.base"
local grants = require "depot.grants"
local plans = require "depot.rollout.plan"
local windows = require "depot.rollout.window"
local zones = require "depot.rollout.zone"

local M = {}

local DAY = 86400

-- "2026-12-01 22:00" in a zone, as ms; false: no time was given.
local function time_of(text, zone)
  if not text then return false end
  local y, mo, d, h, m = text:match "^(%d%d%d%d)-(%d%d)-(%d%d)[ T](%d%d):(%d%d)$"
  local noon = y and os.time { year = y, month = mo, day = d, hour = 12 }
  -- A day that does not exist comes back as another one.
  if not noon or os.date("%Y-%m-%d", noon) ~= ("%s-%s-%s"):format(y, mo, d) or h + 0 > 23 or m + 0 > 59 then
    return nil, ("--at %s: expected a time, as '2026-12-01 22:00'"):format(text), "usage"
  end
  local days = zones.days(math.tointeger(y), math.tointeger(mo)) + d - 1
  return windows.to_utc(zone, math.tointeger(days * DAY + h * 3600 + m * 60)) * 1000
end

-- The devices that the rollout reaches now, by wave, and why it does not reach others.
local function reach(context, rollout)
  local whole = setmetatable({ state = "running", wave = #rollout.plan.waves }, { __index = rollout })
  local known = { packages = context.packages, by_digest = context.by_digest, sha256 = context.natives.digest.sha256,
    is_member = function() return true end }
  local rows, message, code = base.devices(context)
  if not rows then return nil, message, code end
  local found = { reaches = 0, waves = {}, others = {}, rows = {} }
  for i = 1, #rollout.plan.waves do found.waves[i] = 0 end
  for _, row in ipairs(rows) do
    local job, why = grants.of_rollout(whole, row, known)
    if job then
      found.reaches, found.waves[job.wave] = found.reaches + 1, found.waves[job.wave] + 1
      found.rows[found.reaches] = row
    elseif why ~= "not covered" then
      found.others[why] = (found.others[why] or 0) + 1
    end
  end
  return found
end

local function preview(context, rollout, found)
  local overtaken = {}
  local open, message, code = context.store:rollouts()
  if not open then return nil, message, code end
  for i, other in ipairs(acts.overtaken(rollout, open, context.by_digest)) do overtaken[i] = other.id end
  if context.env.json then
    local json = context.natives.json
    context.env.out(json.encode { reaches = found.reaches, waves = json.array(found.waves), others = found.others,
      overtakes = json.array(overtaken) })
    return 0
  end
  local parts = {}
  for i, count in ipairs(found.waves) do
    parts[i] = ("wave %d (%g %%) %d"):format(i, rollout.plan.waves[i], count)
  end
  context.env.out(("%s would reach %d of the devices known now: %s"):format(rollout.target, found.reaches,
    table.concat(parts, ", ")))
  for why, count in pairs(found.others) do
    context.env.out(("not reached: %d (%s)"):format(count, why == "newer" and "they run it, or something newer" or why))
  end
  for _, id in ipairs(overtaken) do context.env.out(("would end rollout %d"):format(id)) end
  return 0
end

-- Fixed members: the devices that it reaches now, and those of --device that were never heard of.
local function add_members(context, rollout, found)
  local missing = {}
  for _, name in ipairs(context.opts.device or {}) do missing[name] = true end
  for _, row in ipairs(found.rows) do
    missing[row.device] = nil
    local ok, message, code = context.store:add_member(rollout, row.cloud, row.device)
    if not ok then return nil, message, code end
  end
  for name in pairs(missing) do
    if not context.opts.cloud then
      return nil, ("device %s gets nothing: it runs this release or a newer one, or never reported; give its --cloud "
        .. "to add it all the same"):format(name), "missing"
    end
    local ok, message, code = context.store:add_member(rollout, context.opts.cloud, name)
    if not ok then return nil, message, code end
  end
  return true
end

local function record(context, rollout, found, at)
  local id, message, code = context.store:roll_out(rollout, base.now())
  if not id then return nil, message, code end
  local made
  made, message, code = context.store:rollout(id)
  if not made then return nil, message, code end
  local ok = true
  if rollout.plan.members == "fixed" then ok, message, code = add_members(context, made, found) end
  if not ok then return nil, message, code end
  if context.opts.draft then return made end
  return acts.start({ store = context.store, by_digest = context.by_digest, now = base.now() }, made, at or nil)
end

-- The rollout that the options describe, and when it starts.
local function read(context, entry)
  local opts, manifest = context.opts, entry.manifest
  local plan, message, code = plans.read(context.plan)
  if not plan then return nil, message, code end
  if opts.device then plan.members = "fixed" end
  local zone
  zone, message, code = zones.load(plan.zone)
  if not zone then return nil, message, code end
  local at
  at, message, code = time_of(opts.at, zone)
  if at == nil then return nil, message, code end
  if at and opts.draft then return nil, "--at and --draft exclude each other", "usage" end
  return { package = manifest.digest, target = manifest.release, hash = manifest.product_key, cloud = opts.cloud,
    product = opts.product, source = opts.from, filter = opts.filter, plan = plan, priority = context.priority,
    state = "draft", wave = 0, means = context.filter }, at
end

--- @tparam table context of depot.actions.base
-- @tparam function tell function(context, rollout)
function M.run(context, tell)
  local entry, message, code = base.package(context)
  if not entry then return nil, message, code end
  local rollout, at
  rollout, at, code = read(context, entry)
  if not rollout then return nil, at, code end
  local found
  found, message, code = reach(context, rollout)
  if not found then return nil, message, code end
  if context.env.dry_run then return preview(context, rollout, found) end
  local made
  local act = { verb = "rollout.create", product = rollout.hash }
  made, message, code = base.change(context, function()
    local new, why, word = record(context, rollout, found, at)
    if not new then return nil, why, word end
    act.object, act.after = ("rollout %d of %s"):format(new.id, new.target), new.state
    return new
  end, act)
  if not made then return nil, message, code end
  if not context.opts.draft then base.warn_when_alone(context) end
  return tell(context, made)
end

return M
