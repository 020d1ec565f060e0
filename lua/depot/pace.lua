--- The limit of offers a second, over MQTT (pushed) and HTTP (answers to queries) together.
--
-- A token bucket that holds a quarter of a second's offers. While both kinds
-- wait they take turns, so that neither blocks the other.
--
-- @module depot.pace

local M = {}

local Pace = {}
Pace.__index = Pace

--- Offers a second, by default.
M.RATE = 100
-- Milliseconds for which a turn is kept for a kind that found no room. After that it may have nothing to offer.
local PATIENCE = 3000

--- @tparam integer|nil rate offers a second
-- @tparam function clock -> ms, monotonic
function M.new(rate, clock)
  return setmetatable({ rate = rate or M.RATE, clock = clock, allowance = 1, refilled = clock(), wants = {} }, Pace)
end

local function other_wants(self, who, now)
  for name, since in pairs(self.wants) do
    if name ~= who and now - since < PATIENCE then return true end
  end
  return false
end

--- How many offers may be made now.
-- @tparam string who the kind that wants to make them
-- @treturn number less than 1: none now, and the next turn is kept for `who`
function Pace:room(who)
  local now = self.clock()
  self.allowance = math.min(math.max(1, self.rate / 4), self.allowance + (now - self.refilled) * self.rate / 1000)
  self.refilled = now
  if self.allowance < 1 or self.last == who and other_wants(self, who, now) then
    self.wants[who] = now
    return 0
  end
  self.wants[who] = nil
  return self.allowance
end

--- An offer was made.
function Pace:take(who)
  self.allowance, self.last = self.allowance - 1, who
end

--- Milliseconds until there is room for another.
function Pace:timeout()
  return math.ceil(math.max(0, (1 - self.allowance) * 1000 / self.rate))
end

return M
