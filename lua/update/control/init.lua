--- The control socket: JSON lines between the agent and whoever asks it.
--
--     -> {"id":1,"verb":"status"}
--     <- {"id":1,"ok":true,"result":{...}}      or {"id":1,"ok":false,"message":"...","code":"busy"}
--     <- {"event":"progress",...}               to those who said {"verb":"watch"}
--
-- Requests of one connection are answered as they end, in any order. A
-- connection that ends takes nothing with it: what it started goes on. Who may
-- ask for what is in update.control.rights, what one connection may cost in
-- update.control.peer.
--
-- @module update.control

local peers = require "update.control.peer"

local M = {}

local PEERS = 16       -- connections at a time
local KEPT = 2         -- of them for those who were not started by the script
local UNREAD = 1048576 -- bytes that wait to be read, of all together
local TURN = 16        -- connections, after which others are heard

local Server = {}
Server.__index = Server

--- Serve on a listener, in tasks of their own.
-- @tparam table o listener (update.native.channel; nil: listen() is called later), json, tasks, log,
--   handlers ({[verb] = function(request, peer) -> result | nil, message, code}),
--   on_leave (function(peer)), printable (function(text, most)), descends (function(pid,
--   ancestor)), script (function -> process of the script or nil), user (that the script runs
--   as, or nil), group (control_group or nil), given (control_verbs or nil)
-- @treturn table server; server.peers is a set; broadcast(event)
function M.serve(o)
  local self = setmetatable({ json = o.json, tasks = o.tasks, log = o.log, handlers = o.handlers,
    on_leave = o.on_leave, printable = o.printable, descends = o.descends, script = o.script or function() end,
    user = o.user, group = o.group, given = o.given, peers = {}, admitted = 0 }, Server)
  if o.listener then self:listen(o.listener) end
  return self
end

--- Serve on this listener from now on.
function Server:listen(listener)
  self.listener = listener
  self.tasks:spawn("control", self.accept, self)
end

-- How many there are, and how many of them the script has started.
local function count(self)
  local all, inside = 0, 0
  for peer in pairs(self.peers) do
    all = all + 1
    if peer:is_inside() then inside = inside + 1 end
  end
  return all, inside
end

-- Whom to send away for somebody with more right to be here: nobody who waits for
-- an answer; first what the script has started, last who watches.
local function victim_of(self)
  local best, best_rank
  for peer in pairs(self.peers) do
    local rank = (peer:is_inside() and 0 or peer.class == "owner" and 2 or 1) + (peer.watching and 4 or 0)
    if peer:is_idle() and (not best or rank < best_rank or rank == best_rank and peer.active < best.active) then
      best, best_rank = peer, rank
    end
  end
  return best
end

local function admit(self, peer)
  local all, inside = count(self)
  local is_script = peer.who.pid == self.script()
  local full = all >= PEERS or peer:is_inside() and not is_script and inside >= PEERS - KEPT
  -- The owner and the script itself always find a place, unless all others wait for answers.
  if full and (is_script or peer.who.own and not peer:is_inside()) then
    local victim = victim_of(self)
    if victim then victim:refuse("the agent needs this connection for another; connect again", "busy") end
    full = not victim
  end
  if full then return peer:refuse("too many connections to the agent; try again", "busy") end
  self.admitted = self.admitted + 1
  peer.number = self.admitted
  self.peers[peer] = true
  peer.task = self.tasks:spawn("peer", peer.run, peer)
end

function Server:accept()
  local watch, taken = { fd = self.listener:fd(), read = true }, 0
  while true do
    local channel, message, code = self.listener:accept()
    local who
    if channel then who, message, code = channel:peer(self.user, self.group) end
    if who then
      admit(self, peers.new(self, channel, who))
      taken = taken + 1
      if taken % TURN == 0 then self.tasks:turn() end
    elseif code == "again" then
      self.tasks:watch { watch }
    else
      self.log(("control: accept: %s (%s)"):format(message, code))
      if channel then channel:close() end
      self.tasks:wait(1)
    end
  end
end

--- Drop whoever leaves most unread, until all together is bearable.
function Server:relieve()
  local total, worst, most = 0, nil, 0
  for peer in pairs(self.peers) do
    local queued = peer.channel:queued()
    total = total + queued
    if queued > most then worst, most = peer, queued end
  end
  if total <= UNREAD then return end
  self.log(("control: a connection is closed: %d bytes of answers are not read, %d of them by it"):format(total, most))
  worst:close()
end

--- Tell an event to everyone who watches.
function Server:broadcast(event)
  local watching = {}
  for peer in pairs(self.peers) do
    if peer.watching then watching[#watching + 1] = peer end
  end
  table.sort(watching, function(a, b) return a.number < b.number end)
  for _, peer in ipairs(watching) do peer:send(event) end
end

--- Who is asked for facts: the script, by the newest of its connections, then programs that said they know some.
-- @treturn {table,...} peers
function Server:fact_peers()
  local newest, list = nil, {}
  for peer in pairs(self.peers) do
    if peer.script and (not newest or peer.number > newest.number) then newest = peer end
    if peer.facts and not peer.script then list[#list + 1] = peer end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  if newest then table.insert(list, 1, newest) end
  return list
end

--- The newest connection of the script, if that has a handler for hotfixes.
-- @treturn table|nil peer
function Server:hotfix_peer()
  local newest
  for peer in pairs(self.peers) do
    if peer.script and peer.who.pid == self.script() and (not newest or peer.number > newest.number) then
      newest = peer
    end
  end
  return newest and newest.hotfix and newest or nil
end

local Client = {}
Client.__index = Client

--- A client over a connected channel.
-- @tparam table o channel, json, tasks (a scheduler; calls are made in its tasks)
function M.client(o)
  return setmetatable({ channel = o.channel, json = o.json, tasks = o.tasks, id = 0 }, Client)
end

-- What the agent did not answer: it is not said how the transaction stands.
local function lost(self, message)
  self.lost = true
  return nil, message, "busy"
end

-- The next object from the agent: nil, message, code when there will be none.
function Client:receive(till)
  local watch = { fd = self.channel:fd(), read = true }
  while true do
    local line, message, code = self.channel:receive()
    if line then
      local object, why = self.json.decode(line)
      if type(object) == "table" then return object end
      return nil, ("the agent's answer is not JSON: %s"):format(why), "internal"
    elseif code ~= "again" then
      return lost(self, code == "nothing" and "the agent went away" or ("the agent: %s"):format(message))
    elseif till and self.tasks.now() >= till then
      return lost(self, "the agent did not answer in time")
    end
    watch.write = self.channel:wants_write()
    self.tasks:watch({ watch }, till and math.max(0, till - self.tasks.now()))
    if watch.write then self.channel:flush() end
  end
end

--- Ask and wait for the answer.
-- @tparam string verb
-- @tparam[opt] table fields of the request
-- @tparam[opt] function on_event called with each event that comes meanwhile
-- @tparam[opt] number within seconds
-- @return result | nil, message, code ("busy", with `lost` set: the agent went away or does not answer)
function Client:call(verb, fields, on_event, within)
  local till = within and self.tasks.now() + within
  local request = { verb = verb }
  for name, value in pairs(fields or {}) do request[name] = value end
  self.id = self.id + 1
  request.id = self.id
  local ok, message, code = self.channel:send(self.json.encode(request))
  if not ok and code == "network" then return lost(self, ("the agent: %s"):format(message)) end
  if not ok then return nil, ("the agent: %s"):format(message), code end
  while true do
    local object
    object, message, code = self:receive(till)
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
-- @treturn true|nil nil, message, "busy" when the agent went away
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
