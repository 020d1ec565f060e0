--- What a reverse proxy says of the device behind it.
--
-- Pure. X-Forwarded-Proto, -Host, -Port and -For are believed when they come
-- from a proxy that the operator named, or from this machine itself; anybody
-- else could write into them what he likes.
--
-- @module depot.proxy

local M = {}

-- IPv4 without what a socket for both kinds of addresses puts before it.
local function plain(address)
  return address:match "^::ffff:(%d+%.%d+%.%d+%.%d+)$" or address
end

--- Whether a client is a proxy that is believed.
-- @tparam {[string]=boolean,...} trusted addresses
function M.is_trusted(trusted, client)
  local address = plain(client or "")
  return trusted[address] == true or address == "::1" or address:find "^127%." ~= nil
end

-- The first of several values: each proxy on the way adds its own behind.
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

-- Who the last proxy of ours had before it.
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
-- @treturn table {scheme, host, client}: what it says of them, nil each otherwise; {unbelieved = true}: it says that
--   devices come by HTTPS, and nobody named it
function M.said(trusted, request)
  local headers = request.headers
  local scheme = (first(headers["x-forwarded-proto"]) or ""):lower()
  if not M.is_trusted(trusted, request.client) then return { unbelieved = scheme == "https" } end
  local known = scheme == "http" or scheme == "https"
  return { scheme = known and scheme or nil, host = (known or headers["x-forwarded-host"]) and host_of(headers) or nil,
    client = client_of(trusted, headers["x-forwarded-for"]) }
end

return M
