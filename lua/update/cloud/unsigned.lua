--- The sources that the owner trusts without signatures: `trust.unsigned` of the configuration.
--
-- Pure. An entry is the prefix of an address, down to a slash. Everything below it
-- is trusted. A cloud's name, a redirect, or a host that merely begins alike is not.
-- "file:///dir/" trusts the files of a directory.
--
-- @module update.cloud.unsigned

local M = {}

local PORTS = { http = "80", https = "443" }

local function leads_elsewhere(part) return part == "." or part == ".." end

-- The same for a path, or an address that is one.
local function split_path(path)
  for part in path:gmatch "[^/]+" do
    if leads_elsewhere(part) then return nil end
  end
  return "file", "", "", path
end

-- Scheme, host, port and path of an address; nil: it could hide its target.
local function split(url)
  local file = url:match "^[fF][iI][lL][eE]://(/.*)$" or url:match "^/.*$"
  if file then return split_path(file) end
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
      .. ". and .."
  end
  if scheme ~= "file" and prefix:find "[?#]" or path:sub(-1) ~= "/" then return "must end with a slash" end
end

--- The entry that an address lies below, or nil.
-- @tparam {string,...}|nil prefixes
-- @tparam string url
-- @treturn string|nil
function M.trusts(prefixes, url)
  local scheme, host, port, path = split(url)
  if not scheme then return nil end
  for _, prefix in ipairs(prefixes or {}) do
    local s, h, p, folder = split(prefix)
    if s == scheme and h == host and p == port and path:sub(1, #folder) == folder then return prefix end
  end
end

--- What is to be said of an entry: doctor and status.
-- @tparam string prefix
-- @treturn string
function M.risk(prefix)
  return prefix:find "^[hH][tT][tT][pP]:" and "unsigned, unencrypted" or "unsigned"
end

--- Whether a name is that of a bare archive.
-- @tparam string location URL or path
-- @treturn boolean
function M.is_archive(location)
  return location:gsub("[?#].*$", ""):lower():find "%.tar%.gz$" ~= nil
end

--- What an archive is to become: the field `bare` of update.engine.place.
-- @tparam table config
-- @tparam string version of the files
-- @treturn table
function M.bare(config, version)
  return { version = version, project = config.project, product_key = config.product_key, user = config.user,
    trim = config.files and config.files.trim }
end

--- What a place has besides when somebody names an archive, from where the owner trusts it.
-- @tparam table config
-- @tparam string location URL or absolute path
-- @tparam[opt] string version of the files; default: what follows the last "_" of the archive's name
-- @treturn table|nil fields of update.engine.place; none for another kind of package | nil, message, code
function M.place(config, location, version)
  if not M.is_archive(location) then return {} end
  local name = location:gsub("[?#].*$", ""):match "[^/]*$"
  if not M.trusts(config.trust and config.trust.unsigned, location) then
    return nil, ("%s is an archive that nobody signed, and trust.unsigned of the configuration has no entry for it; "
      .. "\"file:///dir/\" trusts a directory"):format(name), "untrusted"
  end
  version = version or name:match "_([^_]+)%.[^.]+%.[^.]+$"
  if not version then
    return nil, ("%s does not end in _VERSION.tar.gz; give --files-version"):format(name), "usage"
  end
  -- Trust in an address does not extend to where it redirects.
  return { bare = M.bare(config, version), http = { max_redirects = 0 } }
end

return M
