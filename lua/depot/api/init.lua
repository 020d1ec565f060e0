--- The admin server of a depot: an API for people and machines, on an address of its own.
--
--     local api = assert(require("depot.api").open { dir = "packages", listen = "127.0.0.1:0" })
--     while not stop do api:step(1000) end
--     api:close()
--
-- It is a process of its own beside the depot that serves devices (depot.api.child), so nothing that people do costs
-- devices an answer. Both meet in the database only.
--
-- @module depot.api

local answering = require "depot.api.answering"
local certificate = require "depot.api.certificate"
local console = require "depot.console"
local incoming = require "depot.api.incoming"
local limits = require "depot.api.limits"
local live = require "depot.api.live"
local metrics = require "depot.api.metrics"
local natives = require "update.natives"
local passwords = require "depot.api.passwords"
local people = require "depot.api.people"
local route_table = require "depot.api.route_table"
local router = require "depot.api.router"
local tasks = require "depot.api.tasks"
local webhooks = require "depot.api.webhooks"
local worlds = require "depot.api.world"

local M = {}

local Api = {}
Api.__index = Api

local BODY = 1048576 -- bytes of a request, but for uploads
local WAITING = 256  -- calls that wait for something, at most
local CHILD = 20     -- ms between two looks whether a child has ended

-- The names by which browsers know the server.
local function names_of(options, address)
  local scheme = options.tls and "https" or "http"
  local urls = options.urls or {}
  if #urls == 0 then
    local port = address:match ":(%d+)$"
    urls = { ("%s://%s"):format(scheme, address), ("%s://localhost:%s"):format(scheme, port) }
  end
  local hosts, origins = {}, {}
  for _, url in ipairs(urls) do
    local origin = url:gsub("/+$", ""):lower()
    local host = origin:match "^https?://(.+)$"
    -- A browser leaves out the port that the scheme has anyway.
    hosts[host], origins[origin] = true, true
  end
  return hosts, origins, (urls[1]:gsub("/+$", ""))
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list or {}) do set[name] = true end
  return set
end

--- Open an admin server; nothing is served before the first step().
-- @tparam table options dir; listen ("HOST:PORT"); keys (as the depot takes it), urls (array: by which it is reached),
--   tls {cert, key}, tls_files {cert, key} (their paths: read again when they change), proxies (addresses), watch
--   (array of further {fd, read}), front (channel: one line each time that the state of the depot's store process
--   changes), on_request(event), note(text), secret_file (of depot.vault), webhooks (private, ca: as
--   depot.api.webhooks); all but the first two optional
-- @treturn table|nil api; nil, message, code
function M.open(options)
  local self = setmetatable({ waiting = {}, arriving = {}, notes = {}, counts = {},
    on_request = options.on_request or function() end, watch = options.watch or {} }, Api)
  local message, code
  self.world, message, code = worlds.open(natives, options.dir, options.keys)
  if not self.world then return nil, message, code end
  self.loop, message, code = natives.loop.new()
  if self.loop then
    self.options = options
    self.server, message, code = self:_listen(options.listen, options.tls or {})
  end
  if not self.server then
    self:close()
    return nil, message, code
  end
  self:_assemble(options)
  return self
end

function Api:_listen(listen, tls)
  local options = self.options
  return natives.httpd.open(listen, { cert = tls.cert, key = tls.key, body_max = BODY,
    connections = options.connections or 256, proxies = options.proxies, early = route_table.PREFIX .. "/uploads/" })
end

-- Serve another certificate, when no request is under way: connections end, and are made again.
function Api:_renew()
  self.pair = self.certificate:changed() or self.pair
  if not self.pair or #self.waiting > 0 or next(self.arriving) then return true end
  local address = self.server:address()
  self.server:close()
  local server, message, code = self:_listen(address, self.pair)
  self.server, self.pair = server, nil
  if not server then return nil, message, code end
  self.live:restart(server)
  self.options.note("the certificate is a new one")
  return true
end

function Api:_assemble(options)
  options.note = options.note or function() end
  if options.tls_files then
    self.certificate = certificate.new { natives = natives, files = options.tls_files, tls = options.tls,
      note = options.note }
  end
  local hosts, origins, base = names_of(options, self.server:address())
  local routes = route_table.all()
  self:_take_over(base)
  self.passwords = passwords.new(natives)
  self.tasks, self.world.secret_file = tasks.new(self.world), options.secret_file
  local about = options.webhooks or {}
  self.webhooks = webhooks.new { world = self.world, natives = natives, loop = self.loop, note = options.note,
    private = about.private, ca = about.ca }
  local shared = { world = self.world, limits = limits.new(), passwords = self.passwords,
    secure = base:find "^https" ~= nil, clock = natives.loop.now, now = function() return os.time() * 1000 end }
  local known = people.new(shared)
  self.live = live.new { server = self.server, world = self.world, people = known, clock = natives.loop.now }
  self.answers = answering.new { world = self.world, people = known, live = self.live, tasks = self.tasks,
    passwords = self.passwords, limits = shared.limits, router = router.new(routes), routes = routes,
    natives = natives, hosts = hosts,
    incoming = incoming.new(natives, options.dir, options.keys), receiving = {},
    receive = function(call, path, offset) return self:_receive(call, path, offset) end,
    origins = origins, base = base, proxies = set_of(options.proxies), clock = natives.loop.now }
  self.answers.console = console.new(self.answers, people.cookie_of)
