--- What the admin server knows: the store and the packages of the folder, both as they are now.
--
-- It has a connection to the database of its own, as an action of the command
-- line has, and works whether a depot serves the folder or not.
--
-- @module depot.api.world

local acts = require "depot.acts.products"
local catalog = require "depot.catalog"
local disabled = require "depot.disabled"
local releases = require "depot.releases"
local store = require "depot.store"

local M = {}

local LOOK = 2         -- seconds between two looks at the folder
local PATIENCE = 2000  -- ms to wait for another process that writes

local World = {}
World.__index = World

--- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] string keys as depot.catalog takes it
-- @treturn table|nil world; nil, message, code
function M.open(natives, dir, keys)
  local kept, message, code = store.open(natives, dir, PATIENCE)
  if not kept then return nil, message, code end
  local self = setmetatable({ natives = natives, dir = dir, store = kept, packages = {}, by_digest = {},
    catalog = catalog.new(natives, dir, keys), next_look = 0, opts = {} }, World)
  self.top = self
  self:refresh()
  return self
end

function World:_look(now)
  local changes = self.catalog:refresh()
  self.next_look = now + (self.catalog.unfinished and 0 or LOOK)
  if not changes then return end -- what was known stays
  self.packages, self.by_digest, self.version = self.catalog:packages(), {}, nil
  for _, entry in ipairs(self.packages) do self.by_digest[entry.manifest.digest] = entry end
end

--- See what has changed.
function World:refresh()
  local now = self.natives.loop.now()
  if now >= self.next_look then self:_look(now) end
  local version = self.store:version()
  if version == self.version then return end
  local withdrawn, off = self.store:withdrawn(), self.store:disabled()
  if withdrawn and off then
    releases.mark(self.packages, withdrawn)
    disabled.mark(self.packages, off)
    self.version = version
  end
end

local SEEN = 5 -- seconds for which the products of devices are remembered: counting reads every device

-- Add what is known of a product: by the hash of its key, and by its clear name if that is no other's.
local function add(known, hash, name)
  local product = known[hash]
  if not product then
    product = { product_key = hash, name = name or hash:sub(1, 8), clouds = {}, devices = 0, releases = 0,
      enabled = true, unsigned = false, admit = "open", registered = false, names = {} }
    known[hash] = product
  end
  return product
end

function World:_count_products()
  local known, rows = {}, nil
  local registered, message, code = self.store:products()
  if registered then rows, message, code = self.store:products_seen() end
  if not rows then return nil, message, code end
  for _, row in ipairs(registered) do
    local product = add(known, row.hash, row.name)
    product.mode, product.enabled, product.zone = row.mode, row.enabled == 1, row.zone
    product.unsigned, product.admit, product.registered = row.unsigned == 1, row.admit, true
    product.made = row.made > 0 and row.made // 1000 or nil
    for i, name in ipairs(row.names) do product.names[i] = { cloud = name.cloud, name = name.name } end
    product.unadmitted, message, code = acts.unadmitted(self, row)
    if not product.unadmitted then return nil, message, code end
  end
  for _, row in ipairs(rows) do
    local product = add(known, row.hash, row.product)
    product.devices = product.devices + row.n
    table.insert(product.clouds, { cloud = row.cloud, product = row.product, devices = row.n })
  end
  for _, entry in ipairs(self.packages) do
    local product = add(known, entry.manifest.product_key, entry.manifest.project)
    product.releases = product.releases + 1
    product.project = entry.manifest.project
  end
  for _, product in pairs(known) do
    product.clouds, product.names = self.natives.json.array(product.clouds), self.natives.json.array(product.names)
  end
  return known
end

--- The products of packages and devices, by the hash of their key.
-- @treturn {[hash] = {product_key, name, mode (nil: open), enabled, unsigned, project, clouds, devices, releases,
--   registered, names (by which clouds know it), made (seconds, or nil), unadmitted (JSON's null, unless it admits only
--   some)}}|nil nil, message, code
function World:products()
  local now, top = self.natives.loop.now(), self.top
  if top.known and now < top.known_till and top.known_of == top.packages then return top.known end
  local known, message, code = self:_count_products()
  if not known then return nil, message, code end
  top.known, top.known_till, top.known_of = known, now + SEEN, top.packages
  return known
end

--- How a product's devices stand, as depot.store has it; what a page asks twice is counted once. A change of
-- our own forgets it.
-- @treturn table|nil nil, message, code
function World:standing(hash)
  local now, top = self.natives.loop.now(), self.top
  local kept = top.stood
  if kept and kept.hash == hash and kept.at == now and kept.version == self.store:version() then return kept.found end
  local found, message, code = self.store:standing(hash)
  if not found then return nil, message, code end
  top.stood = { hash = hash, at = now, version = self.store:version(), found = found }
  return found
end

--- The world for one call: the same, with who acts.
-- @tparam table fields actor; opts, plan, priority, filter as the acts take them
function World:with(fields) return setmetatable(fields, { __index = self }) end

function World:close() self.store:close() end

return M
