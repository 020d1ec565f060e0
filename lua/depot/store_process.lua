--- The store process of a depot: everything that needs a database, apart from the front, which serves the devices.
--
-- It is the cloud of the devices on a broker (depot.keeper), answers the queries that jobs and rollouts decide, says
-- whether a link still holds, and records who asked over HTTP. A statement that takes long, or a disk that does, holds
-- up nothing but that. depot.store_link is the other end; it is told the secret of the links, so it checks signatures
-- by itself. What it tells is acknowledged once it is committed.
--
-- @module depot.store_process

local folder_watch = require "depot.folder_watch"
local http_devices = require "depot.http_devices"
local keeper = require "depot.keeper"
local luat_jobs = require "depot.luat_jobs"
local modes = require "depot.modes"
local natives = require "update.natives"
local pace = require "depot.pace"
local questions = require "depot.questions"
local store_lines = require "depot.store_lines"
local terminal_jobs = require "depot.terminal_jobs"
local trusted = require "depot.trusted"

local M = {}

local Process = {}
Process.__index = Process

local function silent() end

local BEHIND = 131072 -- bytes of answers that the front has not read, until it is asked nothing further
local SETTLE = 2      -- seconds at the end, for what the fleet has not committed
local REST = 5        -- ms between two tries
local AT_ONCE = 200   -- messages of the front before the broker's turn,
local TOGETHER = 0.05 -- and seconds

--- Open it; nothing is done before the first step().
-- @tparam table options channel (to the front), address (where that listens, "HOST:PORT"); and as for depot.open: dir,
--   keys, url, scheme ("http" or "https"), proxies, watch, pace, hold, mqtt and what belongs to it, on_message,
--   on_warning
-- @treturn table|nil process; nil, message, code, which the front was told
function M.open(options)
  local self = setmetatable({ dir = options.dir, lines = store_lines.new(natives, options.channel), events = {},
    watch = options.watch or {}, folder = folder_watch.new(natives, { dir = options.dir, keys = options.keys,
      hold = options.hold, reads_only = true }) }, Process)
  trusted.keep(natives, options.dir, options.keys)
  self.http_devices = http_devices.new(natives, options.dir, options.on_warning or silent)
  local ok, message, code = self.folder:look()
  if ok then self.loop, message, code = natives.loop.new() end
  ok = self.loop ~= nil
  if ok then
    self.pace = pace.new(options.pace, function() return natives.loop.now() * 1000 end)
    self:_assemble(options)
    if options.mqtt then ok, message, code = self:_join(options) end
  end
  if not ok then
    self.lines:send { failed = message, code = code }
    self:close()
    return nil, message, code
  end
  self.lines:send { ready = true }
  return self
end

function Process:_assemble(options)
  local proxies = {}
  for _, address in ipairs(options.proxies or {}) do proxies[address] = true end
  local function fleet() return self:_fleet() end
  local facts = { url = options.url, scheme = options.scheme, address = options.address, proxies = proxies,
    sha256 = natives.digest.sha256,
    packages = function() return self.folder.packages end,
    pending = function() return self.folder:pending() end,
    mode = function(entry) return modes.of(entry, options.auto) end,
    link = function(...) return self.cloud.query(...) end }
  local jobs = luat_jobs.new { fleet = fleet, packages = facts.packages, mode = facts.mode, sha256 = facts.sha256 }
  local terminals = terminal_jobs.new { fleet = fleet, packages = facts.packages, sha256 = facts.sha256,
    query = function(...) return self.cloud.query and self.cloud.query(...) end }
  facts.allow = function(request) return jobs:allow(request) end
  facts.terminal = function(asked) return terminals:choose(asked) end
  self.packages = facts.packages
  self.questions = questions.new { lines = self.lines, site = facts, fleet = fleet }
end

-- Be the cloud of the devices on a broker.
function Process:_join(options)
  local base = (options.url or options.scheme .. "://" .. options.address):gsub("/+$", "")
  local message, code
  self.cloud, message, code = keeper.open(natives, {
    dir = options.dir, mqtt = options.mqtt, expiry = options.expiry, pace = self.pace, settle = options.settle,
    qinglian = options.qinglian, auto = options.auto, staged = options.staged, adopt = options.adopt,
    secret_file = options.secret_file, machine = options.machine and function() return options.machine end,
    on_event = options.on_message or silent,
    base = function() return base end,
    packages = self.packages,
  })
  return self.cloud ~= nil, message, code
end

function Process:_fleet() return self.cloud and self.cloud.fleet end

