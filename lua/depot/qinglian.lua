--- The depot as the Qinglian cloud: log-ins, answers, and the pieces of firmware.
--
-- Messages of devices become events for depot.job_reports. Offers are announced
-- and then sent piece by piece. Log-ins are only in memory: after a restart of the
-- depot a device is told that its token is out of date, and logs in again.
--
-- @module depot.qinglian

local cipher = require "update.cloud.qinglian_cipher"
local crc = require "depot.qinglian_crc"
local firmware = require "depot.qinglian_firmware"
local frame = require "update.cloud.qinglian_frame"
local login = require "depot.qinglian_login"
local patches = require "depot.qinglian_patches"
local qinglian = require "update.cloud.qinglian"

local M = {}

local Qinglian = setmetatable({}, { __index = setmetatable(firmware.methods, { __index = login }) })
Qinglian.__index = Qinglian

local OP, ERRNO = qinglian.OP, qinglian.ERRNO

local LIMITS = { depth = 8, size = 16384 }
local DEVICES = 100000        -- that are kept in mind
local AGAIN = 60000           -- ms until a device that did not ask is told again that there is something
local HASHING = 500           -- ms until it is looked again whether the CRC is computed
local NAME = 16               -- bytes of the name of a firmware

--- @tparam table o json, aes, md5 (text -> hex), hmac, secret, products ({[number] = key}), say (function(topic, bytes,
--   qos)), remarks; dir, patches (depot.patch_store) and sha256, or none: then there are no patches
function M.new(o)
  local self = setmetatable({ json = o.json, aes = o.aes, md5 = o.md5, hmac = o.hmac, secret = o.secret,
    products = o.products, say = o.say, remarks = o.remarks, devices = {}, count = 0, vectors = {}, logins = 0,
    sequence = 0, crc = crc.new() }, Qinglian)
  self.patches = o.patches and patches.new { dir = o.dir, patches = o.patches, sha256 = o.sha256, remarks = o.remarks,
    send = function(device, packet) self:send(device, packet) end,
    device = function(mac) return self:_device(mac) end }
  return self
end

--- The topics that it subscribes to.
M.filters = { { "d/p/+", 0 } }

--- Whether a topic belongs to one of its devices.
function Qinglian.hears(_, topic)
  return qinglian.parse_topic(topic) ~= nil
end

function Qinglian:send(device, packet)
  if packet.body and device.enciphers and packet.opcode ~= OP.register then
    packet.body = cipher.seal(self.aes, device.body_key, device.iv, packet.body)
  end
  self.say(device.topic, frame.packet(packet), 0)
end

--- Answer a packet; without a body the answer has only an errno.
function Qinglian:reply(device, to, body, errno)
  self:send(device, { opcode = to.opcode, sequence = to.sequence, response = true, body = body, errno = errno })
end

function Qinglian:request(device, opcode, body)
  self.sequence = self.sequence + 1 & 0xFFFFFFFF
  self:send(device, { opcode = opcode, sequence = self.sequence, body = body })
end

local heard = {} -- of devices that are known: an event for depot.job_reports, or nil

heard[OP.heartbeat] = function(self, device, packet, _, now)
  self:reply(device, packet, qinglian.beat(now // 1000))
end

-- A module beside a processor asks for the types of its data points, which are 256 bytes.
heard[OP.types] = function(self, device, packet)
  self:send(device, { opcode = OP.types, sequence = packet.sequence, response = true, kind = "binary",
    body = ("\0"):rep(256) })
end

for opcode, handler in pairs(firmware.heard) do heard[opcode] = handler end

function Qinglian:_device(mac)
  local device = self.devices[mac]
  if device then return device end
  if self.count >= DEVICES then -- who was forgotten logs in again
    self.devices, self.count = {}, 0
  end
  device = { mac = mac, topic = qinglian.topics(mac).down }
  self.devices[mac], self.count = device, self.count + 1
  return device
end

function Qinglian:_decode(device, packet)
  local body = packet.body
  if device.enciphers and packet.opcode ~= OP.register then
    body = device.body_key and cipher.open(self.aes, device.body_key, device.iv, body)
  end
  return body and body ~= "" and self.json.decode(body, LIMITS) or nil
end

function Qinglian:_hear(device, packet, object, now)
  local handler, owner = heard[packet.opcode], self
  if not handler and self.patches then handler, owner = patches.heard[packet.opcode], self.patches end
  if not handler then return nil end
  if not self:is_known(device, object) then return self:reply(device, packet, nil, ERRNO.token) end
  return handler(owner, device, packet, object, now)
end

--- Decode a message.
-- @tparam string topic
-- @tparam string payload
-- @tparam integer now ms since 1970
-- @treturn table|nil event for depot.job_reports, with cloud, product, device; nil: nothing for it
-- @treturn string|nil message: why the packet is invalid
function Qinglian:hear(topic, payload, now)
  local device = self:_device(qinglian.parse_topic(topic))
  local packet, message = frame.read_packet(payload)
  if not packet then return nil, message end
  local object, event = self:_decode(device, packet), nil
  if packet.opcode == OP.register then
    self:register(device, packet, object, now)
  elseif packet.opcode == OP.authenticate then
    event = self:authenticate(device, packet, object, now)
    if event then self:go_on(device) end
    if event and self.patches then self.patches:login(device, now) end
  else
    event = self:_hear(device, packet, object, now)
  end
  if not event then return nil end
  event.cloud, event.product, event.device = "qinglian", tostring(device.product), device.mac
  return event
end

--- Tell a device that asked and got no offer that there is nothing. It sends no other question before that.
function Qinglian:settle(mac)
  local device = self.devices[mac]
  if not device or not device.asks then return end
  device.asks = nil
  self:request(device, OP.info, qinglian.info(nil))
end

--- Offer a package to a device that asked, or tell it to ask.
-- @tparam table row of the device, whose `due` it sets
-- @tparam table entry of the catalog
-- @tparam integer now ms
-- @treturn boolean whether it was offered
function Qinglian:offer(row, entry, now)
  local device = self.devices[row.device]
  row.due = nil
  if not device or not device.authed then return false end -- its log-in makes it due
  if not qinglian.is_release(row.target) then
    row.text = ("release %s is not of the form 00.00, which this cloud needs"):format(row.target)
    return false
  end
  local sum = self.crc:of(entry)
  if not sum then
    row.due = now + HASHING
    return false
  end
  if not device.asks then
    row.due = now + AGAIN
    local busy = device.transfer and device.transfer:is_alive(now) or self.patches and self.patches:is_busy(device)
    if not busy then self:request(device, OP.verify, qinglian.OWNER) end
    return false
  end
  device.asks = nil
  device.announced = { entry = entry, size = entry.size, crc = sum, release = row.target, version = row.target,
    name = qinglian.text(entry.manifest.project:sub(1, NAME), NAME) or "firmware" }
  self:request(device, OP.info, qinglian.info(device.announced))
  return true
end

--- Whether to call step() soon.
function Qinglian:busy()
  return self.crc:busy()
end

--- Compute, and check the limits of time.
-- @tparam integer now ms
function Qinglian:step(now)
  self.crc:step()
  if self.patches then self.patches:step(now) end
end

--- Another process changed the store.
function Qinglian:look(now)
  if self.patches then self.patches:look(now) end
end

function Qinglian:close()
  self.crc:close()
end

return M
