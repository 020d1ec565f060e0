--- Which devices belong to a product: those of a delivery that have not reported yet, and those that are admitted.
--
-- @module depot.acts.admission

local acts = require "depot.acts"
local jobs = require "depot.jobs"
local products = require "depot.acts.products"

local M = {}

local NAMED = 5 -- devices that the audit names at most

-- What a cloud calls a product: as it was said, or as its devices have reported.
local function name_of(world, place)
  if place.product and products.BY_KEY[place.cloud] and world.store.sha256(place.product) ~= place.hash then
    return nil, "product: this is not the key of the product", "usage", "product"
  elseif place.product then
    return place.product
  end
  local rows, message, code = world.store:products()
  if not rows then return nil, message, code end
  for _, product in ipairs(rows) do
    for _, name in ipairs(product.hash == place.hash and product.names or {}) do
      if name.cloud == place.cloud then return name.name end
    end
  end
  return nil, ("product: say what %s calls it; none of its devices has reported"):format(place.cloud), "usage",
    "product"
end

--- Register devices that never reported. Those that are known are admitted, and stay as they are.
-- @tparam table world
-- @tparam table place cloud, hash (of the product's key), product (what the cloud calls it, or nil: as is known)
-- @tparam {string,...} names
-- @treturn integer|nil how many are new; nil, message, code, field
function M.register(world, place, names)
  local product, message, code, field = name_of(world, place)
  if not product then return nil, message, code, field end
  local act, count, changed = { verb = "device.add", product = place.hash, after = place.cloud }, 0, 0
  for _, name in ipairs(names) do
    if name == "" or name:find "%c" then
      return nil, "a device's name is empty or has control characters", "usage", "devices"
    end
  end
  return acts.change(world, function()
    for _, name in ipairs(names) do
      local row, why, word = world.store:get(place.cloud, product, name)
      if row == nil then return nil, why, word end
      local is_new = not row
      row = row or { cloud = place.cloud, product = product, device = name, hash = place.hash }
      if row.admitted ~= 1 then
        row.admitted, row.due = 1, not is_new and acts.now() or nil
        local ok
        ok, why, word = world.store:put(row)
        if not ok then return nil, why, word end
        changed = changed + 1
      end
      if is_new then count = count + 1 end
    end
    act.object, act.idle = ("%d devices"):format(changed), changed == 0
    return count
  end, act)
end

--- Admit devices to products that offer to admitted ones only, or admit them no more: then their open jobs end.
-- @tparam table world
-- @tparam function which -> rows; or nil, message, code; asked within the transaction
-- @tparam boolean admitted
-- @treturn integer|nil how many were changed; nil, message, code
function M.admit(world, which, admitted)
  local act, value = { verb = "device.set", after = admitted and "admitted" or "not admitted" }, admitted and 1 or nil
  return acts.change(world, function()
    local rows, message, code = which()
    if not rows then return nil, message, code end
    local names, now = {}, acts.now()
    for _, row in ipairs(rows) do
      if row.admitted ~= value then
        row.admitted, names[#names + 1] = value, row.device
        if not admitted then jobs.cancel(row, now) elseif not jobs.is_open(row) then row.due = now end
        local ok
        ok, message, code = world.store:put(row)
        if ok then ok, message, code = world.store:touch(row, now) end
        if not ok then return nil, message, code end
      end
    end
    act.idle, act.product = #names == 0, rows[1] and rows[1].hash
    act.object = #names <= NAMED and "device " .. table.concat(names, ", ") or ("%d devices"):format(#names)
    return #names
  end, act)
end

return M
