--- The depot: a folder of packages, served to devices that ask for updates.
--
--     local depot = assert(require("depot").open { dir = "packages", listen = "127.0.0.1:0" })
--     while not stop do depot:step(1000) end
--     depot:close()
--
-- One loop, no thread: the HTTP server is polled, requests are answered from
-- the catalog, packages go from the file to the socket. The folder is looked
-- at every two seconds, and before a request is answered. With `mqtt`, the
-- depot is also the cloud of the devices on a broker (depot.fleet).
--
-- @module depot

local catalog = require "depot.catalog"
local mqtt = require "depot.mqtt"
local natives = require "update.natives"
local pending = require "depot.pending"
local site = require "depot.site"

local M = {}

local Depot = {}
Depot.__index = Depot

--- Seconds between two looks at the folder while nobody asks.
M.LOOK = 2
-- Seconds within which a look counts as fresh when somebody does.
local FRESH = 0.25

local function silent() end

--- Open a depot; nothing is served before the first step().
-- @tparam table options dir; listen ("HOST:PORT"); keys, url (base of links); all strings, the last two optional;
--   watch: array of further {fd, read} to poll; on_request(event), on_change(change), called from step():
--   event {method, path, client, status, complete, bytes, ms, note}, change as from depot.catalog;
--   tls {cert, key}: PEM texts, to serve HTTPS; connections: at most; mqtt: as depot.mqtt takes it, with expiry,
--   pace, settle, auto (false: by jobs only) and on_message (function(event), as depot.fleet tells it); hold: seconds,
--   as depot.catalog has it
-- @treturn table depot; or nil, message, code
function M.open(options)
  local self = setmetatable({
    on_request = options.on_request or silent,
    on_change = options.on_change or silent,
    on_message = options.on_message or silent,
    catalog = catalog.new(natives, options.dir, options.keys, options.hold or catalog.HOLD),
    notes = {}, -- of requests that are being answered, by id
  }, Depot)
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
    connections = options.connections })
  if not self.server then
    self.loop:close()
    return nil, message, code
  end
  self.watches = { { fd = self.server:fd(), read = true }, table.unpack(options.watch or {}) }
  self.site = {
    url = options.url,
    scheme = options.tls and "https" or "http",
    address = self.server:address(),
    sha256 = natives.digest.sha256,
    packages = function() return self.catalog:packages() end,
    entries = function() return self.catalog.entries end,
    file = function(name) return self.catalog:file(name) end,
    pending = function()
      local list, held = pending.read(natives, options.dir), self.catalog:held()
      return table.move(held, 1, #held, #list + 1, list)
    end,
  }
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
  local cloud, message, code = mqtt.open(natives, {
    dir = options.dir, mqtt = options.mqtt, expiry = options.expiry, pace = options.pace, settle = options.settle,
    auto = options.auto, adopt = options.adopt, on_event = options.on_message or silent,
    base = function() return base end,
    packages = self.site.packages,
  })
  if cloud == false then
    self.on_message { kind = "kept off the broker", text = message }
    return true
  elseif not cloud then
    return nil, message, code
  end
  self.cloud, self.fleet = cloud, cloud.fleet
  self.site.check = cloud.check
  self.fleet:look()
  return true
end

--- "HOST:PORT" as it really listens.
function Depot:address()
  return self.server:address()
end

--- How many connections there may be: fewer than wanted when descriptors are short.
function Depot:connections()
  return self.server:connections()
end

--- Look at the folder now.
-- @treturn true|nil nil, message, code when it cannot be read; what was known stays
function Depot:look()
  local changes, message, code = self.catalog:refresh()
  local _, held = self.catalog:held()
  self.looked = natives.loop.now()
  self.next_look = math.min(self.looked + M.LOOK, math.max(self.looked + FRESH, held or math.huge))
  if not changes then
    return nil, message, code
  end
  if self.fleet and #changes > 0 then
    self.fleet:look()
  end
  for _, change in ipairs(changes) do
    self.on_change(change)
  end
  return true
end

-- What is not here may have come since the last look: it is looked for once more.
function Depot:_answer(request, asked)
  local answer = site.answer(self.site, request)
  if not answer.path and self.looked < asked then
    self:look()
    answer = site.answer(self.site, request)
  end
  self.notes[request.id] = answer.note
  if answer.path then
    local ok, message, code = self.server:reply_file(request.id, answer.path, answer.headers)
    if ok then
      return
    end
    local status = code == "missing" and 404 or 503
    answer = { status = status, headers = { ["Content-Type"] = "application/json" },
      body = status == 404 and '{"error":"the package was taken away"}\n' or '{"error":"try again later"}\n' }
    if status == 503 then
      self.notes[request.id] = message
      answer.headers["Retry-After"] = tostring(self.server:retry_after(request.id))
      answer.headers.Connection = "close" -- connections are what is short
    end
  end
  self.server:reply(request.id, answer.status, answer.headers, answer.body)
end

-- What to poll: the broker's descriptor comes and goes.
function Depot:_watches()
  local fd = self.fleet and self.fleet:fd()
  if not fd then
    return self.watches
  end
  return { { fd = fd, read = true, write = self.fleet:wants_write() }, table.unpack(self.watches) }
end

--- Wait for work, at most `timeout_ms`, and do it.
-- @tparam integer timeout_ms
-- @treturn true|nil nil, message, code when the loop or the server failed
function Depot:step(timeout_ms)
  local until_look = math.max(0, math.ceil((self.next_look - natives.loop.now()) * 1000))
  local limit = self.server:timeout()
  timeout_ms = math.min(timeout_ms, until_look, limit >= 0 and limit or timeout_ms,
    self.fleet and self.fleet:timeout() or timeout_ms)
  local ok, message, code = self.loop:poll(timeout_ms, self:_watches())
  if ok then
    ok, message, code = self.server:run()
  end
  if not ok then
    return nil, message, code
  end
  local request, now = self.server:next(), natives.loop.now()
  if now >= self.next_look or request and now - self.looked > FRESH then
    self:look() -- a folder that is gone for a moment is no reason to stop
  end
  while request do
    self:_answer(request, now)
    request = self.server:next()
  end
  local event = self.server:finished()
  while event do
    event.note, self.notes[event.id] = event.note or self.notes[event.id], nil
    self.on_request(event)
    event = self.server:finished()
  end
  return self:_fleet_step()
end

-- A store that fails is tried again, and is no reason not to serve packages.
function Depot:_fleet_step()
  if self.fleet then
    local ok, message, code = self.fleet:step()
    if not ok then
      self.on_message { kind = "store", text = ("%s (%s)"):format(message, code) }
    end
  end
  return true
end

--- Stop serving; transfers under way are broken off.
function Depot:close()
  if self.cloud then
    self.cloud:close()
  end
  self.server:close()
  self.loop:close()
end

return M
