--- The sources that the owner trusts without signatures: `trust.unsigned` of the configuration.
--
-- Pure. An entry is the prefix of an address, down to a slash. Everything below it
-- is trusted. A cloud's name, a redirect, or a host that merely begins alike is not.
--
-- @module update.cloud.unsigned

local M = {}

local PORTS = { http = "80", https = "443" }

-- Scheme, host, port and path of an address; nil: it could hide its target.
local function split(url)
  local scheme, authority, path = url:match "^(%a+)://([^/?#]*)([^?#]*)"
  local port = scheme and PORTS[scheme:lower()]
  if not port or authority == "" or authority:find "@" then return nil end
  local host, given = authority:match "^(.-):(%d+)$"
  for part in path:gmatch "[^/]+" do
    local plain = part:gsub("%%2[eE]", ".")
    if plain == "." or plain == ".." or part:find "%%2[fF]" or part:find "\\" then return nil end
  end
  return scheme:lower(), (host or authority):lower(), given or port, path
end

--- What is wrong with an entry, or nil.
-- @tparam string prefix
-- @treturn string|nil
function M.wrong(prefix)
  local scheme, _, _, path = split(prefix)
  if not scheme then return "must begin with http:// or https:// and name a host, without user, . and .." end
  if prefix:find "[?#]" or path:sub(-1) ~= "/" then return "must end with a slash" end
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

return M
