--- What people do to products: register one, choose how it gets its packages, switch it off.
--
-- @module depot.acts.products

local acts = require "depot.acts"
local modes = require "depot.modes"
local random = require "depot.random"
local rollout_acts = require "depot.rollout.acts"
local store_products = require "depot.store.products"
local zones = require "depot.rollout.zone"

local M = {}

local LONGEST = 64 -- bytes of a name or a key

--- The modes that a person can choose for a product.
M.MODES = { "auto", "staged" }

--- The clouds that devices of a product can speak to.
M.CLOUDS = { "aliyun", "tencent", "qinglian", "luat", "terminal" }

--- Those that name a product by its key. Luat's key is a secret of the devices; terminals are told by their project.
M.BY_KEY = { aliyun = true, tencent = true, qinglian = true }

-- Why a product cannot have a mode; nil: it can.
local function fault_of_mode(mode)
  for _, known in ipairs(M.MODES) do
    if mode == known then return nil end
  end
  return ("mode %s: expected %s"):format(mode, table.concat(M.MODES, " or "))
end

--- The products, by name: as depot.store.products has them, with `devices` (how many).
-- @treturn {table,...}|nil nil, message, code
function M.all(world)
  local list, seen, message, code
  list, message, code = world.store:products()
  if list then seen, message, code = world.store:products_seen() end
  if not seen then return nil, message, code end
  local counts = {}
  for _, row in ipairs(seen) do counts[row.hash] = (counts[row.hash] or 0) + row.n end
  for _, product in ipairs(list) do product.devices = counts[product.hash] or 0 end
  return list
end

--- The product of a name, a key or its hash.
-- @treturn table|nil nil, message, code
function M.find(world, text)
  for _, name in ipairs { text, world.natives.digest.sha256(text) } do
    local product, message, code = world.store:product(name)
    if product or product == nil then return product, message, code end
  end
  return nil, ("no product is called %s"):format(text), "missing"
end

