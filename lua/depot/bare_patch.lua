--- A patch that nobody signed, as the vendor's console takes them: a bare .zip or .bin, for a product that allows it.
--
-- The device decides once more: it takes one only from a cloud that its owner names in trust.unsigned. So the depot
-- looks at what a device tells the two kinds by, and leaves the rest to the verification on a device.
--
-- @module depot.bare_patch

local products = require "depot.acts.products"
local qinglian = require "update.cloud.qinglian"
local unsigned = require "update.cloud.unsigned"

local M = {}

local PACKAGE = "manifest.json" -- with which a package begins
local ZIP, ARCHIVE = "PK", "PK\3\4"

local function read(path, size)
  local file <close>, why = io.open(path, "rb")
  if not file then return nil, why, "missing" end
  local data, fault = file:read(size)
  if fault then return nil, ("%s: %s"):format(path, fault), "corrupt" end
  return data or ""
end

--- Whether a file may be a bare patch: it is no package, and named .zip or .bin.
-- @tparam string path
-- @tparam string name of the file, as it was given
function M.is_bare(path, name)
  local kind = name:lower():match "%.(%a+)$"
  local data = (kind == "zip" or kind == "bin") and read(path, #PACKAGE)
  return data and data ~= PACKAGE
end

-- Whether the cloud and a package can name it so.
local function is_fit(named)
  for _, text in ipairs { named.name, named.version } do
    if text:find "/" or text == "." or text == ".." then return false end
  end
  return qinglian.named { n = named.name, v = named.version } ~= nil
end

-- What is wrong with the bytes; nil: nothing that the depot can see.
local function fault_of(data, named)
  if #data == 0 then return "is empty", "corrupt" end
  if #data > unsigned.MOST then
    return ("is larger than %d bytes, which is all that a device takes unsigned"):format(unsigned.MOST), "nospace"
  elseif not named.opaque and data:sub(1, #ARCHIVE) ~= ARCHIVE then
    return "is no zip archive", "corrupt"
  elseif named.opaque and data:sub(1, #ZIP) == ZIP then
    return "begins as a zip archive does, which devices would unpack; name it .zip", "incompatible"
  end
end

-- The product, if it takes unsigned patches.
local function product_of(world, name, text)
  if not text then
    return nil, ("%s: nobody signed it; name its product by --product, or sign it: moult pack"):format(name),
      "untrusted"
  end
  local product, message, code = products.find(world, text)
  if not product then return nil, message, code end
  if product.unsigned == 1 then return product end
  return nil, ("%s: nobody signed it, and product %s takes signed patches only; sign it: moult pack, or allow it: "
    .. "moult depot product set DIR %s --unsigned yes"):format(name, product.name, product.name), "untrusted"
end

--- What depot.acts.patches takes in, in the place of a verified manifest.
-- @tparam table world
-- @tparam string path where the bytes are
-- @tparam string name of the file: NAME_VERSION.zip or NAME_VERSION.bin
-- @tparam string|nil product its name, key or hash
-- @treturn table|nil product_key, digest, hotfix = {name, version}, unsigned (SHA-256 of the bytes); nil, message, code
function M.manifest(world, path, name, product)
  local owner, message, code = product_of(world, name, product)
  if not owner then return nil, message, code end
  local named
  named, message, code = unsigned.named(name)
  if not named then return nil, message, code end
  if not is_fit(named) then
    return nil, ("%s: name and version take printable ASCII without blanks, \", / and \\"):format(
      world.natives.printable.text(name)), "usage"
  end
  local data
  data, message, code = read(path, unsigned.MOST + 1)
  if not data then return nil, message, code end
  message, code = fault_of(data, named)
  if message then return nil, ("%s %s"):format(name, message), code end
  local sha256 = world.natives.digest.sha256
  local sum = sha256(data)
  -- The file of a version is its own, though two may have the same bytes.
  return { product_key = owner.hash, unsigned = sum, hotfix = { name = named.name, version = named.version },
    digest = sha256(table.concat({ owner.hash, named.name, named.version, sum }, "\n")) }
end

return M
