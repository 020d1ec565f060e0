--- What is said to people of a broker and of the devices on it.
--
-- Each thing once, as far as it can be kept in mind: a device says the same
-- again and again.
--
-- @module depot.remarks

local M = {}

local Remarks = {}
Remarks.__index = Remarks

local MOST = 100   -- that are kept in mind
local SOON = 10000 -- ms after it began, for a connection to end
local CUTS = 3     -- of connections that ended so soon, one after the other

--- @tparam function tell function(event): {kind, text}
function M.new(tell)
  return setmetatable({ tell = tell, told = {}, count = 0, cuts = 0 }, Remarks)
end

--- Say something unless it was said before.
function Remarks:once(kind, text)
  if self.told[text] or self.count >= MOST then return end
  self.told[text], self.count = true, self.count + 1
  self.tell { kind = kind, text = text }
end

--- There is a connection, or none any more. A client of the same name throws this one out, which the broker does
-- not tell.
-- @tparam boolean connected
-- @tparam string|nil message of the client: why it is not
-- @tparam integer now ms
-- @treturn string|nil the message, with what it may be
function Remarks:connected(connected, message, now)
  if connected then
    self.since = now
    return message
  end
  local soon = self.since and now - self.since < SOON and not message:find "over a packet"
  self.cuts, self.since = soon and self.cuts + 1 or 0, nil
  if self.cuts < CUTS then return message end
  return message .. "; perhaps another client has the name of this depot, as a copy of its folder has"
end

return M
