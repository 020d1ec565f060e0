--- The script's connection to the agent: calls, events, and reconnecting.
--
-- The connection is made on first use and made again when it is lost, because
-- the agent may be restarted at any time. Calls that wait then fail with
-- "network". Functions that wait must be called in tasks.
--
-- @module update.script.link

local M = {}

local Link = {}
Link.__index = Link

local RETRY = 0.5       -- seconds between two tries to connect
local CONNECT_WITHIN = 10 -- seconds that a call waits for the agent to be there
local POSTS = 32        -- that wait for the agent; more are dropped

--- @tparam table o connect (function -> update.native.channel | nil, message, code), json,
--   tasks (update.scheduler), hello (function -> array of requests that begin each
--   connection), on_event (function(event), called in a task of its own)
function M.new(o)
  return setmetatable({
    connect = o.connect, json = o.json, tasks = o.tasks, hello = o.hello, on_event = o.on_event,
    pending = {}, last_id = 0, posts = 0, changed = {},
  }, Link)
end

-- The state of a call. Numbers of calls count down, because those of the agent's
-- own questions count up.
local function settle(self, id, ...)
  local call = self.pending[id]
  if not call then return end
  self.pending[id] = nil
  call.answer = table.pack(...)
  self.tasks:set(call)
end

local function take(self, line)
  local object = self.json.decode(line)
  if type(object) ~= "table" then return end
  if object.event then
    self.tasks:spawn("event", self.on_event, object)
  elseif object.id == nil then -- of no call: why the connection is ended
    self.why, self.code = object.message, object.code
  elseif object.ok then
    settle(self, object.id, object.result)
  else
    settle(self, object.id, nil, object.message or "no reason given", object.code or "internal")
  end
end

local function lose(self)
  self.channel:close()
  self.channel = nil
  for id in pairs(self.pending) do
    settle(self, id, nil, self.why or "the agent went away before it answered", self.why and self.code or "network")
  end
  self.why, self.code = nil, nil
end

local function send(self, request)
  local ok, message, code = self.channel:send(self.json.encode(request))
  if ok and self.channel:wants_write() and self.keeper then self.tasks:wake(self.keeper) end
  return ok, message, code
end

local function converse(self)
  local watch = { fd = self.channel:fd(), read = true }
  while true do
    local line, _, code = self.channel:receive()
    if line then
      take(self, line)
    elseif code == "again" then
      watch.write = self.channel:wants_write()
      self.tasks:watch { watch } -- send() wakes us when a queue has to be watched
      if watch.write then self.channel:flush() end
    else
      return
    end
  end
end

local function keep(self)
  while true do
    self.channel = self.connect()
    if self.channel then
      for _, request in ipairs(self.hello()) do send(self, request) end
      self.tasks:set(self.changed)
      converse(self)
      lose(self)
    end
    self.tasks:wait(RETRY)
  end
end

--- Begin to keep the connection. A second call does nothing.
function Link:open()
  if self.keeper then return end
  self.keeper = self.tasks:spawn("link", keep, self)
end

--- Send a request without waiting for an answer, if there is a connection.
function Link:tell(request)
  if self.channel then send(self, request) end
end

--- Ask and wait for the answer.
-- @tparam string verb
-- @tparam[opt] table fields of the request
-- @tparam[opt=10] number patience seconds to wait for a connection
-- @return result | nil, message, code: "nothing": no agent; "network": the connection was lost
function Link:call(verb, fields, patience)
  self:open()
  local till = self.tasks.now() + (patience or CONNECT_WITHIN)
  while not self.channel do
    local left = till - self.tasks.now()
    if left <= 0 then return nil, "no agent answers; does `moult run` run?", "nothing" end
    self.tasks:await(self.changed, left < math.huge and left or nil)
  end
  local request = { verb = verb }
  for name, value in pairs(fields or {}) do request[name] = value end
  self.last_id = self.last_id - 1
  request.id = self.last_id
  local call = {}
  self.pending[request.id] = call
  local ok, message, code = send(self, request)
  if not ok then
    self.pending[request.id] = nil
    return nil, message, code
  end
  while not call.answer do self.tasks:await(call) end
  return table.unpack(call.answer, 1, call.answer.n)
end

--- Ask in a task of its own, without waiting. The request is dropped if too many are open already.
-- @tparam string verb
-- @tparam table fields
-- @tparam[opt] function done called with the results of call()
function Link:post(verb, fields, done)
  if self.posts >= POSTS then return end
  self.posts = self.posts + 1
  self.tasks:spawn("post", function()
    local results = table.pack(self:call(verb, fields, math.huge))
    self.posts = self.posts - 1
    if done then done(table.unpack(results, 1, results.n)) end
  end)
end

return M
