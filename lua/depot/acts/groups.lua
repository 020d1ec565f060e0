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
      if found then return nil, ("several products have a group %s; add --product"):format(name), "usage" end
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

--- Put names on the list of a group, or take them off, within change().
-- @tparam table world
-- @tparam table group
-- @tparam string cloud "" for any
-- @tparam {string,...} names
-- @tparam boolean wanted
-- @treturn integer|nil how many changed; nil, message, code
function M.set(world, group, cloud, names, wanted)
  if group.filter then
    return nil, ("group %s is made by its filter, and has no list"):format(group.name), "refused"
  end
  local count = 0
  for _, name in ipairs(names) do
    local changed, message, code = world.store:set_in_group(group, cloud, name, wanted)
    if not changed then return nil, message, code end
    count = count + changed
  end
  if count == 0 then return 0 end
  local more = { product = group.hash, after = ("%s%d names"):format(wanted and "+" or "-", count) }
  local ok, message, code = acts.record(world, wanted and "group.add" or "group.remove", object_of(group), more)
  if ok then ok, message, code = world.store:touch_product(group.hash, acts.now()) end
  return ok and count, message, code
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
