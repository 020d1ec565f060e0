--- Remarks for the operator about a broker and the devices on it.
--
-- Each remark is made once, as far as they can be remembered: a device repeats
-- the same mistake with every message.
--
-- @module depot.remarks

local M = {}

local Remarks = {}
Remarks.__index = Remarks

local MOST = 100   -- remarks that are remembered
local SOON = 10000 -- ms: a connection that lasts no longer than this counts as cut
local CUTS = 3     -- in a row, after which the message guesses why

--- @tparam function tell function(event): {kind, text}
function M.new(tell)
  return setmetatable({ tell = tell, told = {}, count = 0, cuts = 0 }, Remarks)
end

--- Make a remark unless it was made before.
function Remarks:once(kind, text)
  if self.told[text] or self.count >= MOST then return end
  self.told[text], self.count = true, self.count + 1
  self.tell { kind = kind, text = text }
end

--- The connection was made or lost. If another client uses the same name the two disconnect each other, and the broker
-- does not say why; so after several cuts in a row the message names that possibility.
-- @tparam boolean connected
-- @tparam string|nil message of the client: why it was lost
-- @tparam integer now ms
-- @treturn string|nil the message, with the possible reason
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
