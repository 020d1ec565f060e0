--- Bytes that are reserved in the state directory, so that an update has space.
--
-- Other programs may fill the file system. If the space gate finds too little, the
-- reserve is removed. It is made again when no update is under way and there is
-- space for it, at most once a day. Its bytes are random, so that no file system
-- compresses them away.
--
-- @module update.agent.reserve

local M = {}

local DAY = 86400
local AGAIN = 3600 -- seconds between two looks
local FIRST = 60   -- seconds after the start of the agent
local RANDOM = "/dev/urandom"
local SPARE = 4    -- it is made where this many times its size is free

local Reserve = {}
Reserve.__index = Reserve

--- @tparam table o path, bytes (0: none), storage (update.native.storage), random (function(bytes) -> string),
--   size (function(path) -> bytes or nil), free (function -> bytes or nil), now (monotonic seconds), log
function M.new(o)
  return setmetatable({ path = o.path, bytes = o.bytes, storage = o.storage, random = o.random, size = o.size,
    free = o.free, now = o.now, log = o.log }, Reserve)
end

--- Make room.
-- @treturn boolean whether there was something to give
function Reserve:give_up()
  if not self.size(self.path) then return false end
  local ok, message = self.storage.remove(self.path)
  self.log(ok and ("reserve: %d bytes released for the update"):format(self.bytes) or ("reserve: %s"):format(message))
  return ok == true
end

--- Make it, if it is not there and should be.
-- @treturn boolean whether it is there, or none is wanted
function Reserve:refill()
  if self.bytes == 0 or self.size(self.path) == self.bytes then return true end
  if self.made and self.now() - self.made < DAY then return false end
  local free = self.free()
  if not free or free < SPARE * self.bytes then return false end
  self.made = self.now()
  local ok, message, code = self.random(self.bytes)
  if ok then ok, message, code = self.storage.replace(self.path, ok) end
  if not ok then self.log(("reserve: %s (%s)"):format(message, code)) end
  return ok == true
end

--- Look after it for ever, in a task.
-- @tparam table tasks update.scheduler
-- @tparam function idle () -> whether nothing is going on
function Reserve:run(tasks, idle)
  tasks:wait(FIRST)
  while true do
    if idle() then self:refill() end
    tasks:wait(AGAIN)
  end
end

--- The size of a file; nil when there is none.
function M.size(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local size = file:seek "end"
  file:close()
  return size
end

--- Bytes that cannot be packed.
-- @treturn string|nil exactly `bytes` of them | nil, message, code
function M.random(bytes)
  local file, message = io.open(RANDOM, "rb")
  if not file then return nil, message, "internal" end
  local text = file:read(bytes)
  file:close()
  if not text or #text < bytes then return nil, RANDOM .. " gives too few bytes", "internal" end
  return text
end

return M
