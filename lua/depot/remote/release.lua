--- `moult depot release list|enable|disable|withdraw [PACKAGE] --server URL`.
--
-- @module depot.remote.release

local shown = require "depot.shown"

local M = { verbs = {} }

function M.verbs.list(remote, context) shown.releases(context.env, remote:releases()) end

-- The release whose package is named.
local function named(remote, context)
  if not context.name then remote:fail(("name a package of the release to %s"):format(context.verb), "usage") end
  return remote:release(context)
end

local function switch(remote, context)
  local enabled = context.verb == "enable"
  local release = remote:need("PATCH", "/releases/" .. named(remote, context).id, { enabled = enabled })
  shown.switched(context.env, release.release, enabled)
end
M.verbs.enable, M.verbs.disable = switch, switch

function M.verbs.withdraw(remote, context)
  local release = named(remote, context)
  remote:need("POST", ("/releases/%s/withdraw"):format(release.id))
  shown.withdrawn(context.env, release.release, release.sequence, release.runs)
end

return M
