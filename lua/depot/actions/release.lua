--- `moult depot release list|enable|disable|withdraw DIR [PACKAGE]`: the releases in a folder, and the end of one.
--
-- @module depot.actions.release

local base = require "depot.actions.base"
local natives = require "update.natives"
local releases = require "depot.acts.releases"

local M = {}

local verbs = {}

function verbs.list(context)
  local env, json = context.env, natives.json
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  local objects = json.array {}
  if not env.json then
    env.out(("%-18s %-18s %9s  %-9s %8s"):format("PROJECT", "RELEASE", "SEQUENCE", "STAGE", "RUNS"))
  end
  for i, release in ipairs(releases.all(context)) do
    objects[i], message, code = releases.object(context, release, rollouts)
    if not objects[i] then return nil, message, code end
    local o = objects[i]
    if not env.json then
      env.out(natives.printable.text(("%-18.18s %-18.18s %9d  %-9s %8d%s"):format(o.project, o.release, o.sequence,
        o.stage, o.runs, o.enabled and "" or "  disabled")))
    end
  end
  if env.json then env.out(json.encode { releases = objects }) end
  return 0
end

-- The package that names the release.
local function named(context)
  if not context.name then return nil, ("name a package of the release to %s"):format(context.verb), "usage" end
  return base.package(context)
end

local function switch(context)
  local entry, message, code = named(context)
  if not entry then return nil, message, code end
  local enabled, release = context.verb == "enable", entry.manifest.release
  local done
  done, message, code = releases.note(context, releases.of(context, entry), { enabled = enabled })
  if not done then return nil, message, code end
  context.env.out(context.env.json and natives.json.encode { release = release, enabled = enabled }
    or enabled and release .. " is enabled" or release .. " is disabled: it is offered to nobody, and what has begun "
      .. "goes on")
  return 0
end
verbs.enable, verbs.disable = switch, switch

function verbs.withdraw(context)
  local entry, message, code = named(context)
  if not entry then return nil, message, code end
  local runs
  runs, message, code = context.store:running(entry.manifest)
  if not runs then return nil, message, code end
  local done
  done, message, code = releases.withdraw(context, releases.of(context, entry))
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
    return nil, ("release %s: expected list, enable, disable or withdraw"):format(context.verb), "usage"
  end
  local served, message, code = base.needs_store(context)
  if not served then return nil, message, code end
  return base.within(context, verbs[context.verb])
end

return M
