--- The agent's side of a cloud that pushes over MQTT: drives update.cloud.mqtt_session.
--
-- One task holds the connection, one watches the phase of the device
-- (update.agent.mqtt_phase), one asks now and then whether there is something.
-- What is installed is in update.agent.mqtt_job, who asks in update.agent.mqtt_check.
-- What is said and heard is logged without payloads and links: they carry secrets.
--
-- @module update.agent.mqtt_listener

local fields = require "update.cloud.message_fields"
local log_limit = require "update.agent.log_limit"
local options = require "update.cloud.mqtt_connection"
local registry = require "update.cloud.registry"
local rests = require "update.engine.rests"
local resume = require "update.cloud.resume_record"
local session = require "update.cloud.mqtt_session"

local M = {}

local OPEN_AGAIN = 60       -- seconds, while the secret cannot be read
local MESSAGE = { depth = 8, size = 65536 }

-- Reports that ask: a dialect may have several forms of them.
local ASKS = { ask = true, get = true }

local Cloud = setmetatable({}, { __index = require "update.agent.mqtt_check" })
Cloud.__index = Cloud

function Cloud:log(format, ...)
  self.limited(("cloud %s: %s"):format(self.name, format:format(...)))
end

-- What is no trouble.
function Cloud:note(format, ...)
  self.limited(("cloud %s: %s"):format(self.name, format:format(...)), self.agent.note)
end

-- Hand an event to the machine and do what it says.
function Cloud:drive(event)
  local actions
  self.state, actions = session.step(self.state, event)
  for _, action in ipairs(actions) do self[action.type](self, action) end
  self.agent.tasks:set(self.moved)
end

-- Actions of update.cloud.mqtt_session.

local function say(self, kind, report)
  self.messages = self.messages + 1
  local name, object, qos = self.dialect.encode(setmetatable({ kind = kind }, { __index = report }), self.messages)
  local topic = name and self.topics[name]
  if not topic then return self:log("a report is not sent: %s", name and "it has no topic" or object) end
  local id, message = self.mqtt:publish(topic, self.agent.natives.json.encode(object), qos)
  if not id then return self:log("a report is not sent: %s", message) end
  if qos > 0 then self.sent[id] = kind end
end

function Cloud:report(action)
  local report = action.report
  for field, value in pairs(self.own) do report[field] = value end
  if report.kind == "fail" then
    report.number = self.dialect.numbers[report.code] or self.dialect.numbers.internal
    self:log("%s failed, reported as %d: %s (%s)", report.version, report.number, report.text, report.code)
  elseif report.kind ~= "progress" then
    self:note("reported: %s %s", report.kind, report.version or "")
  end
  local asks = ASKS[report.kind] and self.dialect.asks or { report.kind }
  for _, kind in ipairs(asks) do say(self, kind, report) end
  if self.agent.tasks.current ~= self.task then self.agent.tasks:wake(self.task) end
end

-- An offer that policy defers comes again and again; flash is not worn for that.
function Cloud:remember(action)
  local natives = self.agent.natives
  local text = natives.json.encode(resume.encode(action.record))
  if text == self.kept then return end
  local ok, message = natives.cloud_record.keep(self.agent.config.state, self.name, text)
  self.kept = ok and text
  if not ok then self:log("the record of %s was not written: %s", action.record.version, message) end
end

function Cloud:forget()
  self.kept = nil
  local ok, message = self.agent.natives.cloud_record.forget(self.agent.config.state, self.name)
  if not ok then self:log("%s", message) end
end

-- Only the last of each kind counts.
function Cloud:wait(action)
  local tasks, number = self.agent.tasks, (self.timers[action.what] or 0) + 1
  self.timers[action.what] = number
  tasks:spawn("wait", function()
    if action.what == "retry" then tasks:rest(action.seconds) else tasks:wait(action.seconds) end
    if self.timers[action.what] == number then self:drive { type = "timer", what = action.what } end
  end)
end

-- What the connection tells.
local on = {}

function on.connected(self)
  self:note("connected")
  self:drive { type = "connected" }
end

function on.disconnected(self, event)
  self:log("no connection: %s; again in %d s", event.message, event.retry_after)
  self:drive { type = "disconnected" }
end

