--- A medium that does not keep what is written to it.
--
-- What does not read back as it was written is not armed. A cloud offers the
-- release again, and each try wears the medium: after three in a row that
-- release rests, longer each time. `moult install` does not wait for that.
--
-- @module update.engine.unkept

local M = {}

--- Tries in a row before a release rests; as many as a trial has starts.
M.TRIES = 3

local REST_LEAST, REST_MOST = 3600, 86400 -- seconds

local Unkept = {}
Unkept.__index = Unkept

--- @tparam function now seconds of a clock that only goes forward
function M.new(now)
  return setmetatable({ now = now, times = 0, due = 0 }, Unkept)
end

--- An attempt with a release ended.
-- @tparam string digest of its manifest
-- @tparam string|nil code what it failed with
-- @treturn integer|nil tries in a row, when it rests now
-- @treturn integer|nil seconds that it rests
function Unkept:ended(digest, code)
  if code ~= "write" then
    if not code then self.digest = nil end
    return nil
  end
  self.times = self.digest == digest and self.times + 1 or 1
  self.digest = digest
  if self.times < M.TRIES then return nil end
  local rest = math.min(REST_MOST, REST_LEAST << math.min(self.times - M.TRIES, 5))
  self.due = self.now() + rest
  return self.times, rest
end

--- Seconds until a release may be tried again; nil: now.
-- @tparam string digest of its manifest
function Unkept:rest(digest)
  local left = self.due - self.now()
  if self.digest ~= digest or self.times < M.TRIES or left <= 0 then return nil end
  return math.ceil(left)
end

return M
