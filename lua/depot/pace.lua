--- The limit of offers a second, over MQTT (pushed) and HTTP (answers to queries) together.
--
-- A token bucket that holds a quarter of a second's offers. While several kinds
-- wait they take turns, so that none blocks the others. Each of the depot's
-- processes has a bucket, and takes from it what the other one has made.
--
-- @module depot.pace

local M = {}

local Pace = {}
Pace.__index = Pace

--- Offers a second, by default.
M.RATE = 100
-- Milliseconds for which a turn is kept for a kind that found no room. After that it may have nothing to offer.
local PATIENCE = 3000

local ELSEWHERE = "elsewhere" -- the kind that the other process makes

--- @tparam integer|nil rate offers a second
-- @tparam function clock -> ms, monotonic
function M.new(rate, clock)
  return setmetatable({ rate = rate or M.RATE, clock = clock, allowance = 1, refilled = clock(), wants = {}, made = 0,
    wanted = false }, Pace)
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
    self.wants[who], self.wanted = now, true
    return 0
  end
  self.wants[who] = nil
  return self.allowance
end

--- An offer was made.
function Pace:take(who)
  self.allowance, self.last, self.made = self.allowance - 1, who, self.made + 1
end

--- What happened since the last call, for was_taken() of the other process that makes offers.
-- @treturn integer|nil how many were made; nil: nothing happened
-- @treturn boolean whether more are wanted
function Pace:report()
  if self.made == 0 and not self.wanted then return nil end
  local made, wanted = self.made, self.wanted
  self.made, self.wanted = 0, false
  return made, wanted
end

--- What the other process reports. It is one more kind here, and takes turns with the others.
function Pace:was_taken(made, wanted)
  self.allowance = self.allowance - made
  if made > 0 then self.last, self.wants[ELSEWHERE] = ELSEWHERE, nil end
  if wanted then self.wants[ELSEWHERE] = self.clock() end
end

--- Milliseconds until there is room for another.
function Pace:timeout()
  return math.ceil(math.max(0, (1 - self.allowance) * 1000 / self.rate))
end

return M
