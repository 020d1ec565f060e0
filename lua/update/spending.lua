--- What was spent on the link today, kept over starts of the agent.
--
-- A day is one of UTC. The count is written when it has grown by a mebibyte,
-- and at the end of each transfer: a block of flash for what wrote hundreds of
-- them. It is not synced: after a power cut the day may begin anew, which an
-- agent that is merely started again does not get.
--
-- @module update.spending

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
-- (function, seconds since 1970), log (function of a line)
function M.new(o)
  local self = setmetatable({ path = o.path, storage = o.storage, now = o.now, log = o.log, bytes = 0 }, Spending)
  local day, bytes = read(o.storage, o.path)
  self.day = o.now() // DAY
  if day == self.day and bytes then self.bytes = bytes end
  self.written = self.bytes
  return self
end

local function turn(self)
  local day = self.now() // DAY
  if day ~= self.day then self.day, self.bytes, self.written = day, 0, 0 end
end

local function write(self)
  local ok, message = self.storage.replace(self.path, ("%d %d\n"):format(self.day, self.bytes))
  if not ok then self.log(("%s: %s; what is spent today is not kept"):format(self.path, message)) end
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
