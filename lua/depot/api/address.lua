--- The address by which an admin server is reached.
--
-- Pure.
--
-- @module depot.api.address

local M = {}

--- @tparam string url
-- @treturn string|nil scheme: "http" or "https"; nil, what is wrong with it
-- @treturn string host, with its port
function M.read(url)
  local scheme, host = url:match "^(https?)://([^/?#%s%c@]+)/?$"
  if scheme then return scheme, host end
  return nil, "expected http:// or https://, a host, and nothing after it"
end

--- Whether "HOST:PORT", or HOST, is on this machine only.
-- @treturn boolean
function M.is_local(place)
  local host = place:match "^%[(.*)%]" or place:gsub(":%d+$", "")
  return host == "::1" or host == "localhost" or host:find "^127%.%d+%.%d+%.%d+$" ~= nil
end

return M
