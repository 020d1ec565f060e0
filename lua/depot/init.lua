--- The depot: a folder of packages, served to devices that ask for updates.
--
--     local depot = assert(require("depot").open { dir = "packages", listen = "127.0.0.1:0" })
--     while not stop do depot:step(1000) end
--     depot:close()
--
-- One loop, no threads: it polls the HTTP server, answers requests from the
-- catalog and sends packages from the file to the socket. With `mqtt` the depot
-- is also the cloud of the devices on a broker (depot.fleet).
--
-- @module depot

local callers = require "depot.callers"
local dispatchers = require "depot.qinglian_dispatcher"
local folder_watch = require "depot.folder_watch"
local http_devices = require "depot.http_devices"
local keeper = require "depot.keeper"
local luat_jobs = require "depot.luat_jobs"
local natives = require "update.natives"
local pace = require "depot.pace"
local replies = require "depot.replies"
local terminal_jobs = require "depot.terminal_jobs"
local trusted = require "depot.trusted"
local turns = require "depot.turns"

local M = {}

local Depot = {}
Depot.__index = Depot

local function silent() end

--- Open a depot; nothing is served before the first step().
-- @tparam table options dir; listen ("HOST:PORT"); keys, url (base of links); all strings, the last two optional;
--   watch: array of further {fd, read} to poll; on_request(event), on_change(change), called from step():
--   event {method, path, client, status, complete, bytes, ms, note}, change as from depot.catalog;
--   tls {cert, key}: PEM texts, to serve HTTPS; connections: at most; pace: offers a second; mqtt: as depot.mqtt
--   takes it, with qinglian (products, as there; listen, "HOST:PORT" of its dispatcher; broker, "IP:PORT"),
--   expiry, settle, auto (false: new products get packages by jobs only), staged (true: so do those of a database
--   that does not tell) and on_message (function(event), events as in depot.fleet);
--   adopt and machine (its name, in place of the system's): as depot.mqtt takes them;
--   hold: seconds, as in depot.catalog; proxies: addresses whose X-Forwarded headers are trusted;
--   on_warning(text)
-- @treturn table depot; or nil, message, code
function M.open(options)
  local self = setmetatable({
    on_change = options.on_change or silent,
    on_warning = options.on_warning or silent,
    folder = folder_watch.new(natives, options),
    dir = options.dir,
  }, Depot)
  self.http_devices = http_devices.new(natives, options.dir, self.on_warning)
  trusted.keep(natives, options.dir, options.keys)
  local message, code
  local ok
  ok, message, code = self:look()
  if not ok then
    return nil, message, code
  end
  self.loop, message, code = natives.loop.new()
  if not self.loop then
    return nil, message, code
  end
  local tls = options.tls or {}
  self.server, message, code = natives.httpd.open(options.listen, { cert = tls.cert, key = tls.key,
    connections = options.connections, proxies = options.proxies })
  if not self.server then
    self.loop:close()
    return nil, message, code
  end
  self.pace = pace.new(options.pace, function() return natives.loop.now() * 1000 end)
  self.turns = turns.new(self.pace, self.server:connections())
  self.watches = { { fd = self.server:fd(), read = true }, table.unpack(options.watch or {}) }
  local known = callers.new(options.proxies or {}, options.url ~= nil, self.on_warning)
  self.site = {
    url = options.url,
    scheme = options.tls and "https" or "http",
    address = self.server:address(),
    proxies = known.proxies,
    sha256 = natives.digest.sha256,
    packages = function() return self.folder.packages end,
    entries = function() return self.folder.catalog.entries end,
    file = function(name) return self.folder.catalog:file(name) end,
    pending = function() return self.folder:pending() end,
    mode = function(entry) return entry.mode or options.auto == false and "staged" or "auto" end,
  }
  local jobs = luat_jobs.new { fleet = function() return self.cloud and self.cloud.fleet end,
    packages = self.site.packages, mode = self.site.mode, sha256 = natives.digest.sha256 }
  self.site.allow = function(request) return jobs:allow(request) end
  self.replies = replies.new { server = self.server, site = self.site, turns = self.turns, callers = known,
    http_devices = self.http_devices, on_request = options.on_request or silent,
    on_dead_link = function(who)
      if self.cloud and self.cloud.fleet then self.cloud.fleet:link_died(who) end
    end,
    on_fetched = function(who)
      local fleet = self.cloud and self.cloud.fleet
      if fleet then fleet:fetched(who) end
    end }
  if options.mqtt then
    ok, message, code = self:_join(options)
    if not ok then
      self:close()
      return nil, message, code
    end
  end
  return self
end

-- Be the cloud of the devices on a broker.
function Depot:_join(options)
  local base = (options.url or self.site.scheme .. "://" .. self.site.address):gsub("/+$", "")
  local cloud, message, code = keeper.open(natives, {
    dir = options.dir, mqtt = options.mqtt, expiry = options.expiry, pace = self.pace, settle = options.settle,
    qinglian = options.qinglian, auto = options.auto, staged = options.staged, adopt = options.adopt,
    secret_file = options.secret_file, machine = options.machine and function() return options.machine end,
    on_event = options.on_message or silent,
    base = function() return base end,
    packages = self.site.packages,
  })
  if not cloud then
    return nil, message, code
  end
  self.cloud = cloud
  if options.qinglian then
    self.dispatcher, message, code = dispatchers.open(natives, options.qinglian.listen, options.qinglian.broker,
      options.tls)
    if not self.dispatcher then return nil, message, code end
    table.insert(self.watches, { fd = self.dispatcher:fd(), read = true })
  end
  self.site.link = function(...) return cloud.query(...) end
  self.terminal_jobs = terminal_jobs.new { fleet = function() return cloud.fleet end, packages = self.site.packages,
    sha256 = natives.digest.sha256, query = function(...) return cloud.query and cloud.query(...) end }
  self.site.terminal = function(asked) return self.terminal_jobs:choose(asked) end
  self.site.can_check = function() return cloud.check ~= nil end
  self.site.check = function(name, query)
    if cloud.check then return cloud.check(name, query) end
  end
  return true
end

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
  if self.cloud and #changes > 0 then
    self.cloud:look()
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

-- What to poll. The broker's descriptor changes with each connection.
function Depot:_watches()
  local fd = self.cloud and self.cloud:fd()
  if not fd then
    return self.watches
  end
  return { { fd = fd, read = true, write = self.cloud:wants_write() }, table.unpack(self.watches) }
end

--- Wait for work, at most `timeout_ms`, and do it.
-- @tparam integer timeout_ms
-- @treturn true|nil nil, message, code when the loop or the server failed
function Depot:step(timeout_ms)
  local until_look = math.max(0, math.ceil((self.folder.next_look - natives.loop.now()) * 1000))
  local limit = self.server:timeout()
  timeout_ms = math.min(timeout_ms, until_look, limit >= 0 and limit or timeout_ms,
    self.turns:timeout() or timeout_ms, self.cloud and self.cloud:timeout() or timeout_ms)
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
  self.replies:step()
  self.http_devices:step(natives.loop.now())
  if self.dispatcher then
    self.dispatcher:step()
  end
  if self.cloud then
    self.cloud:step()
  end
  return true
end

--- Stop serving. Open transfers are cut.
function Depot:close()
  if self.dispatcher then
    self.dispatcher:close()
  end
  if self.cloud then
    self.cloud:close()
  end
  self.http_devices:close()
  self.server:close()
  self.loop:close()
end

return M
