--- What a device may have: the newest release that a rollout gives it, or the automatic mode.
--
-- Pure, and the only place where that is decided. A rollout gives its release
-- to the devices that it covers, wave by wave, while it makes offers. If several
-- do, the highest sequence wins.
--
-- @module depot.grants

local choice = require "depot.choice"
local filters = require "depot.filter"
local jobs = require "depot.jobs"
local life = require "depot.rollout.life"
local places = require "depot.rollout.place"

local M = {}

--- Whether a rollout is for a device, in whichever wave.
-- @tparam table rollout of depot.store
-- @tparam table row of a device
-- @tparam[opt] table about tags and groups, as depot.filter asks for them
function M.covers(rollout, row, about)
  return rollout.hash == row.hash
    and (not rollout.cloud or rollout.cloud == row.cloud)
    and (not rollout.product or rollout.product == row.product)
    and (not rollout.source or rollout.source == row.release or rollout.source == row.other)
    and (not rollout.filter or rollout.means ~= nil and filters.means(rollout.means, row, nil, about))
end

--- The wave of a rollout that a device belongs to.
-- @tparam table rollout
-- @tparam table entry of the catalog: the rollout's package
-- @tparam string device its name
-- @tparam function sha256 function(text) -> hex
function M.wave(rollout, entry, device, sha256)
  local waves = rollout.plan.waves
  if #waves == 1 then return 1 end
  return places.wave(waves, places.of(sha256, rollout.hash, entry.manifest.sequence, device))
end

-- How what a device runs compares with a release.
local function order_of(row, manifest, known)
  if known.order then return known.order(manifest) end
  return choice.order(known.packages, row, manifest.release, manifest.sequence)
end

-- The job that the automatic mode gives a device; its rollout, one a product, may be paused.
local function of_auto(row, known)
  local newest = known.mode(row.hash) == "auto" and choice.newest(known.packages, row.hash, row)
  if not newest then return nil end
  local manifest, id = newest.manifest, nil
  for _, rollout in ipairs(known.rollouts) do
    if rollout.kind == "auto" and rollout.hash == row.hash then
      if not life.is_offering(rollout) then return nil end
      id = rollout.id
    end
  end
  if order_of(row, manifest, known) ~= "older" then return nil end
  return { package = manifest.digest, target = manifest.release, kind = "auto", rollout = id, wave = id and 1,
    sequence = manifest.sequence }
end

-- The job that one rollout gives a device; nil: none, and why.
local function of_rollout(rollout, row, known)
  if rollout.kind == "auto" or not M.covers(rollout, row, known.about) then return nil, "not covered" end
  local entry = known.by_digest[rollout.package]
  if not entry then return nil, "no package" end
  if not choice.fits(known.packages, entry, row) then
    return nil, entry.disabled and "disabled" or choice.lacks_hardware(known.packages, row) and "hardware unknown"
      or choice.is_listed(entry, row.device) and "other hardware" or "not on the list"
  end
  local manifest = entry.manifest
  local order = order_of(row, manifest, known)
  -- An operator who names the release to be replaced knows that it is older.
  if order ~= "older" and (order or not rollout.source) then return nil, order and "newer" or "unordered" end
  -- Fixed members were named by a person, admitted or not.
  local is_fixed = rollout.plan.members == "fixed"
  if is_fixed and not known.is_member(rollout, row) then return nil, "not covered" end
  if not is_fixed and known.shuts_out(row) then return nil, "not admitted" end
  local wave = M.wave(rollout, entry, row.device, known.sha256)
  if not life.is_offering(rollout) then return nil, rollout.state, wave end
  if wave > rollout.wave then return nil, "wave", wave end
  return { package = manifest.digest, target = manifest.release, kind = "batch", rollout = rollout.id, wave = wave,
    sequence = manifest.sequence, priority = rollout.priority }
end
M.of_rollout = of_rollout

local function is_better(job, best)
  if not best or job.sequence ~= best.sequence then return not best or job.sequence > best.sequence end
  return job.priority > best.priority
end

--- The job that a device gets if it has none.
-- @tparam table row of the device
-- @tparam table known packages (array of the catalog), by_digest ({[digest] = entry}), rollouts (the newest first),
--   mode (function(hash) -> of the product: auto, staged or off), is_member (function(rollout, row) -> boolean, asked
--   for fixed members), sha256 (function(text) -> hex), about (tags and groups, as depot.filter asks for them),
--   shuts_out (function(row) -> whether the product is for admitted devices and this is none)
-- @tparam[opt] function known.order (manifest) -> "older", "same", "newer" or nil: if not the device's release tells
-- @treturn table|nil {package, target, kind, and if a rollout gives it: rollout, wave}
function M.of(row, known)
  if known.mode(row.hash) == "off" then return nil end
  local best
  for _, rollout in ipairs(known.rollouts) do
    local job = of_rollout(rollout, row, known)
    if job and is_better(job, best) then best = job end
  end
  local auto = of_auto(row, known)
  if auto and (not best or auto.sequence > best.sequence) then return auto end
  return best
end

--- Whether a device runs something older than the target that it had reached. A release that cannot be compared counts
-- as older.
function M.fell_back(row, known)
  if row.state ~= "succeeded" or not row.package or jobs.has(row, row.target) then return false end
  local entry = known.by_digest[row.package]
  if known.order then return entry ~= nil and known.order(entry.manifest) == "older" end
  local order = choice.order(known.packages, row, row.target, entry and entry.manifest.sequence)
  return order == nil or order == "older"
end

--- Whether a device runs something newer than the target of its open job.
function M.is_overtaken(row, known)
  local entry = jobs.is_open(row) and known.by_digest[row.package]
  return entry and not known.order and not jobs.has(row, row.target)
    and choice.order(known.packages, row, row.target, entry.manifest.sequence) == "newer"
end

--- Whether a job replaces the open one. A job of `verify` is the operator's and is left alone.
function M.supersedes(row, job, known)
  if not job or not jobs.is_open(row) or row.kind == "verify" or job.package == row.package then return false end
  local old, new = known.by_digest[row.package], known.by_digest[job.package]
  return not old or new.manifest.sequence > old.manifest.sequence
end

return M
