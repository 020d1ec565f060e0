--- Routes of groups.
--
-- @module depot.api.routes.groups

local acts = require "depot.acts"
local groups = require "depot.acts.groups"
local objects = require "depot.api.objects"
local pages = require "depot.api.pages"
local products = require "depot.acts.products"

local M = {}

local function list(call)
  local all, message, code = call.world.store:groups()
  if not all then return nil, message, code end
  local items = {}
  for _, group in ipairs(all) do
    if group.hash == call.product then
      items[#items + 1], message, code = groups.object(call.world, group)
      if code then return nil, message, code end
    end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function show(call) return groups.object(call.world, call.objects.G) end

-- What the path names, as it is now.
local function again(call, id)
  local group, message, code = objects.kinds.G.load(call.world, ("%d"):format(id))
  if not group then return nil, message, code end
  call.objects.G, call.kind = group, "G"
  return groups.object(call.world, group)
end

local function create(call)
  local args = call.args
  if args.filter and args.names then return nil, "a group has a filter, or names", "usage", "names" end
  local group, message, code = acts.change(call.world, function()
    local made, why, word = groups.create(call.world, { name = args.name, hash = call.product, filter = args.filter })
    if not made or not args.names then return made, why, word end
    local count
    count, why, word = groups.set(call.world, made, args.cloud or "", args.names, true)
    return count and made, why, word
  end)
  if not group then return nil, message, code end
  local object
  object, message, code = again(call, group.id)
  if not object then return nil, message, code end
  return object, { status = 201 }
end

local function replace(call)
  local group = call.objects.G
  local done, message, code = groups.set_filter(call.world, group, call.args.filter)
  if not done then return nil, message, code, "filter" end
  return again(call, group.id)
end

-- A cursor is "CLOUD/NAME"; no cloud has a "/".
local function names(call)
  local limit = call.args.limit or pages.LIMIT
  local cloud, name = (call.args.cursor or "/"):match "^(%l*)/(.*)$"
  if not cloud then return pages.bad_cursor() end
  local rows, message, code = call.world.store:group_page(call.objects.G, { cloud = cloud, name = name }, limit)
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do
    items[i] = { cloud = row.cloud ~= "" and row.cloud or call.json.null, name = row.name }
  end
  local last = #rows == limit and rows[limit]
  return { items = call.json.array(items), next = last and last.cloud .. "/" .. last.name or call.json.null }
end

local function change_names(call)
  local args = call.args
  local count, message, code = groups.change_list(call.world, call.objects.G, args.cloud or "", args.add or {},
    args.remove or {})
  if not count then return nil, message, code end
  local object
  object, message, code = again(call, call.objects.G.id)
  if not object then return nil, message, code end
  object.changed = count
  return object
end

local function drop(call)
  local done, message, code = acts.change(call.world, function() return groups.drop(call.world, call.objects.G) end)
  if not done then return nil, message, code end
  return {}
end

local CLOUD = { type = "string", one_of = { "", table.unpack(products.CLOUDS) },
  about = "of the names; any cloud if absent" }

M.routes = {
  { "GET", "/products/{P}/groups", "viewer", list, verb = "read", about = "The groups of a product" },
  { "POST", "/products/{P}/groups", "operator", create, verb = "tag", about = "Make a group", body = {
    name = { type = "string", most = 32, need = true, about = "of the group" },
    filter = { type = "string", about = "which devices are in it, as tag:lab" },
    names = { type = "strings", about = "or a list of devices, heard of or not" }, cloud = CLOUD } },
  { "GET", "/groups/{G}", "viewer", show, verb = "read", about = "One group" },
  { "PUT", "/groups/{G}", "operator", replace, verb = "tag", about = "Give a group another filter", body = {
    filter = { type = "string", need = true, about = "which devices are in it" } } },
  { "GET", "/groups/{G}/names", "viewer", names, verb = "read", about = "The names on the list of a group", query = {
    cursor = pages.cursor, limit = pages.limit } },
  { "POST", "/groups/{G}/names", "operator", change_names, verb = "tag",
    about = "Put names on the list of a group, and take others off", body = {
      add = { type = "strings", about = "these" }, remove = { type = "strings", about = "and not these" },
      cloud = CLOUD } },
  { "DELETE", "/groups/{G}", "operator", drop, verb = "tag", about = "Remove a group; its devices stay" },
}

return M
