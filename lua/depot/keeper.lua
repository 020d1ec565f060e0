--- Keeps the cloud of a depot going while its database is in trouble.
--
-- What only devices at a broker need never keeps packages from being served.
-- A database that cannot be opened is tried again; one that cannot be written
-- waits with what came (depot.fleet). A damaged one is set aside, and a new one
-- begun: devices report again, jobs and batches are to be given again. One that
-- was deleted meanwhile is written once more, from what is still open; one that
-- was put in its place is taken over. Each trouble is said once, and its end.
-- When the system's clock was set back, the cloud is opened anew, which takes
-- back all times that are not over yet.
--
-- @module depot.keeper

local cloud = require "depot.mqtt"
local rescue = require "depot.rescue"

local M = {}

local Keeper = {}
Keeper.__index = Keeper

-- Seconds.
local RETRY = 5  -- until a database is opened again
local LOOK = 1   -- between two looks whether it is still there
local CLOCK = 60 -- between two times that the clock's being set back opens it anew
local STUCK = 30 -- until one that cannot be written, for whatever reason, is opened anew

-- Troubles that pass by themselves, without another handle.
local PASSING = { busy = true, nospace = true }

--- @tparam table natives update.natives
-- @tparam table options as depot.mqtt.open() takes them
-- @treturn table|nil keeper, also while the database cannot be opened; nil, message, code: not to be mended by waiting
function M.open(natives, options)
  local self = setmetatable({ natives = natives, options = options, tell = options.on_event, waiting = {}, retry_at = 0,
    look_at = 0 }, Keeper)
  local ok, message, code = self:_open()
  if not ok and code then return nil, message, code end
  return self
end

function Keeper:_trouble(message, code)
  if self.trouble == code then return end
  self.trouble = code
  self.tell { kind = "store", text = ("%s (%s); packages are served meanwhile"):format(message, code) }
end

function Keeper:_well()
  if self.trouble then self.tell { kind = "store", text = "works again" } end
  self.trouble, self.stuck_at = nil, nil
end

-- Put a damaged database aside: whether that can be done.
function Keeper:_set_aside(message, code)
  local path = rescue.set_aside(self.options.dir)
  if path then
    self.tell { kind = "store", text = ("%s (%s); it is kept as %s, a new one is begun: jobs and batches are to be "
      .. "given again"):format(message, code, path) }
  end
  return path ~= nil
end

-- Open the cloud: true; false when it is tried again, or the folder is a copy; nil, message, code: it is hopeless.
function Keeper:_open()
  local opened, message, code, hopeless = cloud.open(self.natives, self.options)
  if not opened and code == "corrupt" and self:_set_aside(message, code) then
    opened, message, code, hopeless = cloud.open(self.natives, self.options)
  end
  if opened then
    self.cloud, self.fleet, self.store, self.check = opened, opened.fleet, opened.store, opened.check
    self.clock_at = self.natives.loop.now() + CLOCK
    self.fleet:look()
    self.fleet:take_up(self.waiting)
    self.waiting = {}
    self:_well()
    return true
  elseif opened == false then
    self.copied = true
    self.tell { kind = "kept off the broker", text = message }
    return false
  elseif hopeless and not self.begun then
    return nil, message, code
  end
  self:_trouble(message, code)
  self.retry_at = self.natives.loop.now() + RETRY
  return false
end

-- Close the cloud; what it has heard is for the next one.
function Keeper:_drop()
  self.waiting = self.fleet:leave()
  self.cloud:close()
  self.cloud, self.fleet, self.store = nil, nil, nil
end

-- What is stamped lies ahead of the system's clock, and would stay so.
function Keeper:_begin_anew()
  self.tell { kind = "clock", text = "the system's clock was set back: what was stamped since counts as of now" }
  self:_drop()
  self:_open()
end

-- Look whether the database is still the one in the folder, and the clock the one that it was opened by.
function Keeper:_look(now)
  if now < self.look_at then return end
  self.look_at = now + LOOK
  if not self.store:has_moved() then
    if now >= self.clock_at and self.cloud.is_ahead() then self:_begin_anew() end
    return
  end
  local dir = self.options.dir
  local saved, message, code = self.store:commit()
  if saved then saved, message, code = rescue.write_again(self.natives, self.store, dir) end
  if saved == nil then return self:_trouble(message, code) end
  self.tell { kind = "store", text = dir .. "/depot.db " .. (saved and "was taken away, and is written again"
    or "was replaced, and is opened anew") }
  self:_drop()
  if saved then rescue.put_back(dir) end
  self:_open()
end

local function step(fleet)
  local done, ok, message, code = xpcall(fleet.step, debug.traceback, fleet)
  if done then return ok, message, code end
  fleet:forget()
  return nil, ok, "internal"
end

--- Do what there is to do; call after each poll.
function Keeper:step()
  self.begun = true
  local now = self.natives.loop.now()
  if not self.cloud then
    if not self.copied and now >= self.retry_at then self:_open() end
    return
  end
  self:_look(now)
  if not self.cloud then return end
  local ok, message, code = step(self.fleet)
  if ok then
    if not self.fleet:is_paused() then self:_well() end
    return
  end
  self:_trouble(message, code)
  self.stuck_at = self.stuck_at or now + STUCK
  if code == "corrupt" then
    self:_drop()
    if not self:_set_aside(message, code) then self.retry_at = now + RETRY end
  elseif not PASSING[code] and now > self.stuck_at then
    self:_drop()
  end
end

--- The catalog has changed.
function Keeper:look()
  if self.fleet then self.fleet:look() end
end

--- The descriptor to poll for reading, and for writing while wants_write(); nil while there is none.
function Keeper:fd() return self.fleet and self.fleet:fd() end

function Keeper:wants_write() return self.fleet ~= nil and self.fleet:wants_write() end

--- Milliseconds within which step() wants to be called again.
function Keeper:timeout()
  return self.fleet and self.fleet:timeout() or RETRY * 1000
end

--- Leave the broker; its session stays.
function Keeper:close()
  if self.cloud then self.cloud:close() end
end

return M
