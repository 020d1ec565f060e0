--- What failed too often in a row rests, longer each time.
--
-- A cloud offers a release again and again. The engine has one for releases
-- that the medium does not keep, since each try wears it (`moult install` does
-- not wait for that); a cloud's listener for those that the script gives up.
--
-- @module update.engine.rests

local M = {}

--- Failures in a row before something rests; as many as a trial has starts.
M.TRIES = 3

local REST_LEAST, REST_MOST = 3600, 86400 -- seconds

local Rests = {}
Rests.__index = Rests

--- @tparam function now seconds of a clock that only goes forward
function M.new(now)
  return setmetatable({ now = now, times = 0, due = 0 }, Rests)
end

--- It failed. Only what failed last is remembered.
-- @tparam string key of the release
-- @treturn integer|nil failures in a row, when it rests now
-- @treturn integer|nil seconds that it rests
function Rests:failed(key)
  self.times = self.key == key and self.times + 1 or 1
  self.key = key
  if self.times < M.TRIES then return nil end
  local rest = math.min(REST_MOST, REST_LEAST << math.min(self.times - M.TRIES, 5))
  self.due = self.now() + rest
  return self.times, rest
end

--- Something went well: what failed before begins anew.
function Rests:passed()
  self.key = nil
end

--- Seconds until a release may be tried again; nil: now.
-- @tparam string key of the release
function Rests:rest(key)
  local left = self.due - self.now()
  if self.key ~= key or self.times < M.TRIES or left <= 0 then return nil end
  return math.ceil(left)
end

return M
