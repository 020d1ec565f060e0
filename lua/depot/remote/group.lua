--- `moult depot group list|show|create|add|remove|delete [NAME] --server URL`.
--
-- @module depot.remote.group

local device_list = require "depot.device_list"
local natives = require "update.natives"
local shown = require "depot.shown"

local M = { verbs = {} }

function M.verbs.list(remote, context)
  local groups = remote:of_products "groups"
  table.sort(groups, function(a, b) return a.name < b.name end)
  shown.groups(context.env, groups)
end

-- The group that a command names.
local function find(remote, context)
  local name, product = context.name, context.opts.product
  if not name then remote:fail("name a group; `group list` shows them", "usage") end
  local hash, found = product and remote:product(product).product_key, nil
  for _, group in ipairs(remote:of_products "groups") do
    if group.name == name:lower() and (not hash or group.product_key == hash) then
      if found then remote:fail(("several products have a group %s; name the product"):format(name), "usage") end
      found = group
    end
  end
  if not found then remote:fail(("there is no group %s"):format(name), "missing") end
  return found
end

local function path_of(group) return ("/groups/%d"):format(group.id) end

function M.verbs.show(remote, context)
  local group = find(remote, context)
  group.list = natives.json.array(group.filter == natives.json.null and remote:items(path_of(group) .. "/names") or {})
  shown.group(context.env, group)
end

function M.verbs.create(remote, context)
  local opts = context.opts
  if not context.name then remote:fail("name the group", "usage") end
  if not opts.product then remote:fail("give --product: a group belongs to one", "usage") end
  local names = remote:must(device_list.names(opts))
  if opts.filter and #names > 0 then
    remote:fail("a group has --filter, or a list by --device or --devices", "usage")
  end
  local group = remote:need("POST", ("/products/%s/groups"):format(remote:product(opts.product).product_key), {
    name = context.name, filter = opts.filter, names = #names > 0 and names or nil, cloud = opts.cloud })
  shown.of_group(context.env, group.name, "made")
end

for _, verb in ipairs { "add", "remove" } do
  M.verbs[verb] = function(remote, context)
    local names = remote:must(device_list.names(context.opts))
    if #names == 0 then remote:fail("name the devices: --device NAME or --devices LIST", "usage") end
    local group = find(remote, context)
    local done = remote:need("POST", path_of(group) .. "/names", { [verb] = names, cloud = context.opts.cloud })
    shown.group_names(context.env, group.name, done.changed, verb == "add")
  end
end

function M.verbs.delete(remote, context)
  local group = find(remote, context)
  remote:need("DELETE", path_of(group))
  shown.of_group(context.env, group.name, "removed; its devices stay")
end

return M
