--- Routes of rollouts.
--
-- @module depot.api.routes.rollouts

local filters = require "depot.filter"
local job_of = require("depot.api.routes.devices").job_of
local objects = require "depot.api.objects"
local pages = require "depot.api.pages"
local plans = require "depot.rollout.plan"
local releases = require "depot.acts.releases"
local rollouts = require "depot.acts.rollouts"

local M = {}

local function listed(call)
  local rows, message, code = call.world.store:every_rollout(1000)
  if not rows then return nil, message, code end
  local items = {}
  for _, row in ipairs(rows) do
    if row.hash == call.product then
      items[#items + 1], message, code = objects.rollout(call.world, row)
      if code then return nil, message, code end
    end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function rollout(call) return objects.rollout(call.world, call.objects.X) end

local function rollout_jobs(call)
  local after, message, code, field = pages.after(call)
  if after == nil then return nil, message, code, field end
  local limit = call.args.limit or pages.LIMIT
  local rows
  rows, message, code = call.world.store:jobs_after(call.objects.X.id, after or {}, call.args.state, limit)
  if not rows then return nil, message, code end
  return pages.of_devices(call, rows, limit, job_of)
end

local TEXTS = { "waves", "soak", "advance", "limit", "sample", "count_silent", "in_flight", "done", "least", "retries",
  "backoff", "members", "window", "zone" }

-- The plan's texts, as the command line has them.
local function texts_of(args)
  local texts = {}
  for _, name in ipairs(TEXTS) do
    local value = args[name]
    if type(value) == "boolean" then value = value and "yes" or "no" end
    texts[name] = value ~= nil and tostring(value) or nil
  end
  return texts
end

-- What is laid down, and a world in which the acts find it.
local function laid_down(call)
  local args = call.args
  local found, message, code = objects.kinds.R.load(call.world, args.release)
  if found and found.manifest.product_key ~= call.product then
    found, message, code = nil, "there is no such release", "missing"
  end
  if not found then return nil, message, code, "release" end
  local entry
  entry, message, code = releases.need_full(found)
  if not entry then return nil, message, code end
  local filter
  if args.filter then
    filter, message, code = filters.parse(args.filter, true)
    if not filter then return nil, message, code, "filter" end
  end
  local world = call.world:with { actor = call.world.actor, plan = texts_of(args), priority = args.priority,
    filter = filter, opts = { cloud = args.cloud, from = args.from, filter = args.filter, device = args.devices,
      at = args.at, draft = args.draft } }
  local laid, at
  laid, at, code = rollouts.read(world, entry)
  if not laid then return nil, at, code end
  return laid, world, at
end

local function preview(call, world, laid)
  local found, message, code = rollouts.reach(world, laid)
  if not found then return nil, message, code end
  local ends
  ends, message, code = rollouts.overtaken(world, laid)
  if not ends then return nil, message, code end
  local waves = {}
  for i, count in ipairs(found.waves) do waves[i] = { percent = laid.plan.waves[i], devices = count } end
  return { release = laid.target, reaches = found.reaches, waves = call.json.array(waves), others = found.others,
    overtakes = call.json.array(ends) }
end

-- Make the rollout that a request describes; kind: batch when absent.
local function create(call, kind)
  local laid, world, at, field = laid_down(call)
  if not laid then return nil, world, at, field end
  if call.query.dry_run then return preview(call, world, laid) end
  laid.kind = kind
  local made, message, code = rollouts.create(world, laid, at)
  if not made then return nil, message, code end
  call.objects.X, call.kind = made, "X"
  return objects.rollout(call.world, made), { status = 201 }
end

-- A release of the path as a rollout of one wave: to the devices of a trial, or to all.
local function at_once(kind)
  return function(call)
    call.args = { release = call.objects.R.id, waves = "100", devices = call.args.devices, cloud = call.args.cloud }
    return create(call, kind)
  end
end

local function fresh(call) return function() return call.world.store:rollout(call.objects.X.id) end end

local function act(verb)
  return function(call)
    local made, more, code = rollouts.act(call.world, verb, fresh(call), { plan = texts_of(call.args),
      priority = call.args.priority })
    if not made then return nil, more, code end
    call.objects.X = made
    local object, message
    object, message, code = objects.rollout(call.world, made)
    if object and verb == "resume" then object.forgives = more end
    if object and verb == "retry" then object.retried = more end
    return object, message, code
  end
end

local PLAN = {}
for _, name in ipairs(TEXTS) do PLAN[name] = { type = "string", about = ("as --%s"):format(name:gsub("_", "-")) } end
for _, name in ipairs { "sample", "in_flight", "done", "least", "retries" } do
  PLAN[name] = { type = "integer", about = PLAN[name].about, most = 1000000 }
end
PLAN.count_silent = { type = "boolean", about = "whether devices that fall silent amid an upgrade count as failures" }
PLAN.waves.about = ("rising percentages (%s)"):format(table.concat(plans.DEFAULTS.waves, ","))
PLAN.priority = { type = "integer", most = 999, about = "a higher one is served first" }

local function with(more)
  local all = {}
  for name, rule in pairs(PLAN) do all[name] = rule end
  for name, rule in pairs(more) do all[name] = rule end
  return all
end

M.routes = {
  { "POST", "/releases/{R}/trial", "operator", at_once "trial", verb = "rollout",
    about = "Give a verified release to some devices", body = {
      devices = { type = "strings", most = 1000, need = true, about = "names of devices" },
      cloud = { type = "string", about = "of those that were never heard of" } } },
  { "POST", "/releases/{R}/release", "operator", at_once "batch", verb = "rollout",
    about = "Give a verified release to every device of its product at once: a rollout of one wave" },
  { "GET", "/products/{P}/rollouts", "viewer", listed, verb = "read", about = "The rollouts of a product" },
  { "GET", "/rollouts/{X}", "viewer", rollout, verb = "read", about = "One rollout" },
  { "GET", "/rollouts/{X}/jobs", "viewer", rollout_jobs, verb = "read", about = "The devices of a rollout", query = {
    state = pages.state, cursor = pages.cursor, limit = pages.limit } },
  { "POST", "/products/{P}/rollouts", "operator", create, verb = "rollout", read_when = "dry_run",
    about = "Lay down a rollout, and start it", query = {
      dry_run = { type = "boolean", about = "only say what it would reach" } },
    body = with {
      release = { type = "string", need = true, about = "id of the release" },
      cloud = { type = "string", about = "only devices of this cloud" },
      from = { type = "string", about = "only devices that run this release" },
      filter = { type = "string", about = "only devices that it selects" },
      devices = { type = "strings", about = "only these, by name" },
      at = { type = "string", about = "start then, as 2026-12-01 22:00" },
      draft = { type = "boolean", about = "do not start it yet" } } },
  { "PATCH", "/rollouts/{X}", "operator", act "change", verb = "rollout", body = with {},
    about = "Change pace, limits or window" },
}
for _, name in ipairs { "start", "pause", "resume", "advance", "cancel", "retry" } do
  M.routes[#M.routes + 1] = { "POST", "/rollouts/{X}/" .. name, "operator", act(name), verb = "rollout",
    about = ("%s a rollout"):format((name:gsub("^%l", string.upper))) }
end

return M
