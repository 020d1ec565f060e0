--- `moult depot user list --server URL`. A token makes no users, so the other verbs are for the folder, or a person who
-- is logged in.
--
-- @module depot.remote.user

local shown = require "depot.shown"

local M = { verbs = {} }

function M.verbs.list(remote, context) shown.users(context.env, remote:need("GET", "/users").items) end

for _, verb in ipairs { "add", "link", "role", "disable", "enable", "drop" } do
  M.verbs[verb] = function(remote)
    remote:fail(("user %s: a token makes and changes no users; log in at the console, or run this where the depot's "
      .. "folder is"):format(verb), "forbidden")
  end
end

return M
