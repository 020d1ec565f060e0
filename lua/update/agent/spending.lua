--- Data usage of today, kept over restarts of the agent.
--
-- A day is one of UTC. The count is written when it has grown by a mebibyte,
-- and at the end of each transfer, which costs little flash beside the transfer
-- itself. It is not synced: after a power cut the day may begin at 0 again; after
-- a restart of the agent it does not. If the clock was never set, the count
-- stays until it is set, or until it has advanced by a day.
--
-- @module update.agent.spending

local M = {}

local STEP = 1024 * 1024 -- bytes between two writes
local DAY = 86400

local Spending = {}
Spending.__index = Spending

local function read(storage, path)
  local text = storage.read(path, 64) or ""
  local day, bytes = text:match("^(%d+) (%d+)\n$")
  return math.tointeger(tonumber(day)), math.tointeger(tonumber(bytes))
end

--- @tparam table o path (the file), storage (update.native.storage, whose read() and replace() are used), now
-- (function, seconds since 1970), is_set (function -> whether the clock was ever set), log (function of a line)
function M.new(o)
  local self = setmetatable({ path = o.path, storage = o.storage, now = o.now, is_set = o.is_set, log = o.log,
    bytes = 0 }, Spending)
  local day, bytes = read(o.storage, o.path)
  if day and bytes then
    self.bytes = bytes
    self.day = day > 0 and day or nil -- 0: the clock was not set then
  end
  self.unset_day = o.now() // DAY
  self.written = self.bytes
  return self
end

local function begin_day(self)
  self.bytes, self.written = 0, 0
end

local function turn(self)
  local day = self.now() // DAY
  if not self.is_set() then
    if day > self.unset_day then begin_day(self) end
    self.unset_day = day
  elseif day ~= self.day then
    if self.day then begin_day(self) end
    self.day = day
  end
end

local function write(self)
  local ok, message = self.storage.replace(self.path, ("%d %d\n"):format(self.day or 0, self.bytes))
  if not ok then self.log(("%s: %s; today's data usage is not recorded"):format(self.path, message)) end
  self.written = self.bytes
end

--- Bytes that came off the wire.
-- @tparam integer bytes
-- @tparam boolean goes_on more of the same transfer will follow
function Spending:add(bytes, goes_on)
  turn(self)
  self.bytes = self.bytes + bytes
  local fresh = self.bytes - self.written
  if fresh >= STEP or (fresh > 0 and not goes_on) then write(self) end
end

--- @treturn integer bytes since 00:00 UTC
function Spending:today()
  turn(self)
  return self.bytes
end

return M