end

-- Where people find it, for the links that the command line prints; and what the server before was checking is not
-- being checked.
function Api:_take_over(base)
  local store = self.world.store
  if not store:change() then return end
  if store:set_setting("admin_url", base) and store:reopen_uploads() then store:commit() else store:abandon() end
end

--- The "HOST:PORT" that it listens on.
function Api:address() return self.server:address() end

--- Whether nobody could log in.
function Api:has_no_users()
  local rows = self.world.store:accounts()
  return rows ~= nil and #rows == 0
end

-- Go on with a call until it answers, or waits once more.
function Api:_go_on(call)
  local ok, result = coroutine.resume(call.thread)
  if not ok then
    self.world.store:abandon()
    local request = call.request
    self.on_request { method = request.method, path = request.path, client = request.client, status = 500,
      complete = true, ms = 0, note = debug.traceback(call.thread, result) }
    result = self.answers:failure(call.request, "internal", "the server failed; its log says where")
  elseif coroutine.status(call.thread) ~= "dead" then
    call.ready = result
    return false
  end
  if call.request.left then return true end
  self.notes[call.request.id] = result.note
  if result.stream then
    self.live:begin(result.call, result.headers)
  elseif result.file then
    self:_send(call.request, result)
  else
    self.server:reply(call.request.id, result.status, result.headers, result.body)
  end
  return true
end

-- Answer with a file, if it is still there.
function Api:_send(request, result)
  if self.server:reply_file(request.id, result.file, result.headers) then return end
  local gone = self.answers:failure(request, "missing", "the file is no longer in the folder")
  self.server:reply(request.id, gone.status, gone.headers, gone.body)
end

-- Let the body of an early request come into a file, from byte `offset` on; in the coroutine of its call.
-- @treturn true|nil nil, message, code
function Api:_receive(call, path, offset)
  local request = call.request
  local ok, message, code = self.server:receive(request.id, path, offset)
  if not ok then return nil, message, code end
  request.early = nil
  self.arriving[request.id] = request
  coroutine.yield(function() return not self.arriving[request.id] end)
  if request.left then return nil, "the client left before all bytes had come", "busy" end
  if not request.fault then return true end
  return nil, request.fault, request.fault:find "space" and "nospace" or "write"
end

-- All of a body has come, or its client has left.
function Api:_arrived(id, fault, left)
  local request = self.arriving[id]
  if not request then return false end
  request.fault, request.left, self.arriving[id] = fault, left, nil
  return true
end

function Api:_begin(request)
  if self:_arrived(request.id, request.fault) then return end
  local call = { request = request }
  if metrics.paths[request.path] then return metrics.answer(self, request) end
  if #self.waiting >= WAITING then
    local busy = self.answers:failure(request, "busy", "too many requests wait")
    return self.server:reply(request.id, busy.status, busy.headers, busy.body)
  end
  call.thread = coroutine.create(function() return self.answers:answer(request) end)
  if not self:_go_on(call) then self.waiting[#self.waiting + 1] = call end
end

-- Those that waited and can go on.
function Api:_wake()
  local calls = self.waiting
  self.waiting = {}
  for _, call in ipairs(calls) do
    if not call.ready() or not self:_go_on(call) then self.waiting[#self.waiting + 1] = call end
  end
end

-- What the depot's front says of its store process.
function Api:_hear_front()
  local front = self.options.front
  while front do
    local state, _, code = front:receive()
    if not state then
      if code ~= "again" then self.options.front = nil end
      return
    end
    self.depot_store = state
  end
end

--- Wait for work, at most `timeout_ms`, and do it.
-- @treturn true|nil nil, message, code: the loop or the server failed
function Api:step(timeout_ms)
  if self.certificate then
    local ok, message, code = self:_renew()
    if not ok then return nil, message, code end
  end
  local watches = { { fd = self.server:fd(), read = true }, table.unpack(self.watch) }
  if self.options.front then watches[#watches + 1] = { fd = self.options.front:fd(), read = true } end
  self.passwords:watch(watches)
  if self.answers.incoming.running > 0 then timeout_ms = math.min(timeout_ms, CHILD) end
  if self.tasks:step() then timeout_ms = 0 end
  self.webhooks:step()
  local limit = self.server:timeout()
  local ok, message, code = self.loop:poll(limit >= 0 and math.min(limit, timeout_ms) or timeout_ms, watches)
  if ok then ok, message, code = self.server:run() end
  if not ok then return nil, message, code end
  self:_hear_front()
  for request in self.server.next, self.server do self:_begin(request) end
  self:_wake()
  self.live:step()
  for event in self.server.finished, self.server do
    if not event.complete then self:_arrived(event.id, nil, true) end
    self.live:left(event.id)
    self.counts[event.status] = (self.counts[event.status] or 0) + 1
    event.note, self.notes[event.id] = event.note or self.notes[event.id], nil
    self.on_request(event)
  end
  return true
end

--- Look at once whether the files of the certificate have changed.
function Api:reload()
  if self.certificate then self.certificate:look() end
end

--- Stop serving.
function Api:close()
  if self.passwords then self.passwords:close() end
  if self.webhooks then self.webhooks:close() end
  if self.server then self.server:close() end
  if self.loop then self.loop:close() end
  self.world:close()
end

return M
