--- The admin server as a process of its own beside the depot, started anew when it ends.
--
-- What people do, and what is wrong with it, costs devices nothing then.
--
-- @module depot.api.child

local M = {}

local Child = {}
Child.__index = Child

local SETTLED = 3 -- seconds after which one that ends is started anew; before, something is wrong from the start
local PAUSES = { 1, 2, 5, 15, 60 } -- seconds until then, longer each time

local PASSED = { "admin", "admin-cert", "admin-key", "keys", "secret-file", "webhook-ca" }
local LISTS = { "admin-url", "trusted-proxy" }

-- The words that start it: this program, with what concerns it.
local function words_of(dir, opts)
  local words = { "/proc/self/exe", "depot", "admin", dir, "--with-depot" }
  local function add(name, value)
    words[#words + 1], words[#words + 2] = "--" .. name, value
  end
  for _, name in ipairs(PASSED) do
    if opts[name] then add(name, opts[name]) end
  end
  for _, name in ipairs(LISTS) do
    for _, value in ipairs(opts[name] or {}) do add(name, value) end
  end
  for _, name in ipairs { "json", "quiet", "webhook-private" } do
    if opts[name] then words[#words + 1] = "--" .. name end
  end
  return words
end

--- @tparam table natives update.natives
-- @tparam string dir
-- @tparam table opts of the verb
-- @tparam function note function(text)
-- @treturn table|nil child; nil, message, code
function M.start(natives, dir, opts, note)
  local self = setmetatable({ natives = natives, words = words_of(dir, opts), note = note, tries = 0 }, Child)
  local ok, message, code = self:_start()
  return ok and self, message, code
end

function Child:_start()
  local command, fd, code = self.natives.command.start(self.words, true)
  self.began = self.natives.loop.now()
  if not command then return false, fd, code end
  self.command, self.channel, self.told, self.trouble = command, self.natives.channel.from_fd(fd), nil, nil
  return true
end

-- The pause until it is started anew, counted from now.
function Child:_pause(now)
  self.tries = math.min(self.tries + 1, #PAUSES)
  self.again = now + PAUSES[self.tries]
  return PAUSES[self.tries]
end

function Child:_start_again(now)
  if now < self.again then return end
  local ok, message = self:_start()
  if ok then return end
  self:_pause(now)
  if message ~= self.trouble then self.note("admin: the server cannot be started, it is tried again: " .. message) end
  self.trouble = message
end

--- Let it know how the store process is, for /readyz.
-- @tparam string state of depot.store_link
function Child:tell(state)
  if self.channel and state ~= self.told and self.channel:send(state) then self.told = state end
end

function Child:_end()
  if self.channel then self.channel:close() end
  self.command:close()
  self.command, self.channel = nil, nil
end

--- See whether it runs; start it anew when it is time.
-- @treturn true|nil nil, message, code: it does not run at all
function Child:step()
  local now = self.natives.loop.now()
  if not self.command then
    self:_start_again(now)
    return true
  end
  local status = self.command:poll()
  if not status then
    if now - self.began > SETTLED then self.settled = true end
    if now - self.began > PAUSES[#PAUSES] then self.tries = 0 end
    return true
  end
  self:_end()
  if not self.settled then return nil, "the admin server did not start; see above", "refused" end
  self.note(("admin: the server ended (%d); it is started anew in %d s"):format(status, self:_pause(now)))
  return true
end

--- Let it read its files again; one that does not run does so when it starts.
function Child:reload()
  if self.command then self.command:hang_up() end
end

--- End it.
function Child:close()
  if self.command then self:_end() end
end

return M
