--- Queries over HTTP among the messages of a fleet: methods of depot.fleet.
--
-- @module depot.http_queries

local links = require "depot.links"

local M = {}

--- A device asks over HTTP. What it is given is committed before it is answered.
-- @tparam table event of depot.luat_jobs
-- @treturn string|false|nil the digest of its package; false: nothing for it; nil, message, code: the store is in
--   trouble
function M:query(event)
  local now = self.now()
  if self:is_paused() then return nil, "the store is in trouble", "busy" end
  local digest, message, code = self.hearing:query(event, now)
  if digest ~= nil and self.offers.fault then digest, message, code = nil, table.unpack(self.offers.fault) end
  local ok = true
  if digest ~= nil then ok, message, code = self.commits:commit() else self.store:abandon() end
  if digest ~= nil and ok then return digest end
  self.commits:take_back(now)
  return nil, message, code
end

-- Add an event of the front, to be handled in its turn; false: too many wait.
local function add(self, kind, number, cloud, product, device)
  local added = self.inbox:add { kind = kind, number = number, cloud = cloud, product = product, device = device }
  self.more = self.more or added
  return added
end

--- A device has fetched all of its package over HTTP.
-- @tparam table who
-- @tparam integer number of the event: the inbox's `settled` once it is committed
-- @treturn boolean false: too many wait
function M:fetched(who, number) return add(self, "fetched", number, who.cloud, who.product, who.device) end

--- An expired link of a device was refused.
-- @tparam string who as from depot.links
-- @tparam integer number likewise
-- @treturn boolean likewise
function M:link_died(who, number)
  local cloud, product, device = links.place(who)
  return not cloud or add(self, "dead link", number, cloud, product, device)
end

return M
