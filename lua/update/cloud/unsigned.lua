--- The sources that the owner trusts without signatures: `trust.unsigned` of the configuration.
--
-- Pure. An entry is the prefix of an address, down to a slash, or a table {from = prefix, lua = true}. Everything
-- below it is trusted. A redirect, or a host that merely begins alike is not. "file:///dir/" trusts the files of a
-- directory, "cloud:NAME" the hotfixes that a cloud pushes itself.
--
-- @module update.cloud.unsigned

local M = {}

local LONGEST = 16 -- bytes of the name and of the version of a hotfix

--- Bytes of a bare hotfix, at most.
M.MOST = 16 << 20

local PORTS = { http = "80", https = "443" }

local function leads_elsewhere(part) return part == "." or part == ".." end

-- The same for a path, or an address that is one.
local function split_path(path)
  for part in path:gmatch "[^/]+" do
    if leads_elsewhere(part) then return nil end
  end
  return "file", "", "", path
end

--- The prefix of an entry.
-- @tparam string|table entry
-- @treturn string
function M.prefix(entry)
  return type(entry) == "table" and entry.from or entry
end

-- Scheme, host, port and path of an address; nil: it could hide its target.
local function split(url)
  local file = url:match "^[fF][iI][lL][eE]://(/.*)$" or url:match "^/.*$"
  if file then return split_path(file) end
  local cloud = url:match "^cloud:([^/]+)$"
  if cloud then return "cloud", cloud, "", "/" end
  local scheme, authority, path = url:match "^(%a+)://([^/?#]*)([^?#]*)"
  local port = scheme and PORTS[scheme:lower()]
  if not port or authority == "" or authority:find "@" then return nil end
  local host, given = authority:match "^(.-):(%d+)$"
  for part in path:gmatch "[^/]+" do
    local plain = part:gsub("%%2[eE]", ".")
    if leads_elsewhere(plain) or part:find "%%2[fF]" or part:find "\\" then return nil end
  end
  return scheme:lower(), (host or authority):lower(), given or port, path
end

--- What is wrong with an entry, or nil.
-- @tparam string prefix
-- @treturn string|nil
function M.wrong(prefix)
  local scheme, _, _, path = split(prefix)
  if not scheme or prefix:sub(1, 1) == "/" then
    return "must begin with http:// or https:// and name a host, or with file:/// and name a directory, without user, "
      .. ". and .., or be cloud:NAME"
  end
  if scheme:find "^http" and prefix:find "[?#]" or path:sub(-1) ~= "/" then return "must end with a slash" end
end

--- The entry that an address lies below, or nil.
-- @tparam {string|table,...}|nil entries
-- @tparam string url
-- @treturn string|table|nil
function M.trusts(entries, url)
  local scheme, host, port, path = split(url)
  if not scheme then return nil end
  for _, entry in ipairs(entries or {}) do
    local s, h, p, folder = split(M.prefix(entry))
    if s == scheme and h == host and p == port and path:sub(1, #folder) == folder then return entry end
  end
end

--- What is to be said of an entry: doctor and status.
-- @tparam string prefix
-- @treturn string
function M.risk(prefix)
  return prefix:find "^[hH][tT][tT][pP]:" and "unsigned, unencrypted" or "unsigned"
end

-- The name of the file that a URL or path leads to.
local function file_of(location)
  return location:gsub("[?#].*$", ""):match "[^/]*$"
end

local function is_hotfix(name)
  return name:lower():find "%.zip$" ~= nil or name:lower():find "%.bin$" ~= nil
end

--- What to say besides when a file is no package: "", unless it may be a bare hotfix.
-- @tparam string location URL or path
-- @treturn string
function M.hint(location)
  return is_hotfix(file_of(location)) and "; a hotfix that nobody signed is taken only from where "
    .. "trust.unsigned of the configuration names" or ""
end

--- Whether a name is that of a bare archive of files.
-- @tparam string location URL or path
-- @treturn boolean
function M.is_archive(location)
  return file_of(location):lower():find "%.tar%.gz$" ~= nil
end

--- What an archive is to become: the field `bare` of update.engine.place.
-- @tparam table config
-- @tparam string version of the files
-- @treturn table
function M.bare(config, version)
  return { version = version, project = config.project, product_key = config.product_key, user = config.user,
    trim = config.files and config.files.trim }
end

--- The same of a hotfix.
-- @tparam table config
-- @tparam string|table entry that trusts it
-- @tparam table fix name, version
-- @tparam boolean opaque it is no archive: a handler of the script takes its bytes
-- @treturn table
function M.hotfix(config, entry, fix, opaque)
  return { hotfix = { name = fix.name, version = fix.version }, opaque = opaque or nil,
    lua = type(entry) == "table" and entry.lua == true or nil, project = config.project,
    product_key = config.product_key, user = config.user }
end

-- Trust in an address does not extend to where it redirects.
local function place_of(bare)
  return { bare = bare, http = { max_redirects = 0 } }
end

--- What the name of a bare hotfix says.
-- @tparam string file as clock_v2.zip
-- @treturn table|nil name, version, opaque (it is a .bin, for a handler); nil, message, "usage"
function M.named(file)
  local name, version, kind = file:match "^(.+)_([^_]+)%.(%a+)$"
  if not name or not is_hotfix(file) or #name > LONGEST or #version > LONGEST then
    return nil, ("%s is not called NAME_VERSION.zip or NAME_VERSION.bin, with at most %d bytes each"):format(file,
      LONGEST), "usage"
  end
  return { name = name, version = version, opaque = kind:lower() == "bin" }
end

-- A signed hotfix may have such a name, too, so only an entry makes a bare one of it.
local function hotfix_place(config, location, file)
  local entry = M.trusts(config.trust and config.trust.unsigned, location)
  if not entry then return {} end
  local named, message, code = M.named(file)
  if not named then return nil, message, code end
  return place_of(M.hotfix(config, entry, named, named.opaque))
end

--- What a place has besides when somebody names an archive or a bare hotfix, from where the owner trusts it.
-- @tparam table config
-- @tparam string location URL or absolute path
-- @tparam[opt] string version of the files; default: what follows the last "_" of the archive's name
-- @treturn table|nil fields of update.engine.place; none for another kind of package | nil, message, code
function M.place(config, location, version)
  local name = file_of(location)
  if is_hotfix(name) then return hotfix_place(config, location, name) end
  if not M.is_archive(location) then return {} end
  if not M.trusts(config.trust and config.trust.unsigned, location) then
    return nil, ("%s is an archive that nobody signed, and trust.unsigned of the configuration has no entry for it; "
      .. "\"file:///dir/\" trusts a directory"):format(name), "untrusted"
  end
  version = version or name:match "_([^_]+)%.[^.]+%.[^.]+$"
  if not version then
    return nil, ("%s does not end in _VERSION.tar.gz; give --files-version"):format(name), "usage"
  end
  return place_of(M.bare(config, version))
end

return M