-- An answer of the broker: the cloud can be reached from the release that runs.
function on.subscribed(self)
  self.agent.trial:reached(self.name)
end

function on.published(self, event)
  local kind = self.sent[event.id]
  self.sent[event.id] = nil
  if kind then self:drive { type = "acked", kind = kind } end
end

function on.denied(self, event)
  self:log("%s: %s", event.topic, event.message)
end

function on.dropped(self, event)
  self:log("a message of %d bytes was ignored: %s", event.size, event.message)
end

local function act(self, message, retained)
  if self:keeps(message, retained) then return end
  if message.kind == "offer" then
    if retained then self:log("%s was retained by the broker, maybe stale; ignored", message.offer.version) end
    self:drive { type = "offer", offer = message.offer, retained = retained }
    self:offered_meanwhile(message.offer)
  elseif message.kind == "unfit" then
    self:drive { type = "unfit", version = message.version, text = message.text, retained = retained }
  elseif message.kind == "reply" then
    if not message.ok then self:log("the cloud did not accept the version: %s", message.text) end
    self:drive { type = "reply", ok = message.ok, text = message.text }
  end
end

function on.message(self, event)
  local kind, product, device = self.dialect.parse_topic(event.topic)
  if product ~= self.cloud.product or device ~= self.cloud.device then return end
  local payload, terminated = fields.unterminated(event.payload)
  if terminated then self:log("a message of the cloud ends with a NUL byte, which is ignored") end
  local object, message = self.agent.natives.json.decode(payload, MESSAGE)
  local meaning
  if object ~= nil then meaning, message = self.dialect.decode(kind, object, self.own) end
  if not meaning then return self:log("a message is not usable: %s", message) end
  if meaning.why then self:log("%s", meaning.why) end
  act(self, meaning, event.retain)
end

local function open(self)
  while true do
    local o, message = options.of(self.cloud, self.agent.natives, self.agent.device:time_floor())
    if o then
      self.mqtt, message = self.agent.natives.mqtt.open(o)
      if self.mqtt then return end
    end
    self:log("%s", message)
    self.agent.tasks:wait(OPEN_AGAIN)
  end
end

local function converse(self)
  open(self)
  for _, row in ipairs(self.dialect.subscriptions(self.cloud.product, self.cloud.device)) do
    self.mqtt:subscribe(row[1], row[2])
  end
  while true do
    for event in self.mqtt.step, self.mqtt do
      if on[event.kind] then on[event.kind](self, event) end
    end
    local fd = self.mqtt:fd()
    local watches = fd and { { fd = fd, read = true, write = self.mqtt:wants_write() } } or {}
    self.agent.tasks:watch(watches, self.mqtt:remaining() / 1000)
  end
end

local function ask_now_and_then(self)
  while true do
    self.agent.tasks:rest(self.cloud.period * (0.9 + 0.2 * self.agent.random()))
    self:drive { type = "ask" }
  end
end

local function remembered(self)
  local natives = self.agent.natives
  local text = natives.cloud_record.read(self.agent.config.state, self.name)
  return text and resume.decode((natives.json.decode(text))) or nil
end

--- Begin.
-- @tparam table agent
-- @tparam table cloud a row of config.clouds
-- @treturn table offered()
function M.start(agent, cloud)
  local self = setmetatable({ agent = agent, cloud = cloud, name = cloud.name, dialect = registry.of(cloud.kind),
    own = registry.own(cloud),
    timers = {}, sent = {}, linked = {}, moved = {}, messages = 0, fetched = 0,
    jobs = math.floor(agent.random() * 2^30), -- so that those of an agent before are others
    given = rests.new(agent.tasks.uptime),
    limited = log_limit.new { now = agent.tasks.now, log = agent.log, most = 60,
      what = "lines about cloud " .. cloud.name } }, Cloud)
  self.topics = self.dialect.topics(cloud.product, cloud.device)
  local traits = self.dialect.traits
  self.state = session.new { waits = traits.waits, burning = traits.burning, done = traits.done,
    record = remembered(self) }
  self.task = agent.tasks:spawn("cloud " .. cloud.name, converse, self)
  agent.tasks:spawn("phase " .. cloud.name, self.follow_phase, self)
  agent.tasks:spawn("ask " .. cloud.name, ask_now_and_then, self)
  return self
end

return M
