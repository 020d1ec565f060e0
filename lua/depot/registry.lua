--- The products that a running depot knows: which devices may have a row, and what their product's mode is.
--
-- A product is registered by a command or the API, by a package in the folder,
-- and in an automatic depot by its first device. A device of another product is
-- answered "nothing", and gets no row.
--
-- @module depot.registry

local products = require "depot.store.products"

local M = {}

local Registry = {}
Registry.__index = Registry

--- @tparam table parts store; mode (auto or staged, of new products); packages (function -> array of the catalog); keep
--   (function(modes): writes the file of depot.modes; or nil)
function M.new(parts)
  return setmetatable({ store = parts.store, default = parts.mode, packages = parts.packages, keep = parts.keep,
    by_hash = {}, names = {}, strangers = 0 }, Registry)
end

--- Read the products.
-- @treturn true|nil nil, message, code
function Registry:read()
  local rows, message, code = self.store:products()
  if not rows then return nil, message, code end
  self.by_hash, self.names = {}, {}
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

--- Whether a device that was never heard of may have a row, within change().
-- @tparam table place cloud, product, device; configured: the depot's options name its product
-- @tparam string hash of its product
-- @tparam integer now ms
-- @treturn boolean|nil nil, message, code
function Registry:admits(place, hash, now)
  if not self.by_hash[hash] then
    local is_told = self.default == "auto" or place.configured
    local name = self:_project(hash) or is_told and place.product
    if not name then
      self.strangers = self.strangers + 1
      return false
    end
    local added, message, code = self:_add(hash, name, now)
    if not added then return nil, message, code end
  end
  return self:_name(place, hash)
end

return M
