--- The packages in a folder, and what their manifests say.
--
-- The folder may change at any time: packages are copied in and removed while
-- devices ask. A file is read again when its size or change time differs from
-- before. One that is incomplete, or that no key verifies, is listed as skipped
-- with the reason and read again once it changes. A package that ever had a
-- list stays limited, and one that is withdrawn or switched off is not offered (depot.catalog_bounds).
-- Effects go through `natives`: folder, loop, package, source, storage.
--
-- @module depot.catalog

local bounds = require "depot.catalog_bounds"
local device_list = require "depot.device_list"
local plausible = require "update.engine.plausible"
local trusted = require "depot.trusted"

local M = {}

local Catalog = setmetatable({}, { __index = bounds })
Catalog.__index = Catalog

--- Seconds for which a package is held back that appears without a list while the depot runs: whoever copies both may
-- copy the list second.
M.HOLD = 3

-- Seconds that one look may spend reading while devices are served. After a new key all packages are read again.
local READ = 0.03

--- A catalog of `dir`; empty until refresh() is called.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] string keys folder of public keys, or one .pub file; else dir when it has *.pub, else dir/keys
-- @tparam[opt] number hold seconds, given by a depot that serves the folder (M.HOLD). Without it nothing is held back,
--   and the list of limited packages is not written
-- @tparam[opt] boolean reads_only another process of the depot writes that list
function M.new(natives, dir, keys, hold, reads_only)
  return setmetatable({ natives = natives, dir = dir, keys = keys, hold = hold, reads_only = reads_only, entries = {},
    known = {}, faults = {} }, Catalog)
end

--- Whether a file name is that of a package. A package is a tar file, and some vendors' consoles accept only that
-- ending.
function M.is_package(name)
  return name:find("%.upd$") ~= nil or name:find("%.tar$") ~= nil
end

