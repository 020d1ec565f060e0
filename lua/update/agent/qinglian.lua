--- The agent's side of the Qinglian cloud: drives update.cloud.qinglian_session.
--
-- One task asks the dispatcher for the broker, keeps the connection to it and
-- begins again when that ends; one ticks; one watches the phase of the device
-- (update.agent.mqtt_phase). update.agent.qinglian_job passes firmware to the
-- engine. Keys, tokens and payloads are never logged.
--
-- @module update.agent.qinglian

local cipher = require "update.cloud.qinglian_cipher"
local dispatch = require "update.agent.qinglian_dispatch"
local frame = require "update.cloud.qinglian_frame"
local log_limit = require "update.agent.log_limit"
local news = require "update.agent.qinglian_news"
local qinglian = require "update.cloud.qinglian"
local retry = require "update.engine.retry"
local session = require "update.cloud.qinglian_session"

local M = {}

local AGAIN_MOST = 30    -- seconds until the dispatcher is asked again
local STEADY = 30        -- seconds after which a connection has lasted, and the next pause is the first one
local SECRET_AGAIN = 60  -- seconds, while the secret cannot be read
local KEEPALIVE = 5      -- seconds; as the vendor's device
local MESSAGE = { depth = 8, size = 65536 }

local Cloud = setmetatable({}, { __index = require "update.agent.qinglian_ledger" })
Cloud.__index = Cloud

function Cloud:say(format, ...)
  self.limited(("cloud %s: %s"):format(self.name, format:format(...)))
end

function Cloud:note(format, ...)
  self.limited(("cloud %s: %s"):format(self.name, format:format(...)), self.agent.note)
end

-- Hand an event to the machine and do what it says.
function Cloud:drive(event)
  event.now, event.uptime = self.agent.tasks.now(), self.agent.tasks.uptime()
  local actions
  self.state, actions = session.step(self.state, event)
  for _, action in ipairs(actions) do self[action.type](self, action) end
end

-- Actions of update.cloud.qinglian_session; those about firmware are in update.agent.qinglian_job.

function Cloud:log(action)
  self:say("%s", action.text)
end

-- The SDK's numbers.
local CONNECTED, DISCONNECTED = 0, 1

local function tell_status(self, state)
  if state ~= self.told_state then self.news:add("status", { state = state, time = self:time() }) end
  self.told_state = state
end

function Cloud:clock(action)
  self.clock_base = action.time - self.agent.tasks.uptime()
end

--- The cloud's time, seconds since 1970; 0 before the first log-in.
function Cloud:time()
  return self.clock_base and math.floor(self.clock_base + self.agent.tasks.uptime()) or 0
end

function Cloud:authed()
  self:note("logged in as %s", self.cloud.device)
  tell_status(self, CONNECTED)
end

function Cloud:blocked(action)
  tell_status(self, action.errno)
  self:say("%s; again in %d s", action.text, action.seconds)
  self.blocked_till = self.agent.tasks.uptime() + action.seconds
  self.ended = true
end

local function body_key(self)
  return cipher.body_key(self.agent.natives.digest.md5, self.cloud.device, self.state.key)
end

function Cloud:send(packet)
  if not self.mqtt then return end
  local body = packet.body
  if not packet.clear and not self.cloud.tls then
    body = cipher.seal(self.agent.natives.cipher, body_key(self), self.iv, body)
  end
  local payload = frame.packet { opcode = packet.opcode, sequence = packet.sequence, response = packet.response,
    body = body }
  -- Retained, as the vendor's device says everything.
  local id, message = self.mqtt:publish(self.topics.up, payload, packet.qos or 0, true)
  if not id then return self:say("a packet is not sent: %s", message) end
  if packet.qos == 1 then self.command = id end
  if self.agent.tasks.current ~= self.task then self.agent.tasks:wake(self.task) end
end

local on = {}

function on.subscribed(self)
  self.since = self.since or self.agent.tasks.now()
  self.agent.trial:reached(self.name)
  if self.state.link == "down" then self:drive { type = "connected" } end
end

function on.disconnected(self, event)
  self.ended, self.why = true, event.message
end

function on.denied(self, event)
  self:say("%s: %s", event.topic, event.message)
  self.ended = true
end

function on.published(self, event)
  if event.id == self.command then self:drive { type = "acked" } end
end

function on.dropped(self, event)
  self:say("a message of %d bytes was ignored: %s", event.size, event.message)
end

-- The body as the cloud meant it: nil when it is not of our key.
local function opened(self, packet)
  if packet.opcode == qinglian.OP.register or self.cloud.tls or packet.body == "" then return packet.body end
  if not self.state.key then return nil end
  return cipher.open(self.agent.natives.cipher, body_key(self), self.iv, packet.body)
end

function on.message(self, event)
  if event.retain then return end -- it was said before we listened
  local packet, message = frame.read_packet(event.payload)
  if not packet then return self:say("a message is not usable: %s", message) end
  local body = opened(self, packet)
  if not body and packet.errno == 0 then return self:say("the body of 0x%04x is not of our key", packet.opcode) end
  local object
  if body and packet.kind == "json" and body ~= "" then object = self.agent.natives.json.decode(body, MESSAGE) end
  self:drive { type = "packet", opcode = packet.opcode, sequence = packet.sequence, errno = packet.errno, body = body,
    object = object }
