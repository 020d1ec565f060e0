--- What people do to rollouts: lay one down, start it, pause it, and so on.
--
-- `context` is that of depot.actions.base, or a world with `opts` (cloud, product, from, filter, device, at, draft)
-- and, as parsed, plan (texts by field), priority, filter.
--
-- @module depot.acts.rollouts

local acts = require "depot.acts"
local chosen = require "depot.acts.chosen"
local grants = require "depot.grants"
local plans = require "depot.rollout.plan"
local registries = require "depot.registry"
local rollout_acts = require "depot.rollout.acts"
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
    return nil, ("at %s: expected a time, as '2026-12-01 22:00'"):format(text), "usage"
  end
  local days = zones.days(math.tointeger(y), math.tointeger(mo)) + d - 1
  return windows.to_utc(zone, math.tointeger(days * DAY + h * 3600 + m * 60)) * 1000
end

--- The devices that a rollout reaches now, by wave, and why it does not reach others.
-- @treturn table|nil {reaches, waves = {count, ...}, others = {[reason] = count}, rows}; nil, message, code
function M.reach(context, rollout)
  local whole = setmetatable({ state = "running", wave = #rollout.plan.waves }, { __index = rollout })
  local known = { packages = context.packages, by_digest = context.by_digest, sha256 = context.natives.digest.sha256,
    about = context.store:about(), is_member = function() return true end }
  local gate = registries.new { store = context.store, packages = function() return context.packages end }
  known.shuts_out = function(row) return gate:shuts_out(row) end
  local rows, message, code = chosen.devices(context)
  if rows then
    local read
    read, message, code = gate:read()
    rows = read and rows
  end
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

--- The rollouts that a new one would end.
-- @treturn {integer,...}|nil their numbers; nil, message, code
function M.overtaken(context, rollout)
  local ids = {}
  local open, message, code = context.store:rollouts()
  if not open then return nil, message, code end
  for i, other in ipairs(rollout_acts.overtaken(rollout, open, context.by_digest)) do ids[i] = other.id end
  return ids
end

--- The rollout that the options describe, and when it starts.
-- @treturn table|nil rollout, ms or false; nil, message, code
function M.read(context, entry)
  local opts, manifest = context.opts, entry.manifest
  local plan, message, code = plans.read(context.plan)
  if not plan then return nil, message, code end
  if opts.device then plan.members = "fixed" end
  local product, zone
  product, message, code = context.store:product(manifest.product_key)
  if product == nil then return nil, message, code end
  zone, message, code = zones.load(plan.zone or product and product.zone)
  if not zone then return nil, message, code end
  local at
  at, message, code = time_of(opts.at, zone)
  if at == nil then return nil, message, code end
  if at and opts.draft then return nil, "at and draft exclude each other: a draft has no time yet", "usage" end
  return { package = manifest.digest, target = manifest.release, hash = manifest.product_key, cloud = opts.cloud,
    product = opts.product, source = opts.from, filter = opts.filter, plan = plan, priority = context.priority,
    state = "draft", wave = 0, means = context.filter }, at
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
      return nil, ("device %s gets nothing: it runs this release or a newer one, or never reported; name its cloud "
        .. "to add it all the same"):format(name), "missing"
    end
    local ok, message, code = context.store:add_member(rollout, context.opts.cloud, name)
    if not ok then return nil, message, code end
  end
  return true
end

local function record(context, rollout, found, at)
  local id, message, code = context.store:roll_out(rollout, acts.now())
  if not id then return nil, message, code end
  local made
  made, message, code = context.store:rollout(id)
  if not made then return nil, message, code end
  local ok = true
  if found then ok, message, code = add_members(context, made, found) end
  if not ok then return nil, message, code end
  if context.opts.draft then return made end
  return rollout_acts.start(acts.parts(context), made, at or nil)
end

--- Lay down a rollout that read() made, and start it unless it is a draft.
-- @treturn table|nil rollout of the store; nil, message, code
function M.create(context, rollout, at)
  local act = { verb = "rollout.create", product = rollout.hash }
  local is_fixed, found, why, word = rollout.plan.members == "fixed"
  if is_fixed then found, why, word = M.reach(context, rollout) end -- before the lock, as it reads every device
  if is_fixed and not found then return nil, why, word end
  return acts.change(context, function()
    local new, message, code = record(context, rollout, found, at)
    if not new then return nil, message, code end
    act.object, act.after = ("rollout %d of %s"):format(new.id, new.target), new.state
    return new
  end, act)
end

-- Whether two plans say the same.
local function is_same(world, a, b) return world.natives.json.encode(a) == world.natives.json.encode(b) end

--- The plan and priority of before, unless somebody has changed them since; of depot.acts.undo.
function M.plan_back(world, undo)
  local old, new = undo.old, undo.new
  return M.act(world, "change", function()
    local rollout, message, code = world.store:rollout(undo.rollout)
    if not rollout then return nil, message or "the rollout is gone", code or "missing" end
    if not is_same(world, rollout.plan, new.plan) or rollout.priority ~= new.priority then
      return nil, ("rollout %d was changed meanwhile"):format(rollout.id), "conflict"
    end
    return rollout
  end, { whole = old.plan, priority = old.priority })
end

-- What a person can change of a rollout, for the audit.
local function shown(world, rollout)
  return world.natives.json.encode { state = rollout.state, priority = rollout.priority, plan = rollout.plan }
end

local verbs = {}

function verbs.start(parts, rollout) return rollout_acts.start(parts, rollout) end

function verbs.cancel(parts, rollout)
  if rollout.kind == "auto" then
    return nil, ("rollout %d is the automatic mode: pause it, or make its product staged"):format(rollout.id), "refused"
  end
  return rollout_acts.apply(parts, rollout, "cancel")
end

for _, event in ipairs { "advance", "pause" } do
  verbs[event] = function(parts, rollout) return rollout_acts.apply(parts, rollout, event) end
end

function verbs.resume(parts, rollout)
  local failed = rollout.failed
  local done, message, code = rollout_acts.apply(parts, rollout, "resume")
  if not done then return nil, message, code end
  return done, failed
end

function verbs.change(parts, rollout, wishes)
  local read = rollout.kind == "auto" and plans.read_auto or plans.read
  local plan, message, code = wishes.whole, nil, nil
  if not plan then plan, message, code = read(wishes.plan, rollout.plan) end
  if not plan then return nil, message, code end
  rollout.plan, rollout.priority = plan, wishes.priority or rollout.priority
  return rollout_acts.apply(parts, rollout, "change")
end

function verbs.retry(parts, rollout)
  local count, message, code = rollout_acts.retry(parts, rollout)
  if not count then return nil, message, code end
  return rollout, count
end

--- What can be done to a rollout: {[verb] = true}.
M.verbs = {}
for verb in pairs(verbs) do M.verbs[verb] = true end

--- Do something to a rollout.
-- @tparam table world
-- @tparam string verb start, advance, pause, resume, change, cancel or retry
-- @tparam function which -> rollout; or nil, message, code; asked within the transaction
-- @tparam[opt] table wishes with change: plan (texts by field), priority
-- @treturn table|nil rollout; nil, message, code
-- @treturn integer|string with resume, the failures that it forgives; with retry, how many try again
function M.act(world, verb, which, wishes)
  local act, more = { verb = "rollout." .. verb }, nil
  local rollout, message, code = acts.change(world, function()
    local found, why, word = which()
    if not found then return nil, why, word end
    act.object, act.product = ("rollout %d of %s"):format(found.id, found.target), found.hash
    act.before = shown(world, found)
    local old = { plan = found.plan, priority = found.priority }
    local parts = acts.parts(world)
    local done
    done, more, word = verbs[verb](parts, found, wishes)
    act.after = done and shown(world, done)
    if done and verb == "change" then
      act.undo = { kind = "plan", rollout = done.id, old = old, new = { plan = done.plan, priority = done.priority } }
    end
    return done, more, word
  end, act)
  if not rollout then return nil, message, code end
  return rollout, more
end

return M
