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

local function read(path)
  local file = io.open(path)
  if not file then return nil end
  local day, bytes = (file:read(64) or ""):match("^(%d+) (%d+)\n$")
  file:close()
  return math.tointeger(tonumber(day)), math.tointeger(tonumber(bytes))
end

--- @tparam table o path (the file), now (function, seconds since 1970), log (function of a line)
function M.new(o)
  local self = setmetatable({ path = o.path, now = o.now, log = o.log, bytes = 0 }, Spending)
  local day, bytes = read(o.path)
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
  local file, message = io.open(self.path .. ".new", "w")
  local ok = file
  if file then
    ok, message = file:write(("%d %d\n"):format(self.day, self.bytes))
    ok = file:close() and ok
    if ok then ok, message = os.rename(self.path .. ".new", self.path) end
  end
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
