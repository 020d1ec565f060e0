--- `moult depot release list|enable|disable|withdraw DIR [PACKAGE]`: the releases in a folder, and the end of one.
--
-- @module depot.actions.release

local base = require "depot.actions.base"
local releases = require "depot.acts.releases"
local shown = require "depot.shown"

local M = {}

local verbs = {}

function verbs.list(context)
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  local objects = {}
  for i, release in ipairs(releases.all(context)) do
    objects[i], message, code = releases.object(context, release, rollouts)
    if not objects[i] then return nil, message, code end
  end
  shown.releases(context.env, objects)
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
  shown.switched(context.env, release, enabled)
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
  shown.withdrawn(context.env, entry.manifest.release, entry.manifest.sequence, runs)
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  return base.run_verb(context, "release", verbs)
end

return M