end

-- The product's key, which may not be there yet.
local function product_key(self)
  while true do
    local secret, message = self.cloud.secret, nil
    if self.cloud.secret_file then secret, message = self.agent.natives.secret.read(self.cloud.secret_file) end
    if secret and #secret == qinglian.KEY then return secret end
    self:say("%s", message or ("the secret must be the product key of %d bytes"):format(qinglian.KEY))
    self.agent.tasks:wait(SECRET_AGAIN)
  end
end

local function converse(self, host, port)
  local tls = self.cloud.tls
  local message
  self.mqtt, message = self.agent.natives.mqtt.open { host = host, port = port, client_id = self.cloud.device,
    user = "**", password = "**", keepalive = KEEPALIVE, clean = true,
    tls = tls and { ca = tls.ca or self.cloud.ca_file, cert = tls.cert, key = tls.key, server_name = tls.server_name
      or self.cloud.host, time_floor = self.agent.device:time_floor() } or nil }
  if not self.mqtt then return self:say("%s", message) end
  self.mqtt:subscribe(self.topics.down, 0)
  self.ended = false
  while not self.ended do
    for event in self.mqtt.step, self.mqtt do
      if on[event.kind] then on[event.kind](self, event) end
      if self.ended then break end
    end
    if self.ended then break end
    local fd = self.mqtt:fd()
    local watches = fd and { { fd = fd, read = true, write = self.mqtt:wants_write() } } or {}
    self.agent.tasks:watch(watches, self.mqtt:remaining() / 1000)
  end
  self.mqtt:close()
  self.mqtt, self.command = nil, nil
  if self.told_state == CONNECTED then tell_status(self, DISCONNECTED) end
  self:drive { type = "disconnected" }
end

-- Seconds until the dispatcher is asked again: at first one or two, as by the vendor's device, then more and more while
-- connections do not last. Two devices with one name push each other out without end.
local function pause(self)
  local since = self.since
  if since and self.agent.tasks.now() - since >= STEADY then self.short = 0 end
  self.short, self.since = self.short + 1, nil
  return math.min(AGAIN_MOST, retry.pause(self.short + 1, self.agent.random()))
end

local function run(self)
  local tasks = self.agent.tasks
  self.key = product_key(self)
  while true do
    local host, port = dispatch.ask { natives = self.agent.natives, tasks = tasks, loop = self.agent.loop,
      cloud = self.cloud, time_floor = self.agent.device:time_floor() }
    if host then
      self.undispatched = nil
      converse(self, host, port)
    elseif port ~= self.undispatched then
      self:say("the dispatcher: %s", port)
      self.undispatched = port
    end
    local seconds = pause(self)
    if self.why then self:say("no connection: %s; again in %.0f s", self.why, seconds) end
    self.why = nil
    tasks:rest(seconds)
    while (self.blocked_till or 0) > tasks.uptime() do tasks:rest(self.blocked_till - tasks.uptime()) end
  end
end

local function tick(self)
  while true do
    self.agent.tasks:wait(1)
    self:drive { type = "tick" }
  end
end

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

--- Begin.
-- @tparam table agent
-- @tparam table cloud a row of config.clouds
-- @treturn table for agent:qinglian()
function M.start(agent, cloud)
  local self = setmetatable({ agent = agent, cloud = cloud, name = cloud.name, dialect = qinglian,
    topics = qinglian.topics(cloud.device), news = news.new(agent.tasks), fed = {}, watched = {}, short = 0,
    limited = log_limit.new { now = agent.tasks.now, log = agent.log, most = 60,
      what = "lines about cloud " .. cloud.name },
    iv = cloud.iv and bytes_of(cloud.iv) or ("\0"):rep(#cipher.pad "") }, Cloud)
  local aes, product = agent.natives.cipher, qinglian.product(cloud.product)
  self.state = session.new {
    product = product, mac = cloud.device, crypt = qinglian.CRYPT[cloud.tls and "ssl" or "aes"],
    chunk = cloud.chunk or qinglian.CHUNK, period = cloud.period,
    random = function() return math.random(0, 0x7FFF) end,
    sign = function(rand) return cipher.product_sign(aes, self.key, self.iv, product, rand) end,
    device_sign = function(key, id, rand) return cipher.device_sign(aes, key, self.iv, id, rand) end,
    unwrap = function(text) return cipher.unwrap_key(aes, self.key, self.iv, text) end,
  }
  self.task = agent.tasks:spawn("cloud " .. cloud.name, run, self)
  agent.tasks:spawn("tick " .. cloud.name, tick, self)
  agent.tasks:spawn("phase " .. cloud.name, self.follow_phase, self)
  agent.tasks:spawn("ledger " .. cloud.name, self.follow_ledger, self)
  return self
end

return M
