--- `moult depot release list|withdraw DIR [PACKAGE]`: the releases in a folder, and the end of one.
--
-- @module depot.actions.release

local acts = require "depot.rollout.acts"
local base = require "depot.actions.base"
local natives = require "update.natives"

local M = {}

-- The releases of the folder, the newest first: {manifest, packages (names), entries, withdrawn}.
local function all(context)
  local list, seen = {}, {}
  for _, entry in ipairs(context.packages) do
    local manifest = entry.manifest
    local key = ("%s %s %d"):format(manifest.product_key, manifest.release, manifest.sequence)
    local release = seen[key]
    if not release then
      release = { manifest = manifest, entries = {}, withdrawn = entry.withdrawn }
      seen[key], list[#list + 1] = release, release
    end
    table.insert(release.entries, entry)
  end
  table.sort(list, function(a, b)
    if a.manifest.project ~= b.manifest.project then return a.manifest.project < b.manifest.project end
    return a.manifest.sequence > b.manifest.sequence
  end)
  return list
end

-- withdrawn, released (a rollout for all offers it), verified or uploaded.
local function stage_of(context, release, rollouts)
  if release.withdrawn then return "withdrawn" end
  local stage = "uploaded"
  for _, entry in ipairs(release.entries) do
    local digest = entry.manifest.digest
    local proof, message, code = context.store:is_verified(digest)
    if proof == nil then return nil, message, code end
    if proof and stage == "uploaded" then stage = "verified" end
    for _, rollout in ipairs(rollouts) do
      if rollout.package == digest and rollout.wave > 0 then stage = "released" end
    end
  end
  return stage
end

local verbs = {}

function verbs.list(context)
  local env, json = context.env, natives.json
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  local objects = json.array {}
  if not env.json then
    env.out(("%-18s %-18s %9s  %-9s %8s"):format("PROJECT", "RELEASE", "SEQUENCE", "STAGE", "RUNS"))
  end
  for i, release in ipairs(all(context)) do
    local stage, runs
    stage, message, code = stage_of(context, release, rollouts)
    if not stage then return nil, message, code end
    runs, message, code = context.store:running(release.manifest)
    if not runs then return nil, message, code end
    local m, names = release.manifest, json.array {}
    for k, entry in ipairs(release.entries) do names[k] = entry.name end
    objects[i] = { project = m.project, release = m.release, sequence = m.sequence, stage = stage, runs = runs,
      product_key = m.product_key, packages = names }
    if not env.json then
      env.out(natives.printable.text(("%-18.18s %-18.18s %9d  %-9s %8d"):format(m.project, m.release, m.sequence, stage,
        runs)))
    end
  end
  if env.json then env.out(json.encode { releases = objects }) end
  return 0
end

local function end_rollouts(context, entry, now)
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  for _, rollout in ipairs(rollouts) do
    if rollout.package == entry.manifest.digest then
      local ok
      ok, message, code = acts.apply({ store = context.store, by_digest = context.by_digest, now = now }, rollout,
        "withdrawn")
      if not ok then return nil, message, code end
    end
  end
  return true
end

local function withdraw(context, entry)
  local now, jobs = base.now(), 0
  local ok, message, code = context.store:withdraw(entry.manifest, now)
  for _, release in ipairs(ok and all(context) or {}) do
    if release.manifest.product_key == entry.manifest.product_key and release.manifest.release == entry.manifest.release
        and release.manifest.sequence == entry.manifest.sequence then
      for _, part in ipairs(release.entries) do
        local count
        ok, message, code = end_rollouts(context, part, now)
        if not ok then return nil, message, code end
        count, message, code = context.store:end_package(part.manifest.digest, now)
        if not count then return nil, message, code end
        jobs = jobs + count
      end
    end
  end
  if not ok then return nil, message, code end
  return jobs
end

function verbs.withdraw(context)
  if not context.name then return nil, "name a package of the release to withdraw", "usage" end
  local entry, message, code = base.package(context)
  if not entry then return nil, message, code end
  local runs
  runs, message, code = context.store:running(entry.manifest)
  if not runs then return nil, message, code end
  local done = entry.withdrawn and 0
  if not done then
    local m = entry.manifest
    local act = { verb = "release.withdraw", object = ("release %s %d"):format(m.release, m.sequence),
      product = m.product_key }
    done, message, code = base.change(context, function() return withdraw(context, entry) end, act)
  end
  if not done then return nil, message, code end
  if context.env.json then
    context.env.out(natives.json.encode { release = entry.manifest.release, runs = runs })
    return 0
  end
  context.env.out(("%s is withdrawn and offered no more"):format(entry.manifest.release))
  if runs > 0 then
    context.env.out(("%d device%s it; devices never go back, so pack the good content with a sequence above %d"):format(
      runs, runs == 1 and " runs" or "s run", entry.manifest.sequence))
  end
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  if not verbs[context.verb] then
    return nil, ("release %s: expected list or withdraw"):format(context.verb), "usage"
  end
  local served, message, code = base.needs_store(context)
  if not served then return nil, message, code end
  return base.within(context, verbs[context.verb])
end

return M