--- A product as an object for JSON.
function M.object(world, product)
  local json, names = world.natives.json, {}
  for i, name in ipairs(product.names or {}) do
    names[i] = { cloud = name.cloud, name = world.natives.printable.text(name.name) }
  end
  return { name = product.name, product_key = product.hash, mode = product.mode or json.null,
    enabled = product.enabled == 1, zone = product.zone or json.null,
    unsigned = product.unsigned == 1, admit = product.admit,
    clouds = json.array(names), devices = product.devices or json.null,
    made = product.made > 0 and product.made // 1000 or json.null }
end

--- How many devices are not admitted to a product, if it admits only some.
-- @treturn integer|userdata|nil JSON's null: it is for all; nil, message, code
function M.unadmitted(world, product)
  if product.admit ~= "listed" then return world.natives.json.null end
  return world.store:unadmitted(product.hash)
end

local function is_name(text)
  return #text > 0 and #text <= LONGEST and not text:find "[%c/]" and utf8.len(text) ~= nil
end

-- Write the file of depot.modes, in the transaction.
local function keep(world)
  local known, message, code = world.store:modes()
  if not known then return nil, message, code end
  return modes.write(world.natives, world.dir, known)
end

local function is_new(world, name, hash)
  for _, text in ipairs { name, hash } do
    local found, message, code = world.store:product(text)
    if found == nil then return nil, message, code end
    if found then return nil, ("product %s is registered already"):format(found.name), "conflict" end
  end
  return true
end

local function add(world, wishes, hash, key)
  local ok, product, message, code
  ok, message, code = is_new(world, wishes.name, hash)
  if ok then product, message, code = world.store:add_product(hash, wishes.name, wishes.mode, acts.now()) end
  if not product then return nil, message, code end
  if M.BY_KEY[wishes.cloud] then ok, message, code = world.store:name_product(wishes.cloud, key, hash) end
  if ok then ok, message, code = keep(world) end
  return ok and product, message, code
end

--- Register a product.
-- @tparam table world
-- @tparam table wishes name; mode (nil: staged); key (nil: one is made); cloud that names it by that key, or nil
-- @treturn table|nil the product; nil, message, code
-- @treturn string|nil the key, if it was made; it is not kept
function M.add(world, wishes)
  wishes.mode = wishes.mode or "staged"
  local fault = fault_of_mode(wishes.mode)
  if fault then
    return nil, fault, "usage"
  elseif not is_name(wishes.name) then
    return nil, ("the name of a product has 1 to %d bytes of UTF-8, without '/'"):format(LONGEST), "usage"
  elseif wishes.key and not is_name(wishes.key) then
    return nil, ("the key of a product has 1 to %d bytes, without '/'"):format(LONGEST), "usage"
  end
  local made = not wishes.key and random.hex():sub(1, 32) or nil
  local key = wishes.key or made
  local hash = world.natives.digest.sha256(key)
  local act = { verb = "product.add", object = "product " .. wishes.name, product = hash, after = wishes.mode }
  local product, message, code = acts.change(world, function() return add(world, wishes, hash, key) end, act)
  if not product then return nil, message, code end
  return product, made
end

-- The visible rollout of a product that is no longer automatic ends with its jobs.
local function end_auto(world, hash)
  local open, message, code = world.store:rollouts()
  if not open then return nil, message, code end
  for _, rollout in ipairs(open) do
    if rollout.kind == "auto" and rollout.hash == hash then
      local ok
      ok, message, code = rollout_acts.apply(acts.parts(world), rollout, "cancel")
      if not ok then return nil, message, code end
    end
  end
  return true
end

local function said(product)
  return (store_products.mode_of(product) or "open") .. (product.zone and ", zone " .. product.zone or "")
    .. (product.unsigned == 1 and ", unsigned patches" or "") .. (product.admit == "listed" and ", admit listed" or "")
end

-- Who is offered its packages. Devices that are known when that is limited stay admitted.
local function set_admission(world, product, admit)
  if not admit or admit == product.admit then return true end
  product.admit = admit
  if admit == "open" then return true end
  return world.store:admit_known(product.hash)
end

local function set(world, product, wishes)
  local ok, message, code = set_admission(world, product, wishes.admit)
  if ok and product.admit == "listed" and (wishes.mode or product.mode) ~= "staged" then
    return nil, ("an automatic product offers to every device; make %s staged to admit only some"):format(
      product.name), "conflict"
  end
  if not ok then return nil, message, code end
  if wishes.mode == "staged" and product.mode ~= "staged" then ok, message, code = end_auto(world, product.hash) end
  if not ok then return nil, message, code end
  product.mode = wishes.mode or product.mode
  if wishes.zone then product.zone = wishes.zone ~= "" and wishes.zone or nil end
  if wishes.enabled ~= nil then product.enabled = wishes.enabled and 1 or 0 end
  if wishes.unsigned ~= nil then product.unsigned = wishes.unsigned and 1 or 0 end
  ok, message, code = world.store:save_product(product)
  if ok then ok, message, code = world.store:wake_product(product.hash, acts.now()) end
  if ok then ok, message, code = keep(world) end
  return ok and product, message, code
end

--- Choose the mode of a product, its time zone, whether it takes unsigned patches, or switch it off and on.
-- @tparam table world
-- @tparam function which -> product; or nil, message, code; asked within the transaction
-- @tparam table wishes mode, enabled and unsigned (boolean), admit (open or listed), zone ("": none); nil: as before
-- @treturn table|nil the product; nil, message, code
function M.set(world, which, wishes)
  local fault = wishes.mode and fault_of_mode(wishes.mode)
  if fault then return nil, fault, "usage" end
  if wishes.admit and wishes.admit ~= "open" and wishes.admit ~= "listed" then
    return nil, ("admit %s: expected open or listed"):format(wishes.admit), "usage"
  end
  local zone, why = zones.load(wishes.zone ~= "" and wishes.zone or nil)
  if not zone then return nil, why, "usage" end
  local act = { verb = "product.set" }
  return acts.change(world, function()
    local product, message, code = which()
    if not product then return nil, message, code end
    act.object, act.product, act.before = "product " .. product.name, product.hash, said(product)
    product, message, code = set(world, product, wishes)
    if not product then return nil, message, code end
    act.after = said(product)
    act.idle = act.after == act.before and not wishes.mode
    return product
  end, act)
end

return M
