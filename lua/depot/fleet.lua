--- The depot as the cloud of devices that speak MQTT.
--
-- One client of the broker receives the messages of all devices. A message
-- changes the device's row in the store (see depot.jobs) and makes it due;
-- depot.offers handles rows that are due. The actions of the command line also
-- make rows due, and a running depot finds them by looking.
--
-- Durable order: messages of at most 50 ms are one transaction. If it fails, they
-- are handled again. An offer stays due until the broker has accepted it, so a
-- depot that is killed pushes it again at worst. The session at the broker
-- outlives the depot: messages that devices send meanwhile with QoS 1 arrive
-- later. But the client acknowledges a message when it takes it, so a depot that
-- is killed loses the last few. After that, and if the broker has lost the
-- session, open jobs are offered again.
--
-- @module depot.fleet

local boards = require "depot.rollout.board"
local broker_events = require "depot.broker_events"
local commits = require "depot.commits"
local dialects = require "depot.dialects"
local events = require "depot.store.events"
local hearing = require "depot.hearing"
local http_queries = require "depot.http_queries"
local inbox = require "depot.inbox"
local job_reports = require "depot.job_reports"
local offers = require "depot.offers"
local registries = require "depot.registry"
local remarks = require "depot.remarks"
local silence = require "depot.silence"
local upkeep = require "depot.upkeep"

local M = {}

local Fleet = {}
for _, module in ipairs { http_queries, broker_events, upkeep } do
  for name, method in pairs(module) do Fleet[name] = method end
end
Fleet.__index = Fleet

local LOOK = 500          -- ms between two looks for changes by other processes
local AT_ONCE = 500       -- messages a step, at most