function Process:_hear(said)
  if said.id then return self.questions:add(said) end
  if said.took then self.pace:was_taken(said.took, said.wants) end
  if said.note then
    self.http_devices:note(said.note, said.note.time, said.note.asked)
    self.noted = said.number
  elseif said.event then
    self.events[#self.events + 1], self.told = said, said.number
  end
end

-- Milliseconds for which nothing more is heard of the front: until it has read, or others have had time to write.
function Process:_hold_for()
  if self.lines:queued() > BEHIND then return math.huge end
  local fleet = self:_fleet()
  return fleet and fleet.commits:rest() or 0
end

-- Hear what the front has said. Returns whether it is still there.
function Process:_hear_all()
  local till = natives.loop.now() + TOGETHER
  for _ = 1, AT_ONCE do
    local said, _, code = self.lines:receive()
    if not said then return code == "again" end
    if said["end"] then return false end
    if said.id and self.folder:is_behind(natives.loop.now()) then self:_look() end
    self:_hear(said)
    if natives.loop.now() >= till then break end
  end
  self.more = true
  return true
end

-- Hear the front, and answer it. Returns whether it is still there.
function Process:_receive()
  if self:_hold_for() > 0 then return true end
  self.more = false
  local there = self:_hear_all()
  self.questions:settle(self.more)
  return there
end

function Process:_look()
  local changes = self.folder:look() -- a folder that is gone for a moment is the front's to tell
  if changes and #changes > 0 and self.cloud then self.cloud:look() end
end

-- Hand the front's events to the fleet, as far as it takes them.
function Process:_hand_over()
  local fleet = self:_fleet()
  while fleet and self.events[1] do
    local said = self.events[1]
    local taken
    if said.event.fetched then
      taken = fleet:fetched(said.event.fetched, said.number)
    else
      taken = fleet:link_died(said.event.dead_link, said.number)
    end
    if not taken then return end
    table.remove(self.events, 1)
  end
end

-- Tell the front that the devices it told of are written.
function Process:_report_noted()
  if not self.noted or self.http_devices.count > 0 then return end
  self.lines:send { noted = self.noted }
  self.noted = nil
end

-- Tell the front what has become of it.
function Process:_report()
  local secret = self.cloud and self.cloud.secret or false
  if secret ~= self.secret then
    self.secret = secret
    self.lines:send { secret = secret }
  end
  self:_report_noted()
  local fleet = self:_fleet()
  local settled = fleet and fleet.inbox.settled
  if settled and settled ~= self.settled then
    self.settled = settled
    self.lines:send { settled = settled }
  end
  local made, wanted = self.pace:report()
  if made then self.lines:send { took = made, wants = wanted } end
  self.lines:flush()
end

-- What to poll. The broker's descriptor changes with each connection.
function Process:_watches()
  local front = self.lines:watch()
  front.read = self:_hold_for() == 0
  local watches = { front, table.unpack(self.watch) }
  local fd = self.cloud and self.cloud:fd()
  if fd then watches[#watches + 1] = { fd = fd, read = true, write = self.cloud:wants_write() } end
  return watches
end

--- Wait for work, at most `timeout_ms`, and do it.
-- @tparam integer timeout_ms
-- @treturn boolean|nil false: the front has ended, or told it to; nil, message, code: the loop failed
function Process:step(timeout_ms)
  local now = natives.loop.now()
  local until_look = math.max(0, math.ceil((self.folder.next_look - now) * 1000))
  local ok, message, code = self.loop:poll(math.min(timeout_ms, until_look,
    self.more and math.ceil(self:_hold_for()) or timeout_ms, self.cloud and self.cloud:timeout() or timeout_ms,
    self.http_devices:timeout(now) or timeout_ms), self:_watches())
  if not ok then return nil, message, code end
  if natives.loop.now() >= self.folder.next_look then self:_look() end
  local there = self:_receive()
  self:_hand_over()
  self.http_devices:step(natives.loop.now())
  if self.cloud then self.cloud:step() end
  self:_report()
  return there
end

-- What the front told, and the fleet has not committed, at the end.
function Process:_settle()
  local till = natives.loop.now() + SETTLE
  while self:_fleet() and self.told ~= self:_fleet().inbox.settled do
    if natives.loop.now() >= till then return end
    self.loop:poll(REST)
    self:_hand_over()
    self.cloud:step()
  end
end

--- Leave the broker, and write what is waiting.
function Process:close()
  self:_settle()
  if self.cloud then self.cloud:close() end
  self.http_devices:close()
  self:_report_noted()
  self.lines:flush()
  self.lines:close()
  if self.loop then self.loop:close() end
end

return M
