--- An index of the packages by product, so that finding a device's package need not go through all of them.
--
-- Pure except for a cache: the index of an array of packages is kept as long as
-- the array. When packages change, the caller makes a new array.
--
-- @module depot.products

local M = {}

local memory = setmetatable({}, { __mode = "k" })

local NONE = { list = {}, releases = {}, hardware = 0 }

-- The newest first; those of one sequence in their old order.
local function sort(list, place)
  table.sort(list, function(a, b)
    local x, y = a.manifest.sequence, b.manifest.sequence
    return x > y or x == y and place[a] < place[b]
  end)
end

--- What tells the hardware list of a release from others; "": it is for any hardware.
function M.hardware(manifest)
  local names = table.move(manifest.hardware or {}, 1, #(manifest.hardware or {}), 1, {})
  table.sort(names)
  return table.concat(names, "\0")
end

-- Count a product's hardware lists.
local function count_hardware(product)
  local seen = { [""] = true }
  for _, entry in ipairs(product.list) do
    local key = M.hardware(entry.manifest)
    if not seen[key] then seen[key], product.hardware = true, product.hardware + 1 end
  end
end

local function index(packages)
  local products, place = {}, {}
  for i, entry in ipairs(packages) do
    local key, release = entry.manifest.product_key or "", entry.manifest.release
    local product = products[key] or { list = {}, releases = {}, hardware = 0 }
    products[key], place[entry] = product, i
    table.insert(product.list, entry)
    product.releases[release] = math.max(product.releases[release] or 0, entry.manifest.sequence)
  end
  for _, product in pairs(products) do
    sort(product.list, place)
    count_hardware(product)
  end
  return products
end

--- The packages of a product.
-- @tparam {table,...} packages of the catalog; must not change afterwards
-- @tparam string key SHA-256 of the product, hex
-- @treturn table {list (the newest first), releases = {[release] = its highest sequence}, hardware = how many different
--   lists of hardware its releases have}, the same table each time
function M.of(packages, key)
  if #packages == 0 then return NONE end
  local seen = memory[packages]
  if not seen then
    seen = index(packages)
    memory[packages] = seen
  end
  return seen[key] or NONE
end

return M
