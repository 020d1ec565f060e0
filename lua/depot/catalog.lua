--- The packages in a folder, and what their manifests say.
--
-- The folder may change at any time: packages are copied in and taken away
-- while devices ask. A file is read anew when its size or time of change
-- differs from what was seen; one that cannot be trusted or is not whole yet
-- is kept on the list as skipped, with the reason, and is looked at again once
-- it changes. Effects come in through `natives`: folder, package, source.
--
-- @module depot.catalog

local plausible = require "update.plausible"

local M = {}

local Catalog = {}
Catalog.__index = Catalog

-- Bytes of a .devices file, at most: 16 characters for each of four million.
local DEVICES_MAX = 64 * 1024 * 1024

--- A catalog of `dir`; empty until refresh() is called.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] string keys folder of public keys, or one .pub file; else dir when it has *.pub, else dir/keys
function M.new(natives, dir, keys)
  return setmetatable({ natives = natives, dir = dir, keys = keys, entries = {}, known = {} }, Catalog)
end

-- The manifest of the package at path, when a key verifies it and the file is
-- as long as the manifest says.
local function read_manifest(natives, path, keys)
  local source, message, code = natives.source.file(path)
  if not source then
    return nil, message, code
  end
  local package, manifest, done
  package, message, code = natives.package.open(source, keys)
  if package then
    done, message, code = package:step()
    manifest = done and package:manifest()
    local size = done and package:layout().size
    if done and size ~= source:size() then
      manifest, message = nil, ("%d bytes of %d"):format(source:size(), size)
    end
    package:close()
  end
  source:close()
  return manifest or nil, message, code
end

-- What a line of a .devices file cannot be: more would be read into it than it says.
local function fault_of(id)
  if id:find "[%z\1-\31\127]" then return "a control character (is the file UTF-16?)" end
  if id:find "[,;]" then return "several columns; one id a line is expected" end
  if id:find '"' then return "a quote that does not enclose the id" end
end

--- The ids in a .devices file: one a line, "#" begins a comment. A byte order mark, line ends of any kind and quotes
-- around an id are what spreadsheets and editors add.
-- @tparam string text
-- @treturn table {id = true}
-- @treturn integer how many; or nil, message naming the line
function M.parse_devices(text)
  local devices, count, number = {}, 0, 0
  text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n"):gsub("\r", "\n")
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local id = line:gsub("#.*", ""):match("^%s*(.-)%s*$")
    id = id:match('^"([^"]*)"$') or id
    local fault = fault_of(id)
    if fault then return nil, ("line %d: %s"):format(number, fault) end
    if id ~= "" and not devices[id] then
      devices[id], count = true, count + 1
    end
  end
  return devices, count
end

local function read_devices(path)
  local file, message = io.open(path, "rb")
  if not file then
    return nil, message
  end
  local text
  text, message = file:read(DEVICES_MAX)
  file:close()
  if not text and message then
    return nil, message
  end
  return M.parse_devices(text or "")
end

--- The entity tag that update.native.httpd gives a file, as long as it does not change.
-- @tparam table found as from folder.list(): size (bytes), changed (ns)
-- @treturn string with its quotes
function M.tag(found)
  return ('"%x-%x%08x"'):format(found.size, found.changed // 1000000000, found.changed % 1000000000)
end

local function stamp(found)
  return found and ("%d/%d"):format(found.size, found.changed) or ""
end

-- What looks like a slip in the package of that name, against the others of its project.
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

function Catalog:_keys(files)
  if self.keys then
    return self.keys
  end
  for name in pairs(files) do
    if name:find("%.pub$") then
      return self.dir
    end
  end
  return self.dir .. "/keys"
end

-- What changes the trust in every package: the public keys.
local function keys_stamp(natives, keys)
  local parts = {}
  for _, found in ipairs(natives.folder.list(keys) or {}) do
    if found.name:find("%.pub$") then
      parts[#parts + 1] = found.name .. stamp(found)
    end
  end
  table.sort(parts)
  return keys .. "\n" .. table.concat(parts, "\n")
end

function Catalog:_load(name, found, list, keys)
  local entry = { name = name, path = self.dir .. "/" .. name, size = found.size, tag = M.tag(found) }
  local message, code
  entry.manifest, message, code = read_manifest(self.natives, entry.path, keys)
  if entry.manifest and list then
    local count
    entry.devices, count = read_devices(entry.path .. ".devices")
    if entry.devices then
      entry.listed = count
    else
      -- Better for nobody than for those it was kept from.
      entry.manifest, message, code = nil, ("%s.devices: %s"):format(name, count), "corrupt"
    end
  end
  if not entry.manifest then
    entry.reason = ("%s (%s)"):format(message or "cannot be read", code or "corrupt")
  end
  return entry
end

--- Look at the folder and read what changed.
-- @treturn {table,...} names of what changed: {name, change = "added"|"changed"|"skipped"|"removed", reason,
--   warning, listed = how many devices it is limited to}, sorted;
--   or nil, message, code when the folder cannot be read: the catalog stays as it was
function Catalog:refresh()
  local listing, message, code = self.natives.folder.list(self.dir)
  if not listing then
    return nil, message, code
  end
  local files, changes, known, entries = {}, {}, {}, {}
  for _, found in ipairs(listing) do
    if found.regular then
      files[found.name] = found
    end
  end
  local keys = self:_keys(files)
  local trust = keys_stamp(self.natives, keys)
  for name, found in pairs(files) do
    if name:find("%.upd$") then
      local list = files[name .. ".devices"]
      local mark = stamp(found) .. "," .. stamp(list) .. "," .. trust
      local before = self.known[name]
      if before and before.mark == mark then
        known[name] = before
      else
        local entry = self:_load(name, found, list, keys)
        -- A list that goes leaves its package limited, to nobody: else it would reach all that the list kept out.
        entry.limited = list ~= nil or before ~= nil and before.entry.limited or nil
        if entry.limited and not list then entry.devices, entry.listed = {}, 0 end
        known[name] = { mark = mark, entry = entry }
        changes[#changes + 1] = { name = name, reason = entry.reason, listed = entry.listed,
          change = entry.reason and "skipped" or before and not before.entry.reason and "changed" or "added" }
      end
    end
  end
  for _, change in ipairs(changes) do
    if not change.reason then change.warning = warning_of(known, change.name) end
  end
  for name in pairs(self.known) do
    if not known[name] then
      changes[#changes + 1] = { name = name, change = "removed" }
    end
  end
  self.known = known
  for _, seen in pairs(known) do
    entries[#entries + 1] = seen.entry
  end
  local function by_name(a, b) return a.name < b.name end
  table.sort(changes, by_name)
  table.sort(entries, by_name)
  self.entries = entries
  return changes
end

--- The packages that a key verified, in the order of their names.
-- @treturn {table,...} {name, path, size (bytes), tag (entity tag), manifest, devices = {id = true} or nil: for all}
function Catalog:packages()
  local list = {}
  for _, entry in ipairs(self.entries) do
    if entry.manifest then
      list[#list + 1] = entry
    end
  end
  return list
end

--- The file of that name, verified or not: devices check for themselves.
-- @treturn table|nil {name, path, size}
function Catalog:file(name)
  local seen = self.known[name]
  return seen and seen.entry
end

return M
