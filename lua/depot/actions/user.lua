--- `moult depot user add|list|link|role|disable|enable|drop DIR [NAME]`: the people of the admin server.
--
-- @module depot.actions.user

local acts = require "depot.acts"
local base = require "depot.actions.base"
local natives = require "update.natives"
local shown = require "depot.shown"
local users = require "depot.acts.users"

local M = {}

--- Where the admin server is if nothing else is said.
M.URL = "http://127.0.0.1:8081"

local verbs = {}

-- The roles that --role and --for mean: {[hash of a product's key, or "" for all] = role}.
local function roles_of(opts)
  if not opts.role then return nil, "give --role viewer, operator or admin", "usage" end
  local product = opts.product and natives.digest.sha256(opts.product) or ""
  return { [product] = opts.role }
end

local function tell_link(context, name, token)
  local env = context.env
  local said = context.opts["admin-url"]
  local url = (said and said[1] or context.store:setting "admin_url" or M.URL):gsub("/+$", "")
  local link = ("%s/once?token=%s"):format(url, token)
  if env.json then
    env.out(natives.json.encode { user = name, link = link, seconds = users.LINK // 1000 })
  else
    env.out(("%s sets a password here, within %d minutes and once:\n%s"):format(name, users.LINK // 60000, link))
  end
  return 0
end

function verbs.add(context)
  local roles, message, code = roles_of(context.opts)
  if not roles then return nil, message, code end
  local token
  token, message, code = acts.change(context, function() return users.add(context, context.name, roles) end)
  if not token then return nil, message, code end
  return tell_link(context, context.name:lower(), token)
end

-- Find the user, do something to him, and say so.
local function to_user(context, what, said)
  local done, message, code = acts.change(context, function()
    local row, why, word = users.find(context, context.name)
    if not row then return nil, why, word end
    return what(row)
  end)
  if not done then return nil, message, code end
  if said then context.env.out(context.env.json and "{}" or ("%s %s"):format(context.name:lower(), said)) end
  return done
end

function verbs.link(context)
  local token, message, code = to_user(context, function(row) return users.link(context, row) end)
  if not token then return nil, message, code end
  return tell_link(context, context.name:lower(), token)
end

function verbs.role(context)
  local roles, message, code = roles_of(context.opts)
  if not roles then return nil, message, code end
  local done
  done, message, code = to_user(context, function(row)
    local all, why, word = context.store:roles(row.id)
    if not all then return nil, why, word end
    for product, role in pairs(roles) do all[product] = role end
    return users.set_roles(context, row, all)
  end, "has the role; open sessions have ended")
  return done and 0, message, code
end

local CHANGES = {
  disable = { function(context, row) return users.set_disabled(context, row, true) end, "is disabled" },
  enable = { function(context, row) return users.set_disabled(context, row, false) end, "is enabled again" },
  drop = { users.drop, "is removed" },
}
for verb, change in pairs(CHANGES) do
  verbs[verb] = function(context)
    local done, message, code = to_user(context, function(row) return change[1](context, row) end, change[2])
    return done and 0, message, code
  end
end

function verbs.list(context)
  local rows, message, code = context.store:accounts()
  if not rows then return nil, message, code end
  local objects = {}
  for i, row in ipairs(rows) do
    objects[i], message, code = users.object(context, row)
    if not objects[i] then return nil, message, code end
  end
  shown.users(context.env, objects)
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  if verbs[context.verb] and context.verb ~= "list" and not context.name then return nil, "name a user", "usage" end
  return base.run_verb(context, "user", verbs, base.within)
end

return M
