--- Users: who they are and what they may.
--
-- A user has no password until he follows a one-time link, and a new link is the way to another one. There is no
-- default password.
--
-- @module depot.acts.users

local accounts = require "depot.accounts"
local acts = require "depot.acts"
local random = require "depot.random"

local M = {}

--- Milliseconds for which a one-time link is valid.
M.LINK = 15 * 60 * 1000

--- A user's name as it is kept.
-- @treturn string|nil nil, message, "usage"
function M.name(text)
  local name = text:lower()
  if name:find "^[a-z0-9][a-z0-9._-]*$" and #name <= 64 then return name end
  return nil, "a user's name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit", "usage"
end

local function is_role(text)
  for _, role in ipairs(accounts.ROLES) do
    if role == text then return true end
  end
  return false
end

--- Check the roles of a user.
-- @tparam {[product] = role} roles the hash of a product's key, or "" for all
-- @treturn true|nil nil, message, "usage"
function M.check_roles(roles)
  for product, role in pairs(roles) do
    if not is_role(role) then
      return nil, ("role %s: expected viewer, operator or admin"):format(role), "usage"
    end
    if product ~= "" and not product:find("^" .. ("%x"):rep(64) .. "$") then
      return nil, ("product %s: expected the SHA-256 of its key, 64 hex digits"):format(product), "usage"
    end
  end
  return true
end

--- The account of a name.
-- @treturn table|nil row; nil, message, code
function M.find(world, name)
  local row, message, code = world.store:account(name:lower())
  if row == false then return nil, ("there is no user %s"):format(name), "missing" end
  return row, message, code
end

-- Roles as one line, for the audit.
local function words(roles)
  local list = {}
  for product, role in pairs(roles) do list[#list + 1] = (product == "" and "all" or product) .. "=" .. role end
  table.sort(list)
  return table.concat(list, " ")
end

local function object_of(name) return "user " .. name end

-- A one-time link; the store has only its hash.
local function link_of(world, id)
  local token, now = random.hex(), acts.now()
  local ok, message, code = world.store:add_once(world.store.sha256(token), id, now, now + M.LINK)
  return ok and token, message, code
end

--- Make a user, within change().
-- @tparam string name
-- @tparam {[product] = role} roles
-- @treturn string|nil the token of his one-time link; nil, message, code
function M.add(world, name, roles)
  local known, message, code = M.name(name)
  if not known then return nil, message, code end
  local ok
  ok, message, code = M.check_roles(roles)
  if not ok then return nil, message, code end
  local row
  row, message, code = world.store:account(known)
  if row == nil then return nil, message, code end
  if row then return nil, ("there is a user %s already"):format(known), "conflict" end
  local id
  id, message, code = world.store:add_account(known, acts.now())
  if not id then return nil, message, code end
  ok, message, code = world.store:set_roles(id, roles)
  if ok then ok, message, code = acts.record(world, "user.add", object_of(known), { after = words(roles) }) end
  if not ok then return nil, message, code end
  return link_of(world, id)
end

--- Another one-time link for a user, within change(). His password stays until he follows it.
-- @treturn string|nil its token; nil, message, code
function M.link(world, row)
  local done, message, code = acts.record(world, "user.once", object_of(row.name))
  if not done then return nil, message, code end
  return link_of(world, row.id)
end

-- The user who was the last admin of everything could not be helped by anybody with a browser.
local function keeps_an_admin(world, but)
  local rows, message, code = world.store:accounts()
  for _, row in ipairs(rows or {}) do
    local roles = row.id ~= but and row.disabled == 0 and world.store:roles(row.id) or {}
    if roles[""] == "admin" then return true end
  end
  if not rows then return nil, message, code end
  return nil, "this is the last admin; make another one first", "refused"
end

--- Replace the roles of a user, within change(). His sessions end.
-- @treturn true|nil nil, message, code
function M.set_roles(world, row, roles)
  local before, message, code = world.store:roles(row.id)
  if not before then return nil, message, code end
  local ok
  ok, message, code = M.check_roles(roles)
  if ok and before[""] == "admin" and roles[""] ~= "admin" then ok, message, code = keeps_an_admin(world, row.id) end
  if ok then ok, message, code = world.store:set_roles(row.id, roles) end
  if ok then ok, message, code = world.store:drop_sessions(row.id) end
  if ok then
    ok, message, code = acts.record(world, "user.roles", object_of(row.name), { before = words(before),
      after = words(roles) })
  end
  return ok and true, message, code
end

--- Let a user in no more, or again, within change(). His sessions end, his tokens are refused.
-- @treturn true|nil nil, message, code
function M.set_disabled(world, row, disabled)
  local ok, message, code = true, nil, nil
  if disabled then ok, message, code = keeps_an_admin(world, row.id) end
  if ok then
    row.disabled = disabled and 1 or 0
    ok, message, code = world.store:save_account(row)
  end
  if ok then ok, message, code = world.store:drop_sessions(row.id) end
  local verb = disabled and "user.disable" or "user.enable"
  if ok then ok, message, code = acts.record(world, verb, object_of(row.name)) end
  return ok and true, message, code
end

--- Remove a user with his sessions and tokens, within change(). What he did stays in the audit.
-- @treturn true|nil nil, message, code
function M.drop(world, row)
  local ok, message, code = keeps_an_admin(world, row.id)
  if ok then ok, message, code = world.store:drop_account(row.id) end
  if ok then ok, message, code = acts.record(world, "user.drop", object_of(row.name)) end
  return ok and true, message, code
end

--- A user as an object for JSON.
-- @treturn table|nil nil, message, code
function M.object(world, row)
  local roles, message, code = world.store:roles(row.id)
  if not roles then return nil, message, code end
  return { name = row.name, roles = roles, disabled = row.disabled == 1, password = row.password ~= nil,
    made = row.made // 1000 }
end

return M
