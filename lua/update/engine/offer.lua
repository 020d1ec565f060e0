--- The offer of a verified package, as policy sees it.
--
-- Pure: takes a manifest and facts, returns the offer of lua/update/policy.lua.
-- What a cloud claims about a package is ignored: only the manifest counts.
--
-- @module update.engine.offer

local M = {}

local function part(manifest, kind)
  for _, row in ipairs(manifest.parts or {}) do
    if row.kind == kind then return row end
  end
end

--- Bytes of the package that are still to be fetched.
-- @tparam table manifest verified
-- @tparam integer size of the whole package, bytes
-- @tparam table|nil transaction the open one {sequence, release, done}
-- @tparam table|nil parts names of those that the device installs; nil: all
-- @treturn integer
function M.to_fetch(manifest, size, transaction, parts)
  local taken = {}
  for _, kind in ipairs(parts or {}) do taken[kind] = true end
  for _, row in ipairs(parts and manifest.parts or {}) do
    if not taken[row.kind] then size = size - row.data_size end
  end
  if not transaction or transaction.sequence ~= manifest.sequence or transaction.release ~= manifest.release then
    return size
  end
  return math.max(0, size - (transaction.done or 0))
end

--- Decode the maker's notes: replace the text in the manifest by a table.
-- @tparam table manifest changed
-- @tparam function decode of update.native.json
-- @treturn table manifest
function M.open_meta(manifest, decode)
  if manifest.meta_text then manifest.meta, manifest.meta_text = decode(manifest.meta_text), nil end
  return manifest
end

--- Make the offer.
-- @tparam table manifest verified, from update.native.package
-- @tparam table facts cloud (name), size (bytes of the package), transaction
--   (the open one or nil), parts (names of those that the device installs; nil:
--   all), permit and repair (boolean), fallback (boolean: a full package, because no delta
--   fits)
-- @treturn table the offer; this function does not fail
function M.of(manifest, facts)
  return {
    cloud = facts.cloud or "file",
    release = manifest.release,
    version = part(manifest, "script") and manifest.script_version or nil,
    core = part(manifest, "core") and { name = manifest.core_name, version = manifest.core_version } or nil,
    files = part(manifest, "files") and { version = manifest.files_version } or nil,
    hotfix = manifest.hotfix,
    sequence = manifest.sequence,
    size = facts.size,
    to_fetch = manifest.unsigned and 0 or M.to_fetch(manifest, facts.size, facts.transaction, facts.parts),
    unsigned = manifest.unsigned and true or nil,
    trigger = facts.trigger,
    permit = facts.permit or false, repair = facts.repair or false,
    meta = manifest.meta,
    fallback = facts.fallback or nil,
    manifest = manifest,
  }
end

--- An offer without manifest and notes, small enough for a line of the control socket.
-- @tparam table offer
-- @treturn table
function M.brief(offer)
  local out = {}
  for name, value in pairs(offer) do
    if name ~= "manifest" and name ~= "meta" then out[name] = value end
  end
  return out
end

--- What a release is known by, for people.
-- @tparam table row with `sequence`, or `unsigned`: how the SHA-256 of its bytes begins
-- @treturn string
function M.number_of(row)
  if type(row.unsigned) == "string" then return "unsigned " .. row.unsigned end
  return row.unsigned and "unsigned" or ("sequence %s"):format(row.sequence)
end

--- The versions that a hotfix is made for, for people.
-- @tparam table hotfix {base = {script, core, files}}
-- @treturn string "script 1.0.1"
function M.base_of(hotfix)
  local parts = {}
  for _, kind in ipairs { "script", "core", "files" } do
    if hotfix.base[kind] then parts[#parts + 1] = ("%s %s"):format(kind, hotfix.base[kind]) end
  end
  return table.concat(parts, ", ")
end

--- What a release or a hotfix is called.
-- @tparam table row offer or manifest
-- @treturn string
function M.name_of(row)
  return row.hotfix and ("hotfix %s %s"):format(row.hotfix.name, row.hotfix.version) or row.release
end

--- One line for people and logs.
-- @tparam table offer
-- @treturn string
function M.describe(offer)
  local parts = {}
  if offer.version then parts[#parts + 1] = "script " .. offer.version end
  if offer.files then parts[#parts + 1] = "files " .. offer.files.version end
  if offer.hotfix then parts[#parts + 1] = ("for %s"):format(M.base_of(offer.hotfix)) end
  if offer.core then parts[#parts + 1] = ("core %s %d"):format(offer.core.name, offer.core.version) end
  return ("%s (%s: %s; %d bytes)"):format(M.name_of(offer), M.number_of(offer), table.concat(parts, ", "), offer.size)
end

--- Whether a location is a URL, not a path. A URL with an unknown scheme also counts, so that fetching refuses it and
-- its password is not shown as part of a path.
function M.is_url(location)
  return location:find("^%a[%w+.-]*://") ~= nil
end

return M
