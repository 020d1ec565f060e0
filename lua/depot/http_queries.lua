--- Queries over HTTP among the messages of a fleet: methods of depot.fleet.
--
-- @module depot.http_queries

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

--- A device has fetched all of its package over HTTP.
function M:fetched(who)
  if self.inbox:add { kind = "fetched", cloud = who.cloud, product = who.product, device = who.device } then
    self.more = true
  end
end

return M