--- @tparam table parts mqtt (update.native.mqtt client), store, digests, json, sha256 (text -> hex), packages
--   (function -> array of the catalog), link (function(entry, row) -> URL, seconds
--   of its life), now (function -> ms since 1970), on_event
--   (function(event): {kind, cloud, product, device, ...}), pace (depot.pace, shared with others; or nil),
--   qinglian (function(remarks, say) -> depot.qinglian; or nil), keep_modes (of depot.registry, or nil), clock (of
--   depot.commits, or nil)
-- @tparam[opt] table options pace (offers a second, without parts.pace), settle (ms), auto (boolean: new products are)
-- @treturn table fleet: fd(), wants_write(), timeout() (ms), step(), look(), close()
function M.new(parts, options)
  options = options or {}
  local self = setmetatable({
    mqtt = parts.mqtt, store = parts.store, digests = parts.digests, now = parts.now, on_event = parts.on_event,
    connected = false, granted = 0, next_look = 0, next_prune = 0, next_day = 0,
    silence = silence.new(parts.store, parts.now()),
    inbox = inbox.new(parts.mqtt, AT_ONCE), remarks = remarks.new(parts.on_event),
  }, Fleet)
  self.commits = commits.new { store = parts.store, inbox = self.inbox, on_event = parts.on_event,
    clock = parts.clock }
  local function tell(kind, row, fields)
    if kind == "offered" then self.commits:note(events.offer(row, self.now())) end
    local event = fields or {}
    event.kind, event.cloud, event.product, event.device = kind, row.cloud, row.product, row.device
    self.commits:tell(event)
  end
  self.board = boards.new { store = parts.store, packages = parts.packages,
    by_digest = function() return self.offers.by_digest end,
    tell = function(event) self.commits:tell(event) end,
    registry = registries.new { store = parts.store, mode = options.auto and "auto" or "staged",
      packages = parts.packages, keep = parts.keep_modes } }
  self.offers = offers.new({
    mqtt = parts.mqtt, store = parts.store, digests = parts.digests, json = parts.json, packages = parts.packages,
    link = parts.link, tell = tell, now = parts.now, pace = parts.pace,
    board = self.board, sha256 = parts.sha256,
  }, options)
  self.commits.offers = self.offers
  self.offers.qinglian = parts.qinglian and parts.qinglian(self.remarks, function(topic, bytes, qos)
    self.offers:answer(topic, bytes, qos)
  end)
  self.qinglian = self.offers.qinglian
  self.hearing = hearing.new({ qinglian = self.qinglian, store = parts.store, json = parts.json,
    sha256 = parts.sha256, offers = self.offers, remarks = self.remarks, tell = tell,
    settle = options.settle or job_reports.SETTLE })
  local filters = table.move(dialects.filters, 1, #dialects.filters, 1, {})
  if self.qinglian then filters[#filters + 1] = { "d/p/+", 0 } end
  for _, filter in ipairs(filters) do
    self.mqtt:subscribe(filter[1], filter[2])
  end
  self.filters = #filters
  return self
end

--- The descriptor to poll for reading, and for writing while wants_write(); nil while there is none.
function Fleet:fd() return self.mqtt:fd() end

function Fleet:wants_write() return self.mqtt:wants_write() end

-- What other processes have changed: patches and rollouts.
function Fleet:_refresh(now)
  if now >= self.next_look then
    local version = self.store:version()
    if self.qinglian and version ~= self.store_version then self.qinglian:look(now) end
    self.next_look, self.store_version = now + LOOK, version
  end
  return self.board:step(now)
end

--- The catalog has changed.
function Fleet:look()
  self.offers:look()
end

-- Handle the events that have come.
function Fleet:_receive(now)
  for _ = 1, AT_ONCE do
    local event = self.inbox:next()
    if not event then return true end
    self.busy = true
    local ok, message, code = self:_handle(event, now)
    if not ok then return nil, message, code end
  end
  self.more = true
  return true
end

function Fleet:_push(now)
  if self.offers.held then return true end
  self.offers:flush()
  if not self.connected then return true end
  local had, message, code = self.offers:push(now)
  if had == nil then return nil, message, code end
  self.busy = self.busy or had
  return true
end

local STAGES = { "_refresh", "_receive", "_push", "_sweep", "_prune", "_recount", "_note_day" }

--- Do the work that is due; call after each poll.
-- @treturn true|nil nil, message, code: the store failed; it will be tried again
function Fleet:step()
  local now, base = self.now()
  if self:is_paused() or self.commits:rest() > 0 then return true end
  self.more, self.busy = false, false
  self.digests:step()
  if self.qinglian then self.qinglian:step(now) end
  local ok, message, code = true, nil, nil
  for _, stage in ipairs(STAGES) do
    if ok then ok, message, code = self[stage](self, now, base) end
  end
  if ok and self.offers.fault then ok, message, code = nil, table.unpack(self.offers.fault) end
  if ok then
    ok, message, code = self.commits:step(now, self.busy)
  else
    self.store:abandon()
  end
  if not ok then
    self.commits:take_back(self.now()) -- it may have waited for the lock
  end
  return ok, message, code
end

--- Whether it waits until the store is tried again.
function Fleet:is_paused()
  return self.commits:pause(self.now()) > 0
end

--- After an error in step(): go on without the event that was handled last.
function Fleet:forget()
  self.store:abandon()
  self.inbox:drop_last()
  self.commits:take_back(self.now())
end

--- Hand over the messages that are not committed, for take_up() of the next fleet.
-- @treturn {table,...} messages
function Fleet:leave()
  self.store:abandon()
  return self.inbox:empty()
end

--- Handle first the messages that leave() of another fleet returned.
function Fleet:take_up(messages)
  self.inbox:fill(messages)
end

--- Milliseconds until step() has to be called again.
function Fleet:timeout()
  local now = self.now()
  if self:is_paused() then return self.commits:pause(now) end
  local rest = math.ceil(self.commits:rest())
  if rest > 0 then return rest end
  if self.more or self.digests:busy() or self.qinglian and self.qinglian:busy() then return 0 end
  local wait = math.min(LOOK, self.mqtt:remaining(), self.commits:timeout() or LOOK)
  local due = self.connected and self.offers:timeout(now)
  return math.max(0, due and math.min(wait, due) or wait)
end

-- Handle the messages that the client has acknowledged: the broker will not send them again.
function Fleet:_drain()
  local now = self.now()
  for event in self.mqtt.step, self.mqtt do
    if not self:_handle(event, now) then break end
  end
  if self.commits:commit() then
    self.store:set_running(false)
  end
end

--- Leave the broker; its session stays.
function Fleet:close()
  self:_drain()
  self.mqtt:close()
  self.digests:close()
  if self.qinglian then self.qinglian:close() end
end

return M
