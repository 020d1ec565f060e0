--- What the broker did with an offer: delivered, without a subscriber, or not allowed.
--
-- `methods` are those of depot.offers. A broker that speaks MQTT 5 says when nobody has subscribed to the topic of an
-- offer, and when its rules do not allow the depot to publish there. Such an offer does not count. It is pushed again
-- at growing intervals, and a device that has not subscribed is shown as not listening.
--
-- @module depot.acknowledged

local M = { methods = {} }

-- Milliseconds.
local TOO_LARGE = 3600000       -- during which no packet is sent that is as large as one that the broker refused
local AGAIN_LEAST = 60000       -- An offer that nobody received is pushed again after the time for which the device
local AGAIN_MOST = 24 * 3600000 -- has been silent, within these two limits.

-- The row that an offer was for, in an open transaction; false: its job has changed since.
local function row_of(self, offer)
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  local row
  row, message, code = self.store:get(offer.cloud, offer.product, offer.device)
  if row and row.package ~= offer.package then return false end
  return row, message, code
end

-- When an offer that nobody received is pushed again.
local function again(row, now)
  return now + math.max(AGAIN_LEAST, math.min(AGAIN_MOST, now - (row.heard or now)))
end

local Methods = M.methods

--- The broker has accepted a message. If it was an offer and somebody has subscribed, it need not be pushed again.
-- @tparam table event published, of update.native.mqtt
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function Methods:taken(event, now)
  self.full_till = nil
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
    if not row.not_listening then
      self.tell("not listening", row, { release = row.target, text = "nobody has subscribed to " .. offer.topic })
    end
    row.not_listening = row.not_listening or now
  else
    row.offers = (row.offers or 0) + 1
    if offer.tells then row.not_listening = nil end
  end
  if row.due == offer.due then row.due = due end
  return self.store:put(row)
end

--- Whether the broker would refuse a packet of this size. It closes the connection over each one, and the depot would
-- be away for minutes.
function Methods:is_too_large(size, now)
  return self.limit and now < self.limit.till and size >= self.limit.size
end

--- The broker closed the connection over a message. If it was an offer, none as large is sent for a while.
-- @tparam table event lost, of update.native.mqtt
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function Methods:lost(event, now)
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
