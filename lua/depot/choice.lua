--- Which package a device gets that tells no more than its release.
--
-- Pure. A package belongs to the product whose key hashes to its product_key.
-- Only full packages are offered: nothing here tells which core a device runs,
-- so whether a delta fits is not known.
--
-- @module depot.choice

local version = require "update.version"

local M = {}

--- Whether a package can only be installed over one certain core.
local function is_delta(manifest)
  for _, part in ipairs(manifest.parts) do
    if part.delta then return true end
  end
  return false
end
M.is_delta = is_delta

--- Whether a package may be offered to a device.
-- @tparam table entry of the catalog
-- @tparam table row hash (SHA-256 of the product, hex), device
function M.fits(entry, row)
  return entry.manifest.product_key == row.hash and not is_delta(entry.manifest)
    and (not entry.devices or entry.devices[row.device] == true)
end

--- The newest package of a product, for its devices or for one of them.
-- @tparam {table,...} packages of the catalog
-- @tparam string hash SHA-256 of the product, hex
-- @tparam[opt] string device
-- @treturn table|nil entry
function M.newest(packages, hash, device)
  local best
  for _, entry in ipairs(packages) do
    local fits = device and M.fits(entry, { hash = hash, device = device })
      or not device and entry.manifest.product_key == hash and not is_delta(entry.manifest)
    if fits and (not best or entry.manifest.sequence > best.manifest.sequence) then
      best = entry
    end
  end
  return best
end

-- VERSION and core of a release that is named after them: "1.0.1", "1.0.1-V22".
local function read_release(text)
  local script, core = text:match "^(%d+%.[%d.]*%d)%-V(%d+)$"
  return script or text:match "^%d+%.[%d.]*%d$", core or "0"
end

-- Whether a release is older than another; taken to be when the names do not tell.
local function is_lower(release, than)
  local script, core = read_release(release)
  local their_script, their_core = read_release(than)
  if not script or not their_script then return true end
  local order = version.compare(script, their_script)
  return order < 0 or order == 0 and version.compare(core, their_core) < 0
end

-- Whether a device runs something that is not older than the newest package: by sequence when the catalog has what it
-- runs, else as far as dotted versions tell.
local function is_current(packages, row, newest)
  local known = false
  for _, entry in ipairs(packages) do
    local manifest = entry.manifest
    if manifest.product_key == row.hash and (manifest.release == row.release or manifest.release == row.other) then
      if manifest.sequence >= newest.sequence then return true end
      known = true
    end
  end
  return not known and not is_lower(row.release, newest.release)
end

local function job_of(entry, kind)
  return { package = entry.manifest.digest, target = entry.manifest.release, kind = kind }
end

local function covers(rollout, row)
  return rollout.hash == row.hash
    and (not rollout.cloud or rollout.cloud == row.cloud)
    and (not rollout.product or rollout.product == row.product)
    and (not rollout.source or rollout.source == row.release or rollout.source == row.other)
end

--- The job of a device that has none.
-- @tparam table row of the device
-- @tparam table known packages (array of the catalog), by_digest ({[digest] = entry}), rollouts (the newest first),
--   auto (true: the newest package is for everyone)
-- @treturn table|nil {package, target, kind}
function M.job(row, known)
  for _, rollout in ipairs(known.rollouts) do
    local entry = covers(rollout, row) and known.by_digest[rollout.package]
    if entry and M.fits(entry, row) then return job_of(entry, "batch") end
  end
  local newest = known.auto and M.newest(known.packages, row.hash, row.device)
  if newest and row.release and not is_current(known.packages, row, newest.manifest) then
    return job_of(newest, "auto")
  end
end

return M
