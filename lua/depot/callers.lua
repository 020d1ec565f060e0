--- Which client a proxy forwards a request for, for the log. Warns once about each proxy that --proxy does not name.
--
-- @module depot.callers

local proxy = require "depot.proxy"

local M = {}

local Callers = {}
Callers.__index = Callers

local WARNINGS = 16 -- at most

--- @tparam {string,...} proxies addresses of trusted proxies
-- @tparam boolean has_url whether the operator said where devices reach the depot
-- @tparam function warn function(text)
function M.new(proxies, has_url, warn)
  local self = setmetatable({ proxies = {}, has_url = has_url, warn = warn, names = {}, warned = {} }, Callers)
  for _, address in ipairs(proxies) do self.proxies[address] = true end
  return self
end

--- A request has come.
-- @tparam table request id, client, headers
function Callers:note(request)
  local said = proxy.said(self.proxies, request)
  self.names[request.id] = said.client
  if not said.untrusted or self.has_url or self.warned[request.client] or #self.warned >= WARNINGS then return end
  self.warned[request.client], self.warned[#self.warned + 1] = true, true
  self.warn(("%s says that devices come by HTTPS, as a proxy does; add --proxy %s, or --url with the address that "
    .. "devices use, else links begin with http://"):format(request.client, request.client))
end

--- The client of a finished request, as its proxy named it.
-- @treturn string|nil address; nil: no trusted proxy named one
function Callers:take(id)
  local name = self.names[id]
  self.names[id] = nil
  return name
end

return M
