--- The depot: a folder of packages, served to devices that ask for updates.
--
--     local depot = assert(require("depot").open { dir = "packages", listen = "127.0.0.1:0" })
--     while not stop do depot:step(1000) end
--     depot:close()
--
-- This is the front: one loop that polls the HTTP server, answers requests from the
-- catalog and sends packages from the file to the socket. It has no database. What
-- needs one is asked of the store process (depot.store_process), also the cloud of
-- the devices on a broker; while that gives no answer, packages are served.
--
-- @module depot

local callers = require "depot.callers"
local dispatchers = require "depot.qinglian_dispatcher"
local folder_watch = require "depot.folder_watch"
local links = require "depot.links"
local luat_jobs = require "depot.luat_jobs"
local modes = require "depot.modes"
local natives = require "update.natives"
local pace = require "depot.pace"
local replies = require "depot.replies"
local store_link = require "depot.store_link"
local terminal = require "depot.terminal"
local trusted = require "depot.trusted"
local turns = require "depot.turns"
local under_way = require "depot.under_way"

local M = {}

local Depot = {}
Depot.__index = Depot

local function silent() end

-- What depot.site needs to know.
function Depot:_facts(options, proxies)
  local facts = {
    url = options.url,
    scheme = options.tls and "https" or "http",
    address = self.server:address(),
    proxies = proxies,
    sha256 = natives.digest.sha256,
    packages = function() return self.folder.packages end,
    entries = function() return self.folder.catalog.entries end,
    file = function(name) return self.folder.catalog:file(name) end,
    pending = function() return self.folder:pending() end,
    mode = function(entry) return modes.of(entry, options.auto) end,
  }
  local jobs = luat_jobs.new { fleet = function() end, packages = facts.packages, mode = facts.mode,
    sha256 = natives.digest.sha256 }
  facts.allow = function(request) return jobs:allow(request) end
  if not options.mqtt then return facts end
  facts.asks = function(request)
    return request.path == terminal.PATH and terminal.parse(request.query) ~= nil or jobs:decides(request)
  end
  facts.under_way = under_way.new()
  facts.can_check = function() return self.link.secret ~= nil end
  facts.check = function(name, request) return self:_check(name, request) end
  return facts
end

-- What is wrong with a signed link, as far as it can be told, and whose it is. `refused` of the request is what the
-- store process said.
function Depot:_check(name, request)
  local query, secret = request.query, self.link.secret
  if not secret then return nil end
  local problem, who = links.check(natives.digest.hmac, secret, name, query, os.time())
  if problem or not request.refused then return problem, who end
  return request.refused.refused and "expired" or nil, request.refused.anew and query.For or nil
end

--- Open a depot; nothing is served before the first step().
-- @tparam table options dir; listen ("HOST:PORT"); keys, url (base of links); all strings, the last two optional;
--   store: function(address) -> channel, process: starts the store process for the front at that address, as from
--   depot.store_child; watch: array of further {fd, read} to poll; on_request(event), on_change(change), called from
--   step(): event {method, path, client, status, complete, bytes, ms, note}, change as from depot.catalog;
--   tls {cert, key}: PEM texts, to serve HTTPS; connections: at most; pace: offers a second; mqtt: whether the store
--   process is a cloud, with qinglian (listen, "HOST:PORT" of its dispatcher; broker, "IP:PORT"), and auto (false: new
--   products get packages by jobs only); hold: seconds, as in depot.catalog; proxies: addresses whose X-Forwarded
--   headers are trusted; on_warning(text); on_message(event): kind store, with text
-- @treturn table depot; or nil, message, code
function M.open(options)
  local self = setmetatable({
    on_change = options.on_change or silent,
    on_warning = options.on_warning or silent,
    folder = folder_watch.new(natives, options),
    dir = options.dir,
  }, Depot)
  trusted.keep(natives, options.dir, options.keys)
  local ok, message, code = self:look()
  if ok then ok, message, code = self:_listen(options) end
  if not ok then
    self:close()
    return nil, message, code
  end
  return self
end

