--- One connection of the control socket, as the agent sees it.
--
-- What it may cost is bounded: when so many of its requests are open, or so much
-- that was answered is not read, nothing more is read from it until that is less.
--
-- @module update.control.peer

local rights = require "update.control.rights"

local M = {}

local OPEN = 32             -- requests that are served at a time
local OPEN_BYTES = 131072   -- of the lines that they came in
local UNREAD = 65536        -- bytes of answers that wait to be read
local TURN = 16             -- lines, after which others are heard
local KNOWN_WITHIN = 20     -- tenths of a second, in which the supervisor says who the script is
local SHOWN = 200           -- bytes of a stranger's word in a message

local Peer = {}
Peer.__index = Peer

--- @tparam table server update.control
-- @tparam table channel
-- @tparam table who pid, uid, own, named, member
function M.new(server, channel, who)
  return setmetatable({ server = server, channel = channel, who = who, open = 0, bytes = 0, drained = {},
    active = server.tasks.now() }, Peer)
end

--- Whether this is the script that runs, or was started by it.
function Peer:is_inside()
  local script = self.server.script()
  if not self.inside and script then self.inside = self.server.descends(self.who.pid, script) end
  return self.inside == true
end

--- It wants to hear of every event.
-- @tparam boolean|nil facts whether it is a program that answers when facts are asked for; nil: as before
function Peer:watch(facts)
  self.watching = true
  if facts ~= nil then self.facts = facts end
end

--- It is the script's, and answers when facts are asked for.
function Peer:tells_facts()
  self.script = true
end

--- It is the script's, and has a handler for hotfixes.
function Peer:takes_hotfixes()
  self.hotfix = true
end

--- What it may ask for: "owner", "script" or "group".
function Peer:rights()
  return self.class
end

--- Whether it went. What it asked for before that is still done.
function Peer:is_gone()
  return self.closed == true
end

--- Whether nothing of it would be lost with the connection.
function Peer:is_idle()
  return self.open == 0 and not (self.script and self.who.pid == self.server.script())
end

--- Send one object; a peer that does not read is dropped.
function Peer:send(object)
  if self.closed then return end
  local ok, message, code = self.channel:send(self.server.json.encode(object))
  if not ok then
    -- That somebody went before the answer came is no news.
    if code ~= "network" then self.server.log(("control: a connection is closed: %s"):format(message)) end
    self:close()
  elseif self.task and self.channel:wants_write() then
    self.server:relieve()
    self.server.tasks:wake(self.task) -- so that it watches for writing too
  end
end

function Peer:close()
  if self.closed then return end
  self.closed = true
  self.channel:close()
  if not self.task then return end -- it was never let in
  self.server.tasks:wake(self.task) -- its descriptor is no longer there to be watched
  self.server.peers[self] = nil
  if self.server.on_leave then self.server.on_leave(self) end
end

--- Say why not, and end.
function Peer:refuse(message, code)
  self:send { ok = false, message = message, code = code }
  self:close()
end

local function answer(self, request, ...)
  local result, message, code = ...
  if result == nil then
    self:send { id = request.id, ok = false, message = message or "no reason given", code = code or "internal" }
  else
    self:send { id = request.id, ok = true, result = result }
  end
end

local function handle(self, request)
  local verb = self.server.printable(request.verb, SHOWN)
  local handler = self.server.handlers[request.verb]
  local forbidden = rights.forbids(self.class, request, self.server.given)
  if not handler then return answer(self, request, nil, ("no verb %q here"):format(verb), "usage") end
  if forbidden then
    return answer(self, request, nil, ("user %d %s: %s"):format(self.who.uid, forbidden,
      rights.who_may(self.server.group)), "refused")
  end
  local results = table.pack(xpcall(handler, debug.traceback, request, self))
  if not results[1] then
    self.server.log(("control: %s failed: %s"):format(verb, results[2]))
    return answer(self, request, nil, "the agent failed; its log has the traceback", "internal")
  end
  if request.id ~= nil then answer(self, request, table.unpack(results, 2, results.n)) end
end

function Peer:serve(request, size)
  handle(self, request)
  self.open, self.bytes = self.open - 1, self.bytes - size
  self.active = self.server.tasks.now()
  self.server.tasks:set(self.drained)
end

function Peer:take(line)
  local request, message = self.server.json.decode(line)
  if type(request) ~= "table" or type(request.verb) ~= "string" then
    return self:send { ok = false, message = message or "a request is an object with a verb", code = "usage" }
  end
  if type(request.id) == "table" then
    return self:send { ok = false, message = "the id of a request is a number or a string", code = "usage" }
  end
  self.open, self.bytes = self.open + 1, self.bytes + #line
  self.server.tasks:spawn("control request", self.serve, self, request, #line)
end

-- Wait until what is open or unread is less.
local function wait_for_room(self)
  if self.channel:wants_write() then
    self.server.tasks:watch { { fd = self.channel:fd(), write = true } }
    if self.closed or not self.channel:wants_write() then return end
    local ok, _, code = self.channel:flush()
    if not ok and code ~= "again" then self:close() end
  else
    self.server.tasks:await(self.drained)
  end
end

local function is_full(self)
  return self.open >= OPEN or self.bytes >= OPEN_BYTES or self.channel:queued() >= UNREAD
end

-- The script may be here before the supervisor has told of it.
local function find_class(self)
  for _ = 1, KNOWN_WITHIN do
    self.class = rights.class(self.who, self:is_inside())
    if self.class or not self.who.named or self.closed then break end
    self.server.tasks:wait(0.1)
  end
  return self.class
end

--- Read lines and send what is queued, until the peer goes.
function Peer:run()
  if self.closed then return end -- it had to make way before it began
  local watch, lines = { fd = self.channel:fd(), read = true }, 0
  if not find_class(self) then
    return self:refuse(("user %d may not ask the agent: %s"):format(self.who.uid,
      rights.who_may(self.server.group)), "refused")
  end
  while not self.closed do
    local line, message, code
    if not is_full(self) then line, message, code = self.channel:receive() end
    if line then
      self:take(line)
      self.active, lines = self.server.tasks.now(), lines + 1
      if lines % TURN == 0 then self.server.tasks:turn() end
    elseif not code then
      wait_for_room(self)
    elseif code ~= "again" then
      if code ~= "nothing" then self.server.log(("control: a connection is closed: %s"):format(message)) end
      return self:close()
    else
      watch.write = self.channel:wants_write()
      self.server.tasks:watch { watch }
      if not self.closed and watch.write then self.channel:flush() end
    end
  end
end

return M
