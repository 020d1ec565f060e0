--- For how long a server may be unreachable, over all attempts to fetch one package.
--
-- Pure: the caller passes the time.
--
-- @module update.engine.patience

local M = {}

local Patience = {}
Patience.__index = Patience

--- @tparam number seconds from the first failure on
function M.new(seconds)
  return setmetatable({ seconds = seconds }, Patience)
end

--- The network failed.
-- @tparam number now seconds
-- @treturn boolean whether patience is over
function Patience:failed(now)
  self.since = self.since or now
  return now - self.since >= self.seconds
end

--- There was progress: patience begins anew.
function Patience:moved()
  self.since = nil
end

return M