-- Open what devices reach, and start the store process.
function Depot:_listen(options)
  local message, code
  self.loop, message, code = natives.loop.new()
  if not self.loop then return nil, message, code end
  local tls = options.tls or {}
  self.server, message, code = natives.httpd.open(options.listen, { cert = tls.cert, key = tls.key,
    connections = options.connections, proxies = options.proxies })
  if not self.server then return nil, message, code end
  self.watches = { { fd = self.server:fd(), read = true }, table.unpack(options.watch or {}) }
  if options.qinglian then
    self.dispatcher, message, code = dispatchers.open(natives, options.qinglian.listen, options.qinglian.broker,
      options.tls)
    if not self.dispatcher then return nil, message, code end
    table.insert(self.watches, { fd = self.dispatcher:fd(), read = true })
  end
  self.pace = pace.new(options.pace, function() return natives.loop.now() * 1000 end)
  self.turns = turns.new(self.pace, self.server:connections())
  local function tell(text) (options.on_message or silent) { kind = "store", text = text } end
  self.link, message, code = store_link.new { natives = natives, pace = self.pace, tell = tell,
    start = function() return options.store(self.server:address()) end }
  if not self.link then return nil, message, code end
  local known = callers.new(options.proxies or {}, options.url ~= nil, self.on_warning)
  self.site = self:_facts(options, known.proxies)
  self.replies = replies.new { server = self.server, site = self.site, turns = self.turns, callers = known,
    link = self.link, on_request = options.on_request or silent }
  return true
end

--- How the store process is.
-- @treturn string begins; well; silent: it does not answer; gone: it is started anew
function Depot:store_state() return self.link.state end

--- The "HOST:PORT" that it listens on, with the port that the system chose for 0.
function Depot:address()
  return self.server:address()
end

--- How many connections are allowed: fewer than wanted if the process may not open enough files.
function Depot:connections()
  return self.server:connections()
end

--- Look at the folder now.
-- @treturn true|nil nil, message, code: it cannot be read, and what was known stays
function Depot:look()
  local changes, message, code = self.folder:look()
  if not changes then
    return nil, message, code
  end
  for _, change in ipairs(changes) do
    self.on_change(change)
  end
  return true
end

-- The depot goes on if the folder is gone for a moment.
function Depot:_look_again()
  local ok, message, code = self:look()
  if not ok and not self.gone then
    self.on_warning(("%s (%s); packages that were known before are still offered"):format(message, code))
  elseif ok and self.gone then
    self.on_warning(("folder %s: is there again"):format(self.dir))
  end
  self.gone = not ok
end

-- What to poll.
function Depot:_watches()
  local store = self.link:watch()
  return store and { store, table.unpack(self.watches) } or self.watches
end

--- Wait for work, at most `timeout_ms`, and do it.
-- @tparam integer timeout_ms
-- @treturn true|nil nil, message, code: the loop or the server failed, or the store process did not start
function Depot:step(timeout_ms)
  local until_look = math.max(0, math.ceil((self.folder.next_look - natives.loop.now()) * 1000))
  local limit = self.server:timeout()
  timeout_ms = math.min(timeout_ms, until_look, limit >= 0 and limit or timeout_ms,
    self.turns:timeout() or timeout_ms, self.link:timeout())
  local ok, message, code = self.loop:poll(timeout_ms, self:_watches())
  if ok then
    ok, message, code = self.server:run()
  end
  if not ok then
    return nil, message, code
  end
  local request, now = self.server:next(), natives.loop.now()
  if now >= self.folder.next_look or request and self.folder:is_behind(now) then
    self:_look_again()
  end
  while request do
    self.replies:answer(request)
    request = self.server:next()
  end
  ok, message, code = self.link:step()
  self.replies:step()
  if self.dispatcher then self.dispatcher:step() end
  return ok, message, code
end

--- Stop serving. Open transfers are cut.
function Depot:close()
  if self.dispatcher then self.dispatcher:close() end
  if self.link then self.link:close() end
  if self.server then self.server:close() end
  if self.loop then self.loop:close() end
end

return M
