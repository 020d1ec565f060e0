--- `moult depot group list|show|create|add|remove|delete DIR [NAME]`: groups of devices.
--
-- @module depot.actions.group

local acts = require "depot.acts.groups"
local base = require "depot.actions.base"
local device_list = require "depot.device_list"
local natives = require "update.natives"
local shown = require "depot.shown"

local M = {}

local function hash_of(context)
  return context.opts.product and natives.digest.sha256(context.opts.product) or nil
end

local function find(context)
  if not context.name then return nil, "name a group; `group list` shows them", "usage" end
  return acts.find(context, context.name, hash_of(context))
end

local verbs = {}

function verbs.list(context)
  local all, message, code = context.store:groups()
  if not all then return nil, message, code end
  local objects = {}
  for i, group in ipairs(all) do
    objects[i], message, code = acts.object(context, group)
    if not objects[i] then return nil, message, code end
  end
  shown.groups(context.env, objects)
  return 0
end

function verbs.show(context)
  local group, message, code = find(context)
  if not group then return nil, message, code end
  local object, names
  object, message, code = acts.object(context, group)
  if object then names, message, code = context.store:group_names(group) end
  if not names then return nil, message, code end
  local json = natives.json
  object.list = json.array {}
  for i, one in ipairs(names) do
    object.list[i] = { cloud = one.cloud ~= "" and one.cloud or json.null, name = natives.printable.text(one.name) }
  end
  shown.group(context.env, object)
  return 0
end

local function set(context, group, names, wanted)
  local count, message, code = acts.set(context, group, context.opts.cloud or "", names, wanted)
  return count and { group = group, count = count }, message, code
end

function verbs.create(context)
  local opts = context.opts
  if not context.name then return nil, "name the group", "usage" end
  if not opts.product then return nil, "give --product: a group belongs to one", "usage" end
  local names, message, code = device_list.names(opts)
  if not names then return nil, message, code end
  if opts.filter and #names > 0 then
    return nil, "a group has --filter, or a list by --device or --devices", "usage"
  end
  local done
  done, message, code = base.change(context, function()
    local group, why, word = acts.create(context, { name = context.name, hash = hash_of(context),
      filter = opts.filter })
    if not group then return nil, why, word end
    if #names == 0 then return { group = group } end
    return set(context, group, names, true)
  end)
  if not done then return nil, message, code end
  shown.of_group(context.env, done.group.name, "made")
  return 0
end

for verb, wanted in pairs { add = true, remove = false } do
  verbs[verb] = function(context)
    local names, message, code = device_list.names(context.opts)
    if not names then return nil, message, code end
    if #names == 0 then return nil, "name the devices: --device NAME or --devices LIST", "usage" end
    local done
    done, message, code = base.change(context, function()
      local group, why, word = find(context)
      if not group then return nil, why, word end
      return set(context, group, names, wanted)
    end)
    if not done then return nil, message, code end
    shown.group_names(context.env, done.group.name, done.count, wanted)
    return 0
  end
end

function verbs.delete(context)
  local group
  local done, message, code = base.change(context, function()
    local why, word
    group, why, word = find(context)
    if not group then return nil, why, word end
    return acts.drop(context, group)
  end)
  if not done then return nil, message, code end
  shown.of_group(context.env, group.name, "removed; its devices stay")
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  context.lasting = true
  return base.run_verb(context, "group", verbs)
end

return M
