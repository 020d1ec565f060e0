--- The products that a running depot knows: which devices may have a row, and what their product's mode is.
--
-- A product is registered by a command or the API, by a package in the folder,
-- and in an automatic depot by its first device. A device of another product is
-- answered "nothing", and gets no row. So is one over the limits, because strangers
-- must not fill the database: of each staged product a hundred devices a minute
-- that no list names get a row, and the depot has a million rows.
--
-- @module depot.registry

local products = require "depot.store.products"

local M = {}

local Registry = {}
Registry.__index = Registry

local A_MINUTE = 100 -- devices of a staged product that get a row in a minute, of those on no list
local MOST = 1000000 -- rows of devices
local MINUTE = 60000 -- ms

--- @tparam table parts store; mode (auto or staged, of new products); packages (function -> array of the catalog); keep
--   (function(modes): writes the file of depot.modes; or nil); most (rows of devices, MOST when absent)
function M.new(parts)
  return setmetatable({ store = parts.store, default = parts.mode, packages = parts.packages, keep = parts.keep,
    by_hash = {}, names = {}, most = parts.most or MOST, fresh = {} }, Registry)
end

--- Read the products.
-- @treturn true|nil nil, message, code
function Registry:read()
  local rows, message, code = self.store:products()
  if not rows then return nil, message, code end
  self.by_hash, self.names, self.rows = {}, {}, nil
  for _, product in ipairs(rows) do
    self.by_hash[product.hash] = product
    for _, name in ipairs(product.names) do self.names[name.cloud .. "\0" .. name.name] = true end
  end
  return true
end

--- The mode of a product: auto, staged or off; one that is not registered yet has that of new ones.
function Registry:mode(hash)
  local product = self.by_hash[hash]
  return product and products.mode_of(product) or self.default
end

--- The time zone of a product; nil: none was set.
function Registry:zone(hash) return self.by_hash[hash] and self.by_hash[hash].zone end

--- Whether a device is not admitted to a product that offers its packages to admitted ones only. One that a list names
-- meanwhile is admitted: the caller writes the row.
-- @tparam table row of the device, changed in place
function Registry:shuts_out(row)
  local product = self.by_hash[row.hash]
  if row.admitted == 1 or not product or product.admit ~= "listed" then return false end
  if not self:_is_listed(row, row.hash) then return true end -- nor if the store cannot tell
  row.admitted = 1
  return false
end

--- The modes of all: {[hash] = mode}.
function Registry:modes()
  local modes = {}
  for hash in pairs(self.by_hash) do modes[hash] = self:mode(hash) end
  return modes
end

-- The project of a product's packages; nil: there are none.
function Registry:_project(hash)
  for _, entry in ipairs(self.packages()) do
    if entry.manifest.product_key == hash then return entry.manifest.project or hash end
  end
end

function Registry:_add(hash, name, now)
  local product
  local ok, message, code = self.store:change()
  if ok then product, message, code = self.store:add_product(hash, name, self.default, now) end
  if not product then return nil, message, code end
  self.by_hash[hash] = product
  if self.keep then self.keep(self:modes()) end
  return product
end

-- What devices of a cloud are told by is remembered.
function Registry:_name(place, hash)
  local key = place.cloud .. "\0" .. place.product
  if self.names[key] then return true end
  local done, message, code = self.store:name_product(place.cloud, place.product, hash)
  if not done then return nil, message, code end
  self.names[key] = true
  return true
end

--- Register the products of packages, within change().
-- @treturn true|nil nil, message, code
function Registry:register(now)
  for _, entry in ipairs(self.packages()) do
    local hash = entry.manifest.product_key
    if hash and not self.by_hash[hash] then
      local ok, message, code = self:_add(hash, entry.manifest.project or hash, now)
      if not ok then return nil, message, code end
    end
  end
  return true
end

