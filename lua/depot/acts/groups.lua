--- Groups of devices: what people do with them.
--
-- @module depot.acts.groups

local acts = require "depot.acts"
local filters = require "depot.filter"
local tags = require "depot.tags"

local M = {}

local function object_of(group) return "group " .. group.name end

--- The group of a name.
-- @tparam table world
-- @tparam string name
-- @tparam[opt] string hash of the product
-- @treturn table|nil row of depot.store.groups; nil, message, code
function M.find(world, name, hash)
  local all, message, code = world.store:groups()
  if not all then return nil, message, code end
  local found
  for _, group in ipairs(all) do
    if group.name == name:lower() and (not hash or hash == group.hash) then
      if found then return nil, ("several products have a group %s; name the product"):format(name), "usage" end
      found = group
    end
  end
  if found then return found end
  return nil, ("there is no group %s"):format(name), "missing"
end

-- A filter that a group may have: true; nil, message, code.
local function check(text)
  local filter, message, code = filters.parse(text, true)
  if not filter then return nil, message, code end
  if filters.asks(filter, "groups") then return nil, "filter: a group cannot be made of groups", "usage" end
  return true
end

--- Make a group, within change().
-- @tparam table world
-- @tparam table group name, hash (of the product), filter (or nil: it has a list)
-- @treturn table|nil the group; nil, message, code
function M.create(world, group)
  local name, message, code = tags.read(group.name)
  if not name then return nil, (message:gsub("^tag", "group")), code end
  local ok = true
  if group.filter then ok, message, code = check(group.filter) end
  if not ok then return nil, message, code end
  local found, why, word = M.find(world, name, group.hash)
  if found then return nil, ("there is a group %s already"):format(name), "conflict" end
  if word ~= "missing" then return nil, why, word end
  local id
  id, message, code = world.store:add_group(group.hash, name, group.filter)
  if not id then return nil, message, code end
  local made = { id = id, name = name, hash = group.hash, filter = group.filter }
  ok, message, code = acts.record(world, "group.create", object_of(made), { product = group.hash,
    after = group.filter })
  return ok and made, message, code
end

-- Put names on the list or take them off, within change(); those that changed.
local function apply(world, group, cloud, names, wanted)
  local changed = {}
  for _, name in ipairs(names) do
    local count, message, code = world.store:set_in_group(group, cloud, name, wanted)
    if not count then return nil, message, code end
    if count > 0 then changed[#changed + 1] = name end
  end
  return changed
end

--- Put names on the list of a group, and take others off, in a transaction of their own.
-- @tparam table world
-- @tparam table group
-- @tparam string cloud "" for any
-- @tparam {string,...} add
-- @tparam {string,...} remove
-- @treturn integer|nil how many changed; nil, message, code
function M.change_list(world, group, cloud, add, remove)
  local act = { verb = "group.list", object = object_of(group), product = group.hash }
  return acts.change(world, function()
    local ok, message, code = M.has_list(group)
    if not ok then return nil, message, code end
    local more, less
    more, message, code = apply(world, group, cloud, add, true)
    if not more then return nil, message, code end
    less, message, code = apply(world, group, cloud, remove, false)
    if not less then return nil, message, code end
    act.idle = #more + #less == 0
    act.after = ("+%d -%d names"):format(#more, #less)
    act.undo = { kind = "group.list", group = { id = group.id, name = group.name, hash = group.hash }, cloud = cloud,
      add = less, remove = more }
    ok, message, code = world.store:touch_product(group.hash, acts.now())
    return ok and #more + #less, message, code
  end, act)
end

--- Take a change of a list back; of depot.acts.undo.
function M.list_back(world, undo) return M.change_list(world, undo.group, undo.cloud, undo.add, undo.remove) end

--- Whether a group has a list.
-- @treturn true|nil nil, message, code
function M.has_list(group)
  if not group.filter then return true end
  return nil, ("group %s is made by its filter, and has no list"):format(group.name), "refused"
end

--- Put names on the list of a group, or take them off, within change().
-- @tparam table world
-- @tparam table group
-- @tparam string cloud "" for any
-- @tparam {string,...} names
-- @tparam boolean wanted
-- @treturn integer|nil how many changed; nil, message, code
function M.set(world, group, cloud, names, wanted)
  local ok, message, code = M.has_list(group)
  if not ok then return nil, message, code end
  local changed
  changed, message, code = apply(world, group, cloud, names, wanted)
  if not changed then return nil, message, code end
  local count = #changed
  if count == 0 then return 0 end
  local more = { product = group.hash, after = ("%s%d names"):format(wanted and "+" or "-", count) }
  ok, message, code = acts.record(world, wanted and "group.add" or "group.remove", object_of(group), more)
  if ok then ok, message, code = world.store:touch_product(group.hash, acts.now()) end
  return ok and count, message, code
end

--- Give a group another filter, in a transaction of its own.
-- @treturn true|nil nil, message, code
function M.set_filter(world, group, filter)
  local act = { verb = "group.filter", object = object_of(group), product = group.hash, before = group.filter,
    after = filter }
  return acts.change(world, function()
    if not group.filter then return nil, ("group %s has a list, and no filter"):format(group.name), "refused" end
    local ok, message, code = check(filter)
    if ok then ok, message, code = world.store:set_group_filter(group, filter) end
    if ok then ok, message, code = world.store:touch_product(group.hash, acts.now()) end
    act.undo = { kind = "group.filter", group = { id = group.id, name = group.name, hash = group.hash,
      filter = filter }, old = group.filter }
    return ok and true, message, code
  end, act)
end

--- Take a change of a filter back; of depot.acts.undo.
function M.filter_back(world, undo) return M.set_filter(world, undo.group, undo.old) end

--- How many known devices are in a group.
-- @treturn integer|nil nil, message, code
function M.count(world, group)
  local where = world.store:where(assert(filters.parse("group:" .. group.name)), acts.now())
  where:add("+hash = ?", group.hash)
  local rows, message, code = world.store:count(where, { "hash" })
  if not rows then return nil, message, code end
  return rows[1] and rows[1].n or 0
end

--- A group as an object for JSON.
-- @treturn table|nil nil, message, code
function M.object(world, group)
  local count, message, code = M.count(world, group)
  if not count then return nil, message, code end
  local null = world.natives.json.null
  return { id = group.id, name = group.name, product_key = group.hash, filter = group.filter or null,
    names = not group.filter and group.names or null, devices = count }
end

--- Remove a group, within change(); not one that an open rollout asks for.
-- @treturn true|nil nil, message, code
function M.drop(world, group)
  local open, message, code = world.store:rollouts()
  if not open then return nil, message, code end
  for _, rollout in ipairs(open) do
    for _, term in ipairs(rollout.hash == group.hash and rollout.means and rollout.means.terms or {}) do
      if term.of == "groups" and term.wanted:lower() == group.name then
        return nil, ("rollout %d is for group %s; end it first"):format(rollout.id, group.name), "refused"
      end
    end
  end
  local ok
  ok, message, code = world.store:drop_group(group)
  if ok then ok, message, code = acts.record(world, "group.delete", object_of(group), { product = group.hash }) end
  return ok and true, message, code
end

return M
