--- Routes of users.
--
-- @module depot.api.routes.users

local acts = require "depot.acts"
local users = require "depot.acts.users"

local M = {}

local function list(call)
  local rows, message, code = call.world.store:accounts()
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do
    items[i], message, code = users.object(call.world, row)
    if not items[i] then return nil, message, code end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function user(call) return users.object(call.world, call.objects.N) end

local function link_of(call, token) return ("%s/once?token=%s"):format(call.base, token) end

local function add(call)
  local token, message, code = acts.change(call.world, function()
    return users.add(call.world, call.args.name, call.args.roles)
  end)
  if not token then return nil, message, code end
  return { name = call.args.name:lower(), link = link_of(call, token), seconds = users.LINK // 1000 }, { status = 201 }
end

local function once(call)
  local token, message, code = acts.change(call.world, function() return users.link(call.world, call.objects.N) end)
  if not token then return nil, message, code end
  return { name = call.objects.N.name, link = link_of(call, token), seconds = users.LINK // 1000 }
end

-- Do something to the user of the path, and show him.
local function to_user(what)
  return function(call)
    local row = call.objects.N
    local done, message, code = acts.change(call.world, function() return what(call, row) end)
    if not done then return nil, message, code end
    return users.object(call.world, row)
  end
end

local function drop(call)
  local done, message, code = acts.change(call.world, function() return users.drop(call.world, call.objects.N) end)
  if not done then return nil, message, code end
  return {}
end

--- The rule of a user's name.
M.NAME = { type = "string", most = 64, need = true, about = "name of the user" }

local ROLES = { type = "map", need = true,
  about = "roles by the hash of a product's key; the empty name means all products" }

M.routes = {
  { "GET", "/users", "admin", list, verb = "user", about = "All users" },
  { "POST", "/users", "admin", add, verb = "user", about = "Make a user, with a one-time link",
    body = { name = M.NAME, roles = ROLES } },
  { "GET", "/users/{N}", "admin", user, verb = "user", about = "One user" },
  { "PATCH", "/users/{N}", "admin", to_user(function(call, row)
    return users.set_disabled(call.world, row, call.args.disabled)
  end), verb = "user", about = "Disable a user, or enable it again", body = {
    disabled = { type = "boolean", need = true, about = "whether the user is disabled" } } },
  { "DELETE", "/users/{N}", "admin", drop, verb = "user", about = "Remove a user" },
  { "PUT", "/users/{N}/roles", "admin", to_user(function(call, row)
    return users.set_roles(call.world, row, call.args.roles)
  end), verb = "user", about = "Replace the roles of a user", body = { roles = ROLES } },
  { "POST", "/users/{N}/once", "admin", once, verb = "user", about = "Another one-time link for a user" },
}

-- A token is no way to more rights.
for _, route in ipairs(M.routes) do route.session_only = route[1] ~= "GET" end

return M