--- The entity tag that update.native.httpd gives a file, as long as it does not change.
-- @tparam table found as from folder.list(): size (bytes), changed (ns)
-- @treturn string with its quotes
function M.tag(found)
  return ('"%x-%x%08x"'):format(found.size, found.changed // 1000000000, found.changed % 1000000000)
end

-- A warning about a package whose sequence looks like a mistake beside the others of its project.
local function warning_of(known, name)
  local entry, newest = known[name].entry, nil
  for other, seen in pairs(known) do
    local manifest = seen.entry.manifest
    if other ~= name and manifest and manifest.project == entry.manifest.project
      and manifest.sequence ~= entry.manifest.sequence then
      newest = math.max(newest or 0, manifest.sequence)
    end
  end
  return newest and plausible.far(entry.manifest.sequence, newest, "the newest other one here")
end

function Catalog:_load(name, found, list, keys)
  local entry = { name = name, path = self.dir .. "/" .. name, size = found.size, tag = M.tag(found) }
  local message, code
  entry.manifest, message, code = trusted.manifest(self.natives, entry.path, keys)
  if entry.manifest and entry.manifest.hotfix then -- only the Qinglian cloud has a place for it
    entry.manifest, message, code = nil, "a hotfix: take it in with `moult depot patch add`", "incompatible"
  end
  if entry.manifest and not entry.manifest.release then -- each device makes the name
    entry.manifest.release, entry.unnamed = "F" .. entry.manifest.files_version, true
  end
  if entry.manifest and list then
    local count
    entry.devices, count = nil, "not a regular file, or a link that leads nowhere"
    if list.regular then entry.devices, count = device_list.read(entry.path .. ".devices") end
    if entry.devices == nil then
      -- Nobody gets it: an unreadable list must not give it to devices that the list excludes.
      entry.manifest, message, code = nil, ("%s.devices: %s"):format(name, count), "corrupt"
    end
    entry.listed = entry.devices and count or nil
    entry.everybody = entry.devices == false
  end
  if not entry.manifest then
    entry.reason = ("%s (%s)"):format(message or "cannot be read", code or "corrupt")
  end
  return entry
end

-- Hold back a package that appears without a list while others are served already, unless it was here before.
function Catalog:_hold(entry, list, before)
  local manifest = entry.manifest
  if (self.hold or 0) == 0 or not self.served or list or not manifest or entry.devices then return end
  if before and before.entry.manifest and before.entry.manifest.digest == manifest.digest then return end
  entry.held = self.natives.loop.now() + self.hold
end

local function change_of(entry, before)
  return { name = entry.name, reason = entry.reason, listed = entry.listed, orphaned = entry.orphaned,
    change = entry.reason and "skipped" or before and not before.entry.reason and not before.entry.held
      and "changed" or "added" }
end

-- Whether this look has read for long enough. The next one follows at once and reads the rest.
function Catalog:_is_late()
  if not self.deadline then return false end
  self.unfinished = self.unfinished or self.natives.loop.now() > self.deadline
  return self.unfinished
end

-- One package, as before or read again; and the change to report, nil while it is held back.
function Catalog:_see(name, found, list, keys, mark)
  local before = self.known[name]
  if before and before.mark == mark then
    if not before.entry.held or before.entry.held > self.natives.loop.now() then return before end
    before.entry.held = nil
    return before, before.change
  end
  if self:_is_late() then return before end
  local entry = self:_load(name, found, list, keys)
  self:_limit(entry, list)
  self:_hold(entry, list, before)
  local seen = { mark = mark, entry = entry, change = change_of(entry, before) }
  return seen, not entry.held and seen.change or nil
end

local function by_name(a, b) return a.name < b.name end

function Catalog:_files(listing)
  local files = {}
  for _, found in ipairs(listing) do
    -- What is in the place of a list must not pass for none.
    if found.regular or found.name:find "%.devices$" then files[found.name] = found end
  end
  return files, trusted.keys(self.natives, self.dir, self.keys, files)
end

-- All packages among the files; what has changed is added to `changes`.
function Catalog:_see_all(listing, changes)
  local known = {}
  local files, keys, trust = self:_files(listing)
  for name, found in pairs(files) do
    if M.is_package(name) then
      local list = files[name .. ".devices"]
      local mark = trusted.stamp(found) .. "," .. trusted.stamp(list) .. "," .. trust
      known[name], changes[#changes + 1] = self:_see(name, found, list, keys, mark)
    end
  end
  for _, change in ipairs(changes) do
    if not change.reason then change.warning = warning_of(known, change.name) end
  end
  for name in pairs(self.known) do
    if not known[name] then changes[#changes + 1] = { name = name, change = "removed" } end
  end
  return known
end

--- Look at the folder and read what changed.
-- @treturn {table,...} what changed: {name, change = "added"|"changed"|"skipped"|"removed"|"not written",
--   reason, warning, listed = how many devices it is limited to, orphaned = its list is gone}, sorted by name; a
--   package that is held back is reported when that ends; or nil, message, code when the folder cannot be read, and
--   the catalog stays as it was. `unfinished` is set if much changed at once: look again at once
function Catalog:refresh()
  local listing, message, code = self.natives.folder.list(self.dir)
  self.unfinished = false
  if not listing then
    return nil, message, code
  end
  local changes, entries = {}, {}
  self:_read_limits(changes)
  self.deadline = self.served and self.natives.loop.now() + READ or nil
  self.known = self:_see_all(listing, changes)
  self:_write_limits(changes)
  for _, seen in pairs(self.known) do
    entries[#entries + 1] = seen.entry
  end
  self:_mark_withdrawn(entries, changes)
  self:_mark_disabled(entries, changes)
  self:_mark_modes(entries, changes)
  table.sort(changes, by_name)
  table.sort(entries, by_name)
  self.entries, self.served = entries, true
  return changes
end

--- The packages that a key verified and that are not held back, sorted by name.
-- @treturn {table,...} {name, path, size (bytes), tag (entity tag), manifest, devices = {id = true} or nil: for all}
function Catalog:packages()
  local list = {}
  for _, entry in ipairs(self.entries) do
    if entry.manifest and not entry.held then
      list[#list + 1] = entry
    end
  end
  return list
end

--- The packages that are held back, in the form of depot.pending; and when the first of them is released.
-- @treturn {table,...}, number|nil seconds of loop.now()
function Catalog:held()
  local list, first = {}, nil
  for _, entry in ipairs(self.entries) do
    if entry.held then
      local wait = math.max(1, math.ceil(entry.held - self.natives.loop.now()))
      list[#list + 1] = { name = entry.name, manifest = entry.manifest, pending = true, wait = wait }
      first = math.min(first or entry.held, entry.held)
    end
  end
  return list, first
end

--- The file of that name, verified or not. Devices verify what they fetch.
-- @treturn table|nil {name, path, size}
function Catalog:file(name)
  local seen = self.known[name]
  return seen and seen.entry
end

return M
