--- The releases in a depot's folder, and the end of one.
--
-- A release is a product's: its full package and its deltas share name and
-- sequence.
--
-- @module depot.acts.releases

local acts = require "depot.acts"
local choice = require "depot.choice"
local products = require "depot.products"
local rollout_acts = require "depot.rollout.acts"

local M = {}

-- What tells a release from others: a product may have one for each hardware.
local function key_of(manifest)
  local hardware = products.hardware(manifest)
  return ("%s %s %d%s"):format(manifest.product_key, manifest.release, manifest.sequence,
    hardware ~= "" and " " .. hardware or "")
end

--- What names a release in paths: it stays the same.
function M.id(world, manifest) return world.natives.digest.sha256(key_of(manifest)):sub(1, 16) end

--- A release as the audit names it.
-- @tparam table release of all()
function M.name(release) return ("release %s %d"):format(release.manifest.release, release.manifest.sequence) end

--- The releases of the folder, the newest first: {id, manifest, entries, withdrawn, disabled}.
function M.all(world)
  local list, seen = {}, {}
  for _, entry in ipairs(world.packages) do
    local manifest = entry.manifest
    local key = key_of(manifest)
    local release = seen[key]
    if not release then
      release = { id = M.id(world, manifest), manifest = manifest, entries = {}, withdrawn = entry.withdrawn,
        disabled = entry.disabled }
      seen[key], list[#list + 1] = release, release
    end
    table.insert(release.entries, entry)
  end
  table.sort(list, function(a, b)
    if a.manifest.project ~= b.manifest.project then return a.manifest.project < b.manifest.project end
    return a.manifest.sequence > b.manifest.sequence
  end)
  return list
end

--- The release that a package belongs to.
function M.of(world, entry)
  local id = M.id(world, entry.manifest)
  for _, release in ipairs(M.all(world)) do
    if release.id == id then return release end
  end
end

-- withdrawn, released (a rollout for all offers it), verified or uploaded.
local function stage_of(world, release, rollouts)
  if release.withdrawn then return "withdrawn" end
  local stage = "uploaded"
  for _, entry in ipairs(release.entries) do
    local digest = entry.manifest.digest
    local proof, message, code = world.store:is_verified(digest)
    if proof == nil then return nil, message, code end
    if proof and stage == "uploaded" then stage = "verified" end
    for _, rollout in ipairs(rollouts) do
      if rollout.package == digest and rollout.wave > 0 then stage = "released" end
    end
  end
  return stage
end

--- A release as an object for JSON.
-- @tparam table world
-- @tparam table release of all()
-- @tparam {table,...} rollouts of the store
-- @treturn table|nil nil, message, code
function M.object(world, release, rollouts)
  local stage, message, code = stage_of(world, release, rollouts)
  if not stage then return nil, message, code end
  local runs
  runs, message, code = world.store:running(release.manifest)
  if not runs then return nil, message, code end
  local m, names = release.manifest, world.natives.json.array {}
  for i, entry in ipairs(release.entries) do names[i] = entry.name end
  local note
  note, message, code = world.store:release_note(m)
  if not note then return nil, message, code end
  local null = world.natives.json.null
  return { id = release.id, text = note.text or null, security = note.security,
    support_until = note.support_until or null, project = m.project, release = m.release, sequence = m.sequence,
    stage = stage, enabled = not release.disabled, runs = runs, product_key = m.product_key, packages = names }
end

--- The version of the core that a delta is against; nil: it is a full package.
function M.source_core(manifest)
  for _, part in ipairs(manifest.parts) do
    if part.delta then return part.source_version end
  end
end

--- The full package of a release, which rollouts name; nil if only deltas are there.
function M.full(release)
  for _, entry in ipairs(release.entries) do
    if not choice.is_delta(entry.manifest) then return entry end
  end
end

--- The same, or the failure.
-- @treturn table|nil nil, message, code
function M.need_full(release)
  local entry = M.full(release)
  if entry then return entry end
  return nil, "the full package of this release is not in the folder", "missing"
end

local function end_rollouts(world, entry)
  local rollouts, message, code = world.store:rollouts()
  if not rollouts then return nil, message, code end
  for _, rollout in ipairs(rollouts) do
    if rollout.package == entry.manifest.digest then
      local ok
      ok, message, code = rollout_acts.apply(acts.parts(world), rollout, "withdrawn")
      if not ok then return nil, message, code end
    end
  end
  return true
end

-- End what is under way for it. What has begun cannot be called back.
local function withdraw(world, release)
  local now, jobs = acts.now(), 0
  local ok, message, code = world.store:withdraw(release.manifest, now)
  if ok then ok, message, code = world.store:settle_withdrawn(world.dir, now) end
  for _, entry in ipairs(ok and release.entries or {}) do
    local count
    ok, message, code = end_rollouts(world, entry)
    if not ok then return nil, message, code end
    count, message, code = world.store:end_package(entry.manifest.digest, now)
    if not count then return nil, message, code end
    jobs = jobs + count
  end
  if not ok then return nil, message, code end
  return jobs
end

-- Whether nothing runs, awaits or rolls out a release.
local function is_idle(world, release)
  local runs, message, code = world.store:running(release.manifest)
  if not runs then return nil, message, code end
  if runs > 0 then return nil, ("%d devices run this release"):format(runs), "refused" end
  local digests = {}
  for i, entry in ipairs(release.entries) do digests[i] = entry.manifest.digest end
  local where = world.store:where()
  where:any_of("package", digests)
  where:add "state IN ('pending', 'upgrading')"
  local rows
  rows, message, code = world.store:count(where, { "hash" })
  if not rows then return nil, message, code end
  if rows[1] then return nil, ("%d devices have a job of this release"):format(rows[1].n), "refused" end
  return true
end

--- Withdraw a release that nothing runs or waits for, and remove its files.
-- @treturn true|nil nil, message, code
function M.delete(world, release)
  local deleted, message, code = acts.change(world, function()
    local ok, why, word = is_idle(world, release)
    if ok then ok, why, word = withdraw(world, release) end
    return ok, why, word
  end, { verb = "release.delete", object = M.name(release), product = release.manifest.product_key })
  if not deleted then return nil, message, code end
  -- Withdrawn before its files go: a copy of them that comes back is not offered.
  for _, entry in ipairs(release.entries) do
    os.remove(entry.path)
    os.remove(entry.path .. ".devices")
  end
  return true
end

local function said(note)
  local parts = { note.security and "security" or nil }
  if note.support_until then parts[#parts + 1] = "supported until " .. note.support_until end
  parts[#parts + 1] = note.text
  return table.concat(parts, "; ")
end

-- Whether a text is a day of the calendar.
local function is_day(text)
  local year, month, day = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)$"
  return year ~= nil and os.date("%Y-%m-%d", os.time { year = year, month = month, day = day, hour = 12 }) == text
end

-- Devices that wait for it, and those that it is for.
local function wake(world, release)
  local now = acts.now()
  for _, entry in ipairs(release.entries) do
    local done, message, code = world.store:wake_package(entry.manifest.digest, now)
    if done and not choice.is_delta(entry.manifest) then done, message, code = world.store:make_due(entry, now) end
    if not done then return nil, message, code end
  end
  return true
end

-- Switch a release on or off, within change().
local function switch(world, release, enabled)
  if enabled == nil or enabled == not release.disabled then return true end
  local ok, message, code = world.store:switch_release(world.dir, release.manifest, enabled, acts.now())
  if ok and enabled then ok, message, code = wake(world, release) end
  if not ok then return nil, message, code end
  return acts.record(world, enabled and "release.enable" or "release.disable", M.name(release),
    { product = release.manifest.product_key })
end

--- Say what a release is about, or switch it on or off. One that is off is offered to nobody; what has begun goes on.
-- @tparam table world
-- @tparam table release of all()
-- @tparam table wishes text ("": none), security, support_until ("YYYY-MM-DD", "": nobody says), enabled (boolean);
--   nil: as before
-- @treturn true|nil nil, message, code, the name of the wish that is at fault
function M.note(world, release, wishes)
  local day = wishes.support_until
  if day and day ~= "" and not is_day(day) then
    return nil, "support_until: expected a day, as 2027-12-31", "usage", "support_until"
  end
  local act = { verb = "release.note", object = M.name(release), product = release.manifest.product_key }
  return acts.change(world, function()
    local note, message, code = world.store:release_note(release.manifest)
    if not note then return nil, message, code end
    act.before = said(note)
    if wishes.text then note.text = wishes.text ~= "" and wishes.text or nil end
    if wishes.security ~= nil then note.security = wishes.security end
    if day then note.support_until = day ~= "" and day or nil end
    act.after = said(note)
    act.idle = act.after == act.before
    local done
    done, message, code = world.store:note_release(release.manifest, note)
    if done then done, message, code = switch(world, release, wishes.enabled) end
    return done and true, message, code
  end, act)
end

--- Offer a release no more. There is no way back.
-- @treturn integer|nil how many jobs ended; nil, message, code
function M.withdraw(world, release)
  if release.withdrawn then return 0 end
  return acts.change(world, function() return withdraw(world, release) end, { verb = "release.withdraw",
    object = M.name(release), product = release.manifest.product_key })
end

return M
