--- Events of the broker's client, kept until the changes that they made are committed.
--
-- The client does not deliver an event twice. So after a failed commit this
-- module hands the same events out again, in their order.
--
-- @module depot.inbox

local M = {}

local Inbox = {}
Inbox.__index = Inbox

--- @tparam table mqtt update.native.mqtt client
-- @tparam integer most events in one transaction
function M.new(mqtt, most)
  return setmetatable({ mqtt = mqtt, most = most, handled = {}, waiting = {} }, Inbox)
end

--- The next event to handle.
-- @treturn table|nil
function Inbox:next()
  local event = table.remove(self.waiting, 1) or self.mqtt:step()
  if event then self.handled[#self.handled + 1] = event end
  return event
end

--- Add an event that is not the client's.
-- @treturn boolean false: too many wait already
function Inbox:add(event)
  if #self.waiting >= self.most then return false end
  self.waiting[#self.waiting + 1] = event
  return true
end

--- Whether enough events were handled for a commit.
function Inbox:is_full()
  return #self.handled >= self.most
end

--- The changes of all events that were handled are durable. `settled` is the number of the last of them that has one.
function Inbox:committed()
  for _, event in ipairs(self.handled) do self.settled = event.number or self.settled end
  self.handled = {}
end

--- The changes since the last commit are lost: hand their events out again.
function Inbox:take_back()
  table.move(self.waiting, 1, #self.waiting, #self.handled + 1, self.handled)
  self.waiting, self.handled = self.handled, {}
end

--- Drop the last event that was handed out, because handling it raised an error.
function Inbox:drop_last()
  table.remove(self.handled)
end

--- Empty the inbox and the client.
-- @treturn {table,...} the messages, and the events with a number, that are not committed, for fill() of another inbox
function Inbox:empty()
  for event in self.mqtt.step, self.mqtt do
    self.waiting[#self.waiting + 1] = event
  end
  self:take_back()
  local messages = {}
  for _, event in ipairs(self.waiting) do
    if event.kind == "message" or event.number then messages[#messages + 1] = event end
  end
  self.waiting = {}
  return messages
end

--- Hand these messages out first.
function Inbox:fill(messages)
  self.waiting = messages
end

return M
