--- What the front has to ask of the store process before it answers a request. Pure.
--
-- @module depot.needs

local luat = require "depot.luat"
local ranges = require "depot.ranges"
local terminal = require "depot.terminal"

local M = {}

--- @tparam table site of depot.site, with asks (function(request) -> whether the store process answers a query; absent:
--   it answers none) and under_way (depot.under_way)
-- @tparam table request
-- @treturn table|nil {answer = true}: it answers; {refuses = who, digest = of the file}: whether a link still
--   holds, as from depot.links; nil: nothing
function M.of(site, request)
  if not site.asks or not ranges.is_read(request) then return nil end
  if request.path == luat.PATH or request.path == terminal.PATH then
    return site.asks(request) and { answer = true } or nil
  end
  local query, name = request.query, request.path:match "^/([^/]+)$"
  local entry = query.Signature and query.For and name and site.file(name)
  if not entry or not site.can_check() or site.check(name, request) then return nil end
  if site.under_way:has(query, entry) and not ranges.begin(request, entry) then return nil end
  return { refuses = query.For, digest = entry.manifest.digest }
end

return M
