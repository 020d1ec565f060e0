--- For how long a server may be out of reach, over all attempts at one package.
--
-- Pure: the time is handed in.
--
-- @module update.engine.patience

local M = {}

local Patience = {}
Patience.__index = Patience

--- @tparam number seconds since the first failure for which it lasts
function M.new(seconds)
  return setmetatable({ seconds = seconds }, Patience)
end

--- The network failed.
-- @tparam number now seconds
-- @treturn boolean whether it is over
function Patience:failed(now)
  self.since = self.since or now
  return now - self.since >= self.seconds
end

--- Something came: it begins anew.
function Patience:moved()
  self.since = nil
end

return M
