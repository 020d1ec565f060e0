--- The packages of a folder by their product, so that nobody goes through all of them for each device.
--
-- Pure, but for a memory: what was made of an array of packages is kept as long
-- as that is; whoever has other packages has another array.
--
-- @module depot.products

local M = {}

local memory = setmetatable({}, { __mode = "k" })

local NONE = { list = {}, releases = {} }

-- The newest first; those of one sequence as they came.
local function sort(list, place)
  table.sort(list, function(a, b)
    local x, y = a.manifest.sequence, b.manifest.sequence
    return x > y or x == y and place[a] < place[b]
  end)
end

local function index(packages)
  local products, place = {}, {}
  for i, entry in ipairs(packages) do
    local key, release = entry.manifest.product_key or "", entry.manifest.release
    local product = products[key] or { list = {}, releases = {} }
    products[key], place[entry] = product, i
    table.insert(product.list, entry)
    product.releases[release] = math.max(product.releases[release] or 0, entry.manifest.sequence)
  end
  for _, product in pairs(products) do
    sort(product.list, place)
  end
  return products
end

--- What there is for a product.
-- @tparam {table,...} packages of the catalog; not changed afterwards
-- @tparam string key SHA-256 of the product, hex
-- @treturn table {list (the newest first), releases = {[release] = its highest sequence}}, the same one each time
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
