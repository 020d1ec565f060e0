--- Keeps the cloud of a depot going while its database is in trouble.
--
-- Trouble with it never keeps packages from being served. A database that
-- cannot be opened is tried again. While one cannot be written, messages wait
-- (depot.fleet). A damaged one is set aside and a new one begun: devices report
-- again, and the operator has to give jobs and batches and add patches again. One that was
-- deleted is written again from the open file; one that was replaced is used.
-- Each trouble is logged once, and so is its end. After the system's clock was
-- set back, the cloud is opened anew, which corrects time stamps in the future.
--
-- @module depot.keeper

local cloud = require "depot.mqtt"
local rescue = require "depot.rescue"

local M = {}

local Keeper = {}
Keeper.__index = Keeper

-- Seconds.
local RETRY = 5  -- until a database is opened again
local LOOK = 1   -- between two checks whether the file is still there
local CLOCK = 60 -- at least, between two times that the cloud is opened anew because the clock was set back
local STUCK = 30 -- until a database that cannot be written is opened anew

-- Troubles that pass without opening the database anew.
local PASSING = { busy = true, nospace = true }

--- @tparam table natives update.natives
-- @tparam table options as depot.mqtt.open() takes them
-- @treturn table|nil keeper, even if the database cannot be opened yet; nil, message, code: waiting will not help
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

-- Set a damaged database aside. Returns whether that worked.
function Keeper:_set_aside(message, code)
  local path = rescue.set_aside(self.options.dir)
  if path then
    self.tell { kind = "store", text = ("%s (%s); it is kept as %s, and a new one is begun: give jobs and "
      .. "batches and add patches again"):format(message, code, path) }
  end
  return path ~= nil
end

-- Open the cloud: true; false: it is tried again, or the folder is a copy; nil, message, code: waiting will not help.
function Keeper:_open()
  local opened, message, code, hopeless = cloud.open(self.natives, self.options)
  if not opened and code == "corrupt" and self:_set_aside(message, code) then
    opened, message, code, hopeless = cloud.open(self.natives, self.options)
  end
  if opened then
    self.cloud, self.fleet, self.store, self.secret = opened, opened.fleet, opened.store, opened.secret
    self.query = opened.query
    self.clock_at = self.natives.loop.now() + CLOCK
    self.fleet:look()
    self.fleet:take_up(self.waiting)
    self.waiting, self.options.replaced = {}, nil
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

-- Close the cloud. The next one handles the messages that it has received.
function Keeper:_drop()
  self.waiting = self.fleet:leave()
  self.cloud:close()
  self.cloud, self.fleet, self.store, self.secret, self.query = nil, nil, nil, nil, nil
end

-- Time stamps lie in the future of the system's clock, and would stay there.
function Keeper:_begin_anew()
  self.tell { kind = "clock", text = "the system's clock was set back: time stamps in the future count as now" }
  self:_drop()
  self:_open()
end

-- Check that the open database is still the file in the folder, and that the clock was not set back.
function Keeper:_look(now)
  if now < self.look_at then return end
  self.look_at = now + LOOK
  if not self.store:has_moved() then
    if now >= self.clock_at and self.cloud.is_ahead() then self:_begin_anew() end
    return
  end
  local dir = self.options.dir
  local saved, message, code = self.store:commit()
  if saved then saved, message, code = rescue.write_again(self.store, dir) end
  if saved == nil then return self:_trouble(message, code) end
  self.tell { kind = "store", text = dir .. "/depot.db " .. (saved and "was removed, and is written again"
    or "was replaced, and the new one is used") }
  self.options.replaced = not saved or nil
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

--- Do the work that is due; call after each poll.
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

--- Milliseconds until step() has to be called again.
function Keeper:timeout()
  return self.fleet and self.fleet:timeout() or RETRY * 1000
end

--- Leave the broker; its session stays.
function Keeper:close()
  if self.cloud then self.cloud:close() end
end

return M