-- Whether a list names the device.
-- @treturn boolean|nil nil, message, code
function Registry:_is_listed(place, hash)
  for _, entry in ipairs(self.packages()) do
    if entry.manifest.product_key == hash and entry.devices and entry.devices[place.device] then return true end
  end
  local row, message, code = self.store:is_listed(hash, place.cloud, place.device)
  if row == nil then return nil, message, code end
  return row ~= false
end

-- Record how many devices of a product were turned away in the minute that is over.
function Registry:_note_turned_away(hash, minute)
  if minute.turned_away == 0 then return true end
  local text = ("%d reports of devices that no list names, over %d new devices a minute"):format(minute.turned_away,
    A_MINUTE)
  return self.store:note_event { at = minute.till, what = "turned away", hash = hash, text = text }
end

-- Whether this minute has room for one more device of a product.
-- @treturn boolean|nil nil, message, code
function Registry:_is_early(place, hash, now)
  local minute = self.fresh[hash]
  if not minute or now >= minute.till or now < minute.till - MINUTE then
    local ok, message, code = self:_note_turned_away(hash, minute or { turned_away = 0 })
    if not ok then return nil, message, code end
    minute = { till = now + MINUTE, count = 0, turned_away = 0 }
    self.fresh[hash] = minute
  end
  if minute.count < A_MINUTE then
    minute.count = minute.count + 1
    return true
  end
  local listed, message, code = self:_is_listed(place, hash)
  if listed == false then minute.turned_away = minute.turned_away + 1 end
  return listed, message, code
end

-- Whether a product is registered, perhaps by another process since the products were read.
-- @treturn boolean|nil nil, message, code
function Registry:_knows(hash)
  if self.by_hash[hash] then return true end
  local product, message, code = self.store:product(hash)
  if not product then return product, message, code end
  local ok
  ok, message, code = self:read()
  if not ok then return nil, message, code end
  return self.by_hash[hash] ~= nil
end

-- Whether there is room for a new row.
-- @treturn boolean|nil nil, message, code
-- @treturn string|nil with false: why not, for the operator
function Registry:_has_room()
  local message, code
  if not self.rows then self.rows, message, code = self.store:devices_known() end
  if not self.rows then return nil, message, code end
  if self.rows < self.most then return true end
  return false, ("the depot knows %d devices and takes in no more; `moult depot device forget` makes room")
    :format(self.rows)
end

-- Whether a device of a product that is registered may have a row now; as _has_room().
function Registry:_has_turn(place, hash, now)
  if self:mode(hash) == "auto" then return true end
  local early, message, code = self:_is_early(place, hash, now)
  if early ~= false then return early, message, code end
  return false, ("%s: more than %d new devices of product %s in a minute; the others have to report again, unless a "
    .. "list names them (`moult depot device add`)"):format(place.cloud, A_MINUTE, self.by_hash[hash].name)
end

--- Whether a device that was never heard of may have a row, within change().
-- @tparam table place cloud, product, device; configured: the depot's options name its product
-- @tparam string hash of its product
-- @tparam integer now ms
-- @treturn boolean|nil nil, message, code
-- @treturn string|nil with false: why not, for the operator
function Registry:admits(place, hash, now)
  local known, may, why, code
  known, why, code = self:_knows(hash)
  if known == nil then return nil, why, code end
  may, why, code = self:_has_room()
  if not may then return may, why, code end
  if not known then
    local is_told = self.default == "auto" or place.configured
    local name = self:_project(hash) or is_told and place.product
    if not name then
      return false, ("%s: devices of product %s report, which is not registered; `moult depot product add` registers "
        .. "it"):format(place.cloud, place.product)
    end
    may, why, code = self:_add(hash, name, now)
    if not may then return nil, why, code end
  end
  may, why, code = self:_has_turn(place, hash, now)
  if not may then return may, why, code end
  self.rows = self.rows + 1
  return self:_name(place, hash)
end

return M
