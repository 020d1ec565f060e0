--- The client that a proxy names, for the log; and a warning, once for each proxy that --proxy does not name.
--
-- @module depot.callers

local proxy = require "depot.proxy"

local M = {}

local Callers = {}
Callers.__index = Callers

local WARNINGS = 16 -- proxies that are told of, at most

--- @tparam {string,...} proxies addresses of those that are believed
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
  if not said.unbelieved or self.has_url or self.warned[request.client] or #self.warned >= WARNINGS then return end
  self.warned[request.client], self.warned[#self.warned + 1] = true, true
  self.warn(("%s says that devices come by HTTPS, as a proxy does; say --proxy %s, or with --url where devices reach "
    .. "the depot, else links begin with http://"):format(request.client, request.client))
end

--- Who asked, once the request is over.
-- @treturn string|nil address; nil: no proxy said
function Callers:take(id)
  local name = self.names[id]
  self.names[id] = nil
  return name
end

return M
