--- Which packages fit a device that asks as Luat's do.
--
-- Pure except for a cache. Most devices ask what others have asked before, so
-- the packages that fit a kind of device are found once for each array, and a
-- query costs the same however many packages there are. Lists of devices are
-- checked each time.
--
-- @module depot.luat_fitting

local choice = require "depot.choice"
local products = require "depot.products"
local version = require "update.version"

local M = {}

local KINDS = 256 -- of devices in the cache of one array, at most

--- The result if there is no package.
M.NONE = { list = {}, by_tag = {} }

-- The name of the device's core, if its firmware belongs to `project`; "": it
-- gives none; nil: it belongs to another project.
local function core_of(firmware, project)
  if firmware == project then
    return ""
  end
  local start = project .. "_"
  return firmware:sub(1, #start) == start and firmware:sub(#start + 1) or nil
end

local function compare_script(asked, offered)
  if asked.version then
    return version.compare(offered, asked.version)
  end
  local major, minor = offered:match("^([^.]+)"), offered:match("([^.]+)$")
  local order = version.compare(major, asked.major)
  return order ~= 0 and order or version.compare(minor, asked.minor)
end

local function has_override(manifest, rule)
  for _, name in ipairs(manifest.override or {}) do
    if name == rule then
      return true
    end
  end
  return false
end

-- The part of a package that is a delta; nil: it is a full one.
local function delta_of(manifest)
  for _, part in ipairs(manifest.parts) do
    if part.delta then
      return part
    end
  end
end
M.delta_of = delta_of

-- A delta is for one core, and for those who ask for deltas.
local function suits_source(manifest, asked)
  local delta = delta_of(manifest)
  return not delta or asked.deltas and asked.core_version ~= nil and asked.core_version == delta.source_version
end

-- Whether the package is made for the core of that name, in any version.
local function names_core(manifest, core)
  return (not manifest.core_name or manifest.core_name == core)
    and (not manifest.requires_core or manifest.requires_core == core)
end

local function suits_number(manifest, number)
  return not manifest.requires_core or number ~= nil and number >= (manifest.requires_version or 0)
end

-- Whether the package has exactly the script that the device runs, even in its build; LuatOS does not send the build.
local function has_build(manifest, asked)
  return asked.version ~= nil and manifest.script_version ~= nil
    and version.same(manifest.script_version, asked.version)
end

-- The sequence of the release that the device runs, if there is a package of it; else nil.
local function sequence_of(entries, asked)
  local found
  for _, entry in ipairs(entries) do
    local m = entry.manifest
    if has_build(m, asked) and (not m.core_name or m.core_version == asked.core_version) then
      found = math.max(found or 0, m.sequence)
    end
  end
  return found
end

-- Whether the package is newer than what the device runs. With the override
-- "version" it need only differ. Of two builds of one version the one with the
-- higher sequence is newer.
local function is_newer(manifest, asked, sequence)
  local script = manifest.script_version and compare_script(asked, manifest.script_version) or 0
  local core = manifest.core_name and manifest.core_version - (asked.core_version or -1) or 0
  if has_override(manifest, "version") then
    return script ~= 0 or core ~= 0
  elseif script == 0 and core == 0 then
    return sequence ~= nil and manifest.sequence > sequence and not has_build(manifest, asked)
  end
  return script >= 0 and core >= 0
end

-- In bytes, to choose between the packages of a release. It is worth waiting for a delta, but not for a full package.
local function cost(entry)
  if entry.pending then
    return delta_of(entry.manifest) and 0 or math.huge
  end
  return entry.size
end

local function better(best, entry)
  if not best then return entry end
  local later, sequence = entry.manifest.sequence, best.manifest.sequence
  if later == sequence and (delta_of(entry.manifest) or delta_of(best.manifest)) then
    return cost(entry) < cost(best) and entry or best
  end
  return later > sequence and entry or best
end

-- The sequence of the newest package with the files that the device has; nil if there is none.
local function sequence_of_files(entries, asked)
  local found
  for _, entry in ipairs(entries) do
    local m = entry.manifest
    if asked.files_version and m.files_version == asked.files_version then found = math.max(found or 0, m.sequence) end
  end
  return found
end

-- Whether a package of files alone has others than the device. No VERSION says it, so the device does; one that does
-- not takes none.
local function has_new_files(manifest, asked, sequence)
  return asked.files_version and manifest.files_version ~= asked.files_version
    and (not sequence or manifest.sequence > sequence)
end

local function find(entries, asked)
  local found, sequence = { project = true, list = {}, by_tag = {} }, sequence_of(entries, asked)
  local files_sequence = sequence_of_files(entries, asked)
  for _, entry in ipairs(entries) do
    local manifest = entry.manifest
    local core = core_of(asked.firmware, manifest.project)
    if core and names_core(manifest, core) then
      found.firmware = true
      local newer
      if manifest.files_version and not manifest.script_version then
        newer = has_new_files(manifest, asked, files_sequence)
      else
        newer = is_newer(manifest, asked, sequence)
      end
      if newer and suits_source(manifest, asked) and suits_number(manifest, asked.core_version) then
        found.list[#found.list + 1] = entry
        if entry.tag then found.by_tag[entry.tag] = entry end
      end
    end
  end
  return found
end

local memory = setmetatable({}, { __mode = "k" }) -- by the table that products.of() returns

--- The packages that fit a device.
-- @tparam {table,...} entries of the catalog; must not change afterwards
-- @tparam table asked as from depot.luat.parse()
-- @tparam string key SHA-256 of the product, hex
-- @treturn table {project, firmware (whether there is any package for it), list (the newest first), by_tag}
function M.of(entries, asked, key)
  local product = products.of(entries, key)
  if #product.list == 0 then return M.NONE end
  local seen = memory[product]
  if not seen then
    seen = { kinds = {}, count = 0 }
    memory[product] = seen
  end
  local kind = table.concat({ asked.firmware, tostring(asked.core_version), tostring(asked.deltas),
    tostring(asked.version), tostring(asked.major), tostring(asked.minor), tostring(asked.files_version) }, "\0")
  local found = seen.kinds[kind]
  if not found then
    if seen.count == KINDS then seen.kinds, seen.count = {}, 0 end
    found = find(product.list, asked)
    seen.kinds[kind], seen.count = found, seen.count + 1
  end
  return found
end

--- The package that a device gets.
-- @tparam table known as from of()
-- @tparam table coming the same for packages that are being made
-- @tparam string id of the device
-- @tparam[opt] string begun entity tag of a package that it has a part of
-- @treturn table|nil entry
-- @treturn boolean whether another one would fit if the device were on its list
function M.best(known, coming, id, begun)
  local best, unlisted = begun and known.by_tag[begun], false
  if best and choice.is_listed(best, id) then return best, false end -- begun, so it may end
  best = nil
  for _, found in ipairs { known, coming } do
    for _, entry in ipairs(found.list) do
      if best and entry.manifest.sequence < best.manifest.sequence then break end
      if choice.is_for(entry, id) then
        best = better(best, entry)
      elseif choice.is_offered(entry) then
        unlisted = true
      end
    end
  end
  return best, unlisted
end

return M
