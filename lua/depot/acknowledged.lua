--- What the broker did with an offer: delivered, without a subscriber, or not allowed.
--
-- Methods of depot.offers. A broker of MQTT 5 tells when nobody has subscribed
-- to what an offer was said on, and when it does not allow that. Such an offer counts for nothing and is pushed
-- again, ever more seldom; the device is shown as not listening.
--
-- @module depot.acknowledged

local M = {}

-- Milliseconds.
local TOO_LARGE = 3600000      -- for which nothing of a size is sent that the broker did not take
local AGAIN_LEAST = 60000      -- until an offer that nobody heard is pushed again: as long as the device
local AGAIN_MOST = 24 * 3600000 -- was not heard of, within these two

-- The row that an offer was for, in an open transaction; false: it is about something else by now.
local function row_of(self, offer)
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  local row
  row, message, code = self.store:get(offer.cloud, offer.product, offer.device)
  if row and row.package ~= offer.package then return false end
  return row, message, code
end

-- When an offer that nobody heard is pushed again.
local function again(row, now)
  return now + math.max(AGAIN_LEAST, math.min(AGAIN_MOST, now - (row.heard or now)))
end

--- The broker has taken a message: if it was an offer that somebody hears, it need not be pushed again.
-- @tparam table event published, of update.native.mqtt
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function M:taken(event, now)
  local offer = self.waiting[event.id]
  if not offer then return true end
  local row, message, code = row_of(self, offer)
  if row == nil then return nil, message, code end
  self.waiting[event.id] = nil
  if not row then return true end
  local due
  if event.unheard or event.refused then due = again(row, now) end
  if event.refused then
    row.text = ("the broker refuses what is said to %s: %s"):format(offer.topic, event.refused)
    self.tell("not said", row, { release = row.target, text = row.text })
  elseif event.unheard then
    if not row.deaf then self.tell("not listening", row, { release = row.target, text = "nobody has subscribed to "
      .. offer.topic }) end
    row.deaf = row.deaf or now
  else
    row.offers = (row.offers or 0) + 1
    if offer.tells then row.deaf = nil end
  end
  if row.due == offer.due then row.due = due end
  return self.store:put(row)
end

--- Whether the broker would not take a packet of this size: sent in spite of it, each would keep the depot away for
-- minutes.
function M:is_too_large(size, now)
  return self.limit and now < self.limit.till and size >= self.limit.size
end

--- The broker ends connections over a message: if it was an offer, none as large is sent for a while.
-- @tparam table event lost, of update.native.mqtt
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function M:lost(event, now)
  local offer = self.waiting[event.id]
  self.waiting[event.id] = nil
  if not offer then return true end
  self.limit = { size = offer.size, till = now + TOO_LARGE,
    text = ("the broker takes no packet of %d bytes"):format(event.size) }
  local row, message, code = row_of(self, offer)
  if row == nil then return nil, message, code end
  if not row then return true end
  row.text, row.due = self.limit.text, self.limit.till
  return self.store:put(row)
end

return M
