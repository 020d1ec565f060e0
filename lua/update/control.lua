--- The control socket: JSON lines between the agent and whoever asks it.
--
--     -> {"id":1,"verb":"status"}
--     <- {"id":1,"ok":true,"result":{...}}      or {"id":1,"ok":false,"message":"...","code":"busy"}
--     <- {"event":"progress",...}               to those who said {"verb":"watch"}
--
-- Requests of one connection are answered as they end, in any order. A
-- connection that ends takes nothing with it: what it started goes on.
--
-- @module update.control

local M = {}

local PEERS = 16 -- connections at a time

local Peer = {}
Peer.__index = Peer

--- Send one object; a peer that does not read is dropped.
function Peer:send(object)
  if self.closed then return end
  local ok, message, code = self.channel:send(self.server.json.encode(object))
  if not ok then
    -- That somebody went before the answer came is no news.
    if code ~= "network" then self.server.log(("control: a peer is dropped: %s"):format(message)) end
    self:close()
  elseif self.channel:wants_write() then
    self.server.tasks:wake(self.task) -- so that it watches for writing too
  end
end

function Peer:close()
  if self.closed then return end
  self.closed = true
  self.channel:close()
  self.server.tasks:wake(self.task) -- its descriptor is no longer there to be watched
  self.server.peers[self] = nil
  if self.server.on_leave then self.server.on_leave(self) end
end

local function answer(self, request, ...)
  local result, message, code = ...
  if result == nil then
    self:send { id = request.id, ok = false, message = message or "no reason given", code = code or "internal" }
  else
    self:send { id = request.id, ok = true, result = result }
  end
end

function Peer:serve(request)
  local handler = self.server.handlers[request.verb]
  if not handler then
    return answer(self, request, nil, ("no verb %q here"):format(tostring(request.verb)), "usage")
  end
  local results = table.pack(xpcall(handler, debug.traceback, request, self))
  if not results[1] then
    self.server.log(("control: %s failed: %s"):format(request.verb, results[2]))
    return answer(self, request, nil, "the agent failed; its log has the traceback", "internal")
  end
  if request.id ~= nil then answer(self, request, table.unpack(results, 2, results.n)) end
end

function Peer:take(line)
  local request, message = self.server.json.decode(line)
  if type(request) ~= "table" or type(request.verb) ~= "string" then
    return self:send { ok = false, message = message or "a request is an object with a verb", code = "usage" }
  end
  self.server.tasks:spawn("control " .. request.verb, self.serve, self, request)
end

-- Reads lines and sends what is queued, until the peer goes.
function Peer:run()
  local watch = { fd = self.channel:fd(), read = true }
  while not self.closed do
    local line, message, code = self.channel:receive()
    if line then
      self:take(line)
    elseif code ~= "again" then
      if code ~= "nothing" then self.server.log(("control: a peer is dropped: %s"):format(message)) end
      return self:close()
    else
      watch.write = self.channel:wants_write()
      self.server.tasks:watch { watch }
      if not self.closed and watch.write then self.channel:flush() end
    end
  end
end

local Server = {}
Server.__index = Server

--- Serve on a listener, in tasks of their own.
-- @tparam table o listener (update.native.channel; nil: listen() is called later), json, tasks, log,
--   handlers ({[verb] = function(request, peer) -> result | nil, message, code}),
--   on_leave (function(peer))
-- @treturn table server; server.peers is a set; broadcast(event)
function M.serve(o)
  local self = setmetatable({ json = o.json, tasks = o.tasks, log = o.log,
    handlers = o.handlers, on_leave = o.on_leave, peers = {} }, Server)
  if o.listener then self:listen(o.listener) end
  return self
end

--- Serve on this listener from now on.
function Server:listen(listener)
  self.listener = listener
  self.tasks:spawn("control", self.accept, self)
end

function Server:accept()
  local watch = { fd = self.listener:fd(), read = true }
  while true do
    local channel, message, code = self.listener:accept()
    local count = 0
    for _ in pairs(self.peers) do count = count + 1 end
    if channel and count >= PEERS then
      channel:send(self.json.encode { ok = false, message = "too many connections to the agent", code = "busy" })
      channel:close()
    elseif channel then
      local peer = setmetatable({ channel = channel, server = self }, Peer)
      self.peers[peer] = true
      peer.task = self.tasks:spawn("peer", peer.run, peer)
    elseif code == "again" then
      self.tasks:watch { watch }
    else
      self.log(("control: accept: %s (%s)"):format(message, code))
      self.tasks:wait(1)
    end
  end
end

--- Tell an event to everyone who watches.
function Server:broadcast(event)
  for peer in pairs(self.peers) do
    if peer.watching then peer:send(event) end
  end
end

local Client = {}
Client.__index = Client

--- A client over a connected channel.
-- @tparam table o channel, json, tasks (a scheduler; calls are made in its tasks)
function M.client(o)
  return setmetatable({ channel = o.channel, json = o.json, tasks = o.tasks, id = 0 }, Client)
end

-- The next object from the agent: nil, message, code when there will be none.
function Client:receive()
  local watch = { fd = self.channel:fd(), read = true }
  while true do
    local line, message, code = self.channel:receive()
    if line then
      local object, why = self.json.decode(line)
      if type(object) == "table" then return object end
      return nil, ("the agent answered no JSON: %s"):format(why), "internal"
    elseif code ~= "again" then
      return nil, code == "nothing" and "the agent went away" or ("the agent: %s"):format(message), "network"
    end
    watch.write = self.channel:wants_write()
    self.tasks:watch { watch }
    if watch.write then self.channel:flush() end
  end
end

--- Ask and wait for the answer.
-- @tparam string verb
-- @tparam[opt] table fields of the request
-- @tparam[opt] function on_event called with each event that comes meanwhile
-- @return result | nil, message, code ("network": the agent went away)
function Client:call(verb, fields, on_event)
  local request = { verb = verb }
  for name, value in pairs(fields or {}) do request[name] = value end
  self.id = self.id + 1
  request.id = self.id
  local ok, message, code = self.channel:send(self.json.encode(request))
  if not ok then return nil, ("the agent: %s"):format(message), code end
  while true do
    local object
    object, message, code = self:receive()
    if not object then
      return nil, ("%s before it answered %s; `moult status` shows how far it got"):format(message, verb), code
    elseif object.event then
      if on_event then on_event(object) end
    elseif object.id == request.id or object.id == nil then
      if object.ok then return object.result end
      return nil, object.message, object.code
    end
  end
end

--- Hand every event to fn, until the agent goes away or fn gives true.
-- @tparam function fn called with an event (a table)
-- @treturn true|nil nil, message, "network" when the agent went away
function Client:follow(fn)
  local ok, message, code = self:call("watch", nil, fn)
  while ok do
    local object
    object, message, code = self:receive()
    if not object then return nil, message, code end
    if object.event and fn(object) then return true end
  end
  return nil, message, code
end

function Client:close()
  self.channel:close()
end

return M
