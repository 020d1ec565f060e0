--- What a reverse proxy says about the device behind it.
--
-- Pure. X-Forwarded-Proto, -Host, -Port and -For are trusted if they come from a
-- proxy that the operator named, or from this machine. Other clients could
-- write anything into them.
--
-- @module depot.proxy

local M = {}

-- An IPv4 address without the prefix that a dual-stack socket adds.
local function plain(address)
  return address:match "^::ffff:(%d+%.%d+%.%d+%.%d+)$" or address
end

--- Whether a client is a trusted proxy.
-- @tparam {[string]=boolean,...} trusted addresses
function M.is_trusted(trusted, client)
  local address = plain(client or "")
  return trusted[address] == true or address == "::1" or address:find "^127%." ~= nil
end

-- The first of several values: each proxy appends its own.
local function first(value)
  return value and value:match "^%s*([^,%s]+)"
end

local function host_of(headers)
  local host = first(headers["x-forwarded-host"]) or headers.host
  if not host or not host:find "^[%w%.%-:%[%]]+$" then return nil end
  local port = first(headers["x-forwarded-port"])
  local has_port = host:find "%]:%d+$" or host:find "^[^:]+:%d+$"
  if has_port or not port or not port:find "^%d%d?%d?%d?%d?$" or port == "80" or port == "443" then return host end
  return host .. ":" .. port
end

-- The client of the outermost trusted proxy.
local function client_of(trusted, value)
  local seen
  for address in (value or ""):gmatch "[^,%s]+" do
    local usable = address:find "^[%x.:]+$" and #address <= 45
    if usable and not (seen and M.is_trusted(trusted, address)) then seen = address end
  end
  return seen
end

--- What the request's proxy says.
-- @tparam {[string]=boolean,...} trusted addresses
-- @tparam table request client, headers
-- @treturn table {scheme, host, client}, each nil if the proxy does not say; {untrusted = true}: the client says that
--   devices come by HTTPS, but the operator did not name it as a proxy
function M.said(trusted, request)
  local headers = request.headers
  local scheme = (first(headers["x-forwarded-proto"]) or ""):lower()
  if not M.is_trusted(trusted, request.client) then return { untrusted = scheme == "https" } end
  local known = scheme == "http" or scheme == "https"
  return { scheme = known and scheme or nil, host = (known or headers["x-forwarded-host"]) and host_of(headers) or nil,
    client = client_of(trusted, headers["x-forwarded-for"]) }
end

return M
