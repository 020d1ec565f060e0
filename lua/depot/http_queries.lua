--- Queries over HTTP among the messages of a fleet: methods of depot.fleet.
--
-- What came together is one transaction: query() for each, then settle_queries(),
-- and the devices are answered after that. Each query is a part of the
-- transaction, so that one that fails takes nothing of the others away.
--
-- @module depot.http_queries

local links = require "depot.links"

local M = {}

-- Change the row of a device in a part of the transaction. The last result: all of the transaction is lost.
local function change(self, event, now)
  local begun, message, code = self.store:change()
  if begun then begun, message, code = self.store:begin_part() end
  if not begun then return nil, message, code, true end
  local mark = self.commits:mark()
  local done, digest
  done, digest, message, code = xpcall(self.hearing.query, debug.traceback, self.hearing, event, now)
  if not done then
    self.remarks:once("store", ("a query of %s/%s failed: %s"):format(event.product, event.device, digest))
    digest, message, code = nil, digest, "internal"
  end
  if digest ~= nil and self.offers.fault then digest, message, code = nil, table.unpack(self.offers.fault) end
  local ended, why, word = self.store:end_part(digest ~= nil)
  if not ended then return nil, message or why, code or word, true end
  if digest == nil then
    self.commits:rewind(mark)
    self.offers:give_up()
  end
  return digest, message, code
end

--- A device asks over HTTP. It is answered after settle_queries().
-- @tparam table event of depot.luat_jobs
-- @treturn string|false|nil the digest of its package; false: nothing for it; nil, message, code: the store is in
--   trouble
function M:query(event)
  local now = self.now()
  if self:is_paused() then return nil, "the store is in trouble", "busy" end
  local digest, message, code, lost = change(self, event, now)
  if lost then
    self.store:abandon()
    self.commits:take_back(self.now()) -- it may have waited for the lock
    self.queries_lost = true
  end
  self.queried = self.queried or digest ~= nil
  return digest, message, code
end

--- Commit what the queries since the last time have changed.
-- @tparam[opt] boolean busy more of them wait
-- @treturn true|nil nil, message, code: none of it was written
function M:settle_queries(busy)
  local queried, lost = self.queried, self.queries_lost
  self.queried, self.queries_lost = nil, nil
  if lost then return nil, "the store is in trouble", "busy" end
  if not queried then return true end
  local ok, message, code = self.commits:commit(busy)
  if not ok then self.commits:take_back(self.now()) end
  return ok, message, code
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
