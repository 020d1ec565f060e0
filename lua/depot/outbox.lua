--- What another process is told, kept until it says that it is committed. Pure.
--
-- An item has a number. The other process acknowledges all up to one. Another that is begun in its place is told
-- everything that was not acknowledged, so an item may come twice.
--
-- @module depot.outbox

local M = {}

local Outbox = {}
Outbox.__index = Outbox

--- @tparam integer most items, at most
-- @tparam integer ahead items that are sent and not acknowledged, at most
-- @tparam[opt] function merge function(item, later): the newest item of a key, which was not sent yet, takes in a later
--   one; false: it does not
function M.new(most, ahead, merge)
  return setmetatable({ most = most, ahead = ahead, merge = merge, items = {}, unsent = {}, first = 1, last = 0,
    sent = 0 }, Outbox)
end

--- @tparam table item
-- @tparam[opt] string key items of one key are merged
-- @treturn boolean false: there are too many
function Outbox:add(item, key)
  local earlier = key and self.unsent[key]
  if earlier and self.merge(earlier, item) then return true end
  if self.last - self.first + 1 >= self.most then return false end
  self.last = self.last + 1
  self.items[self.last] = { item = item, key = key }
  if key then self.unsent[key] = item end
  return true
end

--- The next item to send; sent() when that worked.
-- @treturn integer|nil its number; nil: none, or too many are not acknowledged
-- @treturn table item
function Outbox:next()
  if self.sent >= self.last or self.sent - self.first + 1 >= self.ahead then return nil end
  return self.sent + 1, self.items[self.sent + 1].item
end

--- The item that next() gave is on its way.
function Outbox:went()
  self.sent = self.sent + 1
  local sent = self.items[self.sent]
  if sent.key and self.unsent[sent.key] == sent.item then self.unsent[sent.key] = nil end
end

--- All up to that number is committed.
function Outbox:committed(number)
  while self.first <= math.min(number, self.sent) do
    self.items[self.first] = nil
    self.first = self.first + 1
  end
end

--- Another process takes over: everything that was not acknowledged is sent again.
function Outbox:rewind() self.sent = self.first - 1 end

--- Whether all items are on their way.
function Outbox:is_sent() return self.sent == self.last end

return M
