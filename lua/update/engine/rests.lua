--- A release that failed too often in a row rests: it is not tried again for a while, which grows each time.
--
-- A cloud offers a release again and again. The engine lets releases rest that
-- the medium does not keep, because each try wears it; `moult install` does not
-- wait for that. The agent's rests are kept over restarts. A cloud's listener
-- lets releases rest that the script gives up.
--
-- @module update.engine.rests

local M = {}

--- Failures in a row before a release rests; as many as a trial has starts.
M.TRIES = 3

local REST_LEAST, REST_MOST = 3600, 86400 -- seconds

local Rests = {}
Rests.__index = Rests

-- After a restart it is unknown how much of the rest is over, so the shortest one begins.
local function remember(self)
  local key, times = (self.kept.storage.read(self.kept.path, 200) or ""):match("^(%S+) (%d+)\n$")
  self.key, self.times = key, key and math.tointeger(tonumber(times)) or 0
  if self.times >= M.TRIES then self.due = self.now() + REST_LEAST end
end

local function keep(self)
  if not self.kept then return end
  local ok, message = self.kept.storage.replace(self.kept.path,
    self.key and ("%s %d\n"):format(self.key, self.times) or "")
  if not ok then self.kept.log(("%s: %s; the pause after failures is not recorded"):format(self.kept.path, message)) end
end

--- @tparam function now seconds of a clock that only goes forward
-- @tparam[opt] table kept over starts: path (the file), storage (update.native.storage, whose read() and replace() are
--   used), log (function of a line)
function M.new(now, kept)
  local self = setmetatable({ now = now, kept = kept, times = 0, due = 0 }, Rests)
  if kept then remember(self) end
  return self
end

--- A release failed. Only the one that failed last is remembered.
-- @tparam string key of the release
-- @treturn integer|nil failures in a row, if it rests now
-- @treturn integer|nil seconds for which it rests
function Rests:failed(key)
  self.times = self.key == key and self.times + 1 or 1
  self.key = key
  keep(self)
  if self.times < M.TRIES then return nil end
  local rest = math.min(REST_MOST, REST_LEAST << math.min(self.times - M.TRIES, 5))
  self.due = self.now() + rest
  return self.times, rest
end

--- A release succeeded: forget the failures.
function Rests:passed()
  if not self.key then return end
  self.key = nil
  keep(self)
end

--- Seconds until a release may be tried again; nil: now.
-- @tparam string key of the release
function Rests:rest(key)
  local left = self.due - self.now()
  if self.key ~= key or self.times < M.TRIES or left <= 0 then return nil end
  return math.ceil(left)
end

return M
