--- Which package a device over MQTT gets. It reports only its release.
--
-- Pure. A package belongs to the product whose key hashes to its product_key.
-- Only full packages are offered: these devices do not report their core, so
-- the depot cannot know whether a delta fits. Nor can it tell by a release that each device names itself;
-- but terminals tell the version of their files.
--
-- @module depot.choice

local products = require "depot.products"
local version = require "update.version"

local M = {}

--- Whether a package holds a delta, which installs over one core only.
local function is_delta(manifest)
  for _, part in ipairs(manifest.parts) do
    if part.delta then return true end
  end
  return false
end
M.is_delta = is_delta

--- Whether a device is on the list of a package, if that has one.
function M.is_listed(entry, device) return not entry.devices or entry.devices[device] == true end

--- Whether a package is offered at all: neither withdrawn nor switched off.
function M.is_offered(entry) return not entry.withdrawn and not entry.disabled end

--- Whether a package is for a device at all: offered, and for everybody or for those on its list.
function M.is_for(entry, device) return M.is_offered(entry) and M.is_listed(entry, device) end

--- Whether nothing can be offered to a device because its hardware is not known: its product has releases for several.
-- @tparam {table,...} packages of the catalog
-- @tparam table row hash, hardware
function M.lacks_hardware(packages, row)
  return (row.hardware or "") == "" and products.of(packages, row.hash).hardware > 1
end

--- Whether a package is for the hardware of a device. The device refuses what is not for it, so one whose hardware is
-- not known may be offered the only kind that there is.
-- @tparam {table,...} packages of the catalog
-- @tparam table entry of them
-- @tparam table row hash, hardware
local function suits(packages, entry, row)
  local list = entry.manifest.hardware or {}
  if (row.hardware or "") == "" then return not M.lacks_hardware(packages, row) end
  for _, name in ipairs(list) do
    if name == row.hardware then return true end
  end
  return #list == 0
end

M.suits = suits

--- Whether a package may be offered to a device.
-- @tparam {table,...} packages of the catalog
-- @tparam table entry of them
-- @tparam table row hash (SHA-256 of the product, hex), device, cloud, hardware
function M.fits(packages, entry, row)
  return entry.manifest.product_key == row.hash and not is_delta(entry.manifest)
    and (not entry.unnamed or row.cloud == "terminal") and M.is_for(entry, row.device)
    and suits(packages, entry, row)
end

--- The newest package of a product, for its devices or for one of them.
-- @tparam {table,...} packages of the catalog
-- @tparam string hash SHA-256 of the product, hex
-- @tparam[opt] table row of a device
-- @treturn table|nil entry
function M.newest(packages, hash, row)
  for _, entry in ipairs(products.of(packages, hash).list) do
    if row and M.fits(packages, entry, row)
        or not row and M.is_offered(entry) and not is_delta(entry.manifest) and not entry.unnamed then
      return entry
    end
  end
end

-- Script version and core of a release that is named after them: "1.0.1", "1.0.1-V22". A single number could mean
-- anything, so it is not read as a version.
local function read_release(text)
  local script, core = text:match "^(.+)%-V(%d+)$"
  script = script or text
  return script:find("^[vV]?%d+%.") and version.is(script) and script or nil, core or "0"
end

-- How a release compares with a target by version: "older", "same", "newer"; nil: versions do not tell. Two builds of
-- one version are not ordered.
local function by_version(release, target)
  if release == target then return "same" end
  local script, core = read_release(release)
  local their_script, their_core = read_release(target)
  if not script or not their_script then return nil end
  local order = version.compare(script, their_script)
  if order == 0 then order = version.compare(core, their_core) end
  if order == 0 and not version.same(script, their_script) then return nil end
  return order < 0 and "older" or order > 0 and "newer" or "same"
end

-- The same by sequence; nil: the catalog does not have both. If several packages have one release, the newest counts.
local function by_sequence(packages, hash, release, target, sequence)
  local theirs = products.of(packages, hash).releases[release]
  if not theirs or not sequence then return nil end
  if release == target or theirs == sequence then return "same" end
  return theirs < sequence and "older" or "newer"
end

--- How the release that a device runs compares with a target: by sequence if the catalog has it, else by version.
-- A device may report two names. Those that cannot be compared are ignored; if both can, the newer one counts.
-- @tparam {table,...} packages of the catalog
-- @tparam table row hash, release, other
-- @tparam string target release
-- @tparam[opt] integer sequence of the target
-- @treturn string|nil "older", "same", "newer"; nil: unknown
function M.order(packages, row, target, sequence)
  local found
  for _, name in ipairs { "release", "other" } do
    local release = row[name]
    local order = release
      and (by_sequence(packages, row.hash, release, target, sequence) or by_version(release, target))
    if order and order ~= "older" then return order end
    found = found or order
  end
  return found
end

--- Which devices cannot be compared with the newest package that fits them. They get an offer only from a batch that
-- names the release that they run.
-- @tparam {table,...} packages of the catalog
-- @treturn function(row) -> boolean
function M.unordered(packages)
  local seen, lists = {}, {}
  for _, entry in ipairs(packages) do
    if entry.devices then lists[entry.manifest.product_key] = true end
  end
  local function of(row)
    local newest = M.newest(packages, row.hash, row)
    return newest ~= nil and M.order(packages, row, newest.manifest.release, newest.manifest.sequence) == nil
  end
  return function(row)
    if not row.release then return false end
    if lists[row.hash] then return of(row) end
    -- What many devices have in common.
    local key = table.concat({ row.hash, row.release, row.other or "", row.hardware or "", row.cloud }, "\0")
    if seen[key] == nil then seen[key] = of(row) end
    return seen[key]
  end
end

return M
