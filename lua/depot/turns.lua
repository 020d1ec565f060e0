--- Queries over HTTP while the pace is used up: some wait for their turn, the others are asked to come again.
--
-- A client that waits holds a connection. So only as many wait as can be
-- answered within seconds, and no more than a share of all connections.
--
-- @module depot.turns

local M = {}

local Turns = {}
Turns.__index = Turns

local WITHIN = 10     -- seconds; vendors' clients wait for half a minute
local SHARE = 4       -- one in so many connections may wait
local LOOK_LEAST = 5  -- ms until the next check whether there is room
local WHO = "answers" -- our name for depot.pace

--- @tparam table pace depot.pace
-- @tparam integer connections allowed
function M.new(pace, connections)
  return setmetatable({ pace = pace, most = math.min(pace.rate * WITHIN, connections // SHARE), first = 1, last = 0,
    waiting = {} }, Turns)
end

--- A client asks and would be given a package.
-- @tparam table request returned by next() when its turn has come
-- @treturn string "now"; "waits"; "later": ask it to come again
function Turns:admit(request)
  local count = self.last - self.first + 1
  if count == 0 and self.pace:room(WHO) >= 1 then
    self.pace:take(WHO)
    return "now"
  elseif count >= self.most then
    return "later"
  end
  self.last = self.last + 1
  self.waiting[self.last] = request
  return "waits"
end

--- The next request whose turn has come.
-- @treturn table|nil
function Turns:next()
  if self.last < self.first or self.pace:room(WHO) < 1 then return nil end
  local request = self.waiting[self.first]
  self.waiting[self.first], self.first = nil, self.first + 1
  self.pace:take(WHO)
  return request
end

--- Milliseconds until next() may return a request; nil: none waits.
function Turns:timeout()
  return self.last >= self.first and math.max(LOOK_LEAST, self.pace:timeout()) or nil
end

return M
