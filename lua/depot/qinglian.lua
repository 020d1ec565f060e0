--- The depot as the Qinglian cloud: log-ins, answers, and the pieces of firmware.
--
-- Messages of devices become events for depot.job_reports. Offers are announced
-- and then sent piece by piece. Log-ins are only in memory: after a restart of the
-- depot a device is told that its token is out of date, and logs in again.
--
-- @module depot.qinglian

local cipher = require "update.cloud.qinglian_cipher"
local crc = require "depot.qinglian_crc"
local frame = require "update.cloud.qinglian_frame"
local login = require "depot.qinglian_login"
local patches = require "depot.qinglian_patches"
local qinglian = require "update.cloud.qinglian"
local transfers = require "depot.qinglian_transfer"

local M = {}

local Qinglian = setmetatable({}, { __index = login })
Qinglian.__index = Qinglian

local OP, ERRNO = qinglian.OP, qinglian.ERRNO

local LIMITS = { depth = 8, size = 16384 }
local DEVICES = 100000        -- that are kept in mind
local CHUNK_LEAST, CHUNK_MOST = 64, 32768 -- bytes of a piece, whatever a device says
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
    send = function(device, packet) self:_send(device, packet) end,
    device = function(mac) return self:_device(mac) end }
  return self
end

--- The topics that it subscribes to.
M.filters = { { "d/p/+", 0 } }

--- Whether a topic belongs to one of its devices.
function Qinglian.hears(_, topic)
  return qinglian.parse_topic(topic) ~= nil
end

function Qinglian:_send(device, packet)
  if packet.body and device.enciphers and packet.opcode ~= OP.register then
    packet.body = cipher.seal(self.aes, device.body_key, device.iv, packet.body)
  end
  self.say(device.topic, frame.packet(packet), 0)
end

--- Answer a packet; without a body the answer has only an errno.
function Qinglian:reply(device, to, body, errno)
  self:_send(device, { opcode = to.opcode, sequence = to.sequence, response = true, body = body, errno = errno })
end

function Qinglian:_request(device, opcode, body)
  self.sequence = self.sequence + 1 & 0xFFFFFFFF
  self:_send(device, { opcode = opcode, sequence = self.sequence, body = body })
end

local function drop(device)
  device.transfer, device.in_flight = nil, nil
end

-- Send the next piece, or the same one again with its old number, which the device repeats in its answer.
function Qinglian:_send_piece(device, again)
  local body = device.transfer:piece()
  if not body then
    self.remarks:once("changed", device.transfer.offer.entry.name .. ": it was changed or removed while it was sent")
    return drop(device)
  end
  if not again then
    self.sequence = self.sequence + 1 & 0xFFFFFFFF
    device.in_flight = self.sequence
  end
  self:_send(device, { opcode = OP.chunk, sequence = device.in_flight, body = body, kind = "binary" })
end

-- After a lost link: what was said last may not have arrived.
function Qinglian:_go_on(device)
  local transfer = device.transfer
  if transfer and transfer.complete then
    self:_request(device, OP.upgrade, qinglian.OWNER)
  elseif transfer then
    self:_send_piece(device, true)
  end
end

local heard = {} -- of devices that are known: an event for depot.job_reports, or nil

heard[OP.heartbeat] = function(self, device, packet, _, now)
  self:reply(device, packet, qinglian.beat(now // 1000))
end

-- A module beside a processor asks for the types of its data points, which are 256 bytes.
heard[OP.types] = function(self, device, packet)
  self:_send(device, { opcode = OP.types, sequence = packet.sequence, response = true, kind = "binary",
    body = ("\0"):rep(256) })
end

heard[OP.check] = function(self, device, packet, object, now)
  local data = qinglian.part(object, "data")
  local chunk = math.type(data.chunksize) == "integer" and data.chunksize or qinglian.CHUNK
  device.chunk = math.max(CHUNK_LEAST, math.min(CHUNK_MOST, chunk))
  device.asks = packet
  drop(device)
  if self.patches then self.patches:freed(device, now) end
  return { kind = "ask", release = device.release, topic = "check" }
end

-- The device's answer to the announcement. 0: it wants the pieces.
heard[OP.info] = function(self, device, _, object, now)
  local offer = device.announced
  device.announced = nil
  if qinglian.errcode(object) ~= 0 or not offer then return nil end
  device.transfer = transfers.new(offer, device.chunk, now)
  self:_send_piece(device)
  return { kind = "progress", percent = 0, target = offer.release }
end

heard[OP.chunk] = function(self, device, packet, object, now)
  local transfer = device.transfer
  -- The number shows whether an acknowledgement is repeated, or belongs to an earlier transfer.
  if not transfer or packet.sequence ~= device.in_flight or transfer.complete then return nil end
  local errcode, offset = qinglian.errcode(object), qinglian.part(object, "data").offset
  local what = transfer:heard(errcode or -1, offset, now)
  local target = transfer.offer.release
  if what == "refused" then
    drop(device)
    -- A device that puts it off says no once, and has forgotten the transfer then.
    return { kind = errcode == -2 and "refused" or "fail", number = -1, text = "it refused a piece", target = target }
  elseif what == "done" then
    self:_request(device, OP.upgrade, qinglian.OWNER)
    return { kind = "finished", target = target }
  elseif what ~= "stale" then
    self:_send_piece(device, what == "again")
  end
  local percent = transfer:news()
  return percent and { kind = "progress", percent = percent, target = target } or nil
end

heard[OP.upgrade] = function(_, device, _, object)
  local transfer = device.transfer
  if not transfer or not transfer.complete then return nil end
  drop(device)
  -- -2: it was started anew since, and has nothing that could be upgraded.
  if qinglian.errcode(object) ~= -1 then return nil end
  return { kind = "fail", number = -1, text = "it refused the upgrade command", target = transfer.offer.release }
end

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
    if event then self:_go_on(device) end
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
  self:_request(device, OP.info, qinglian.info(nil))
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
    if not busy then self:_request(device, OP.verify, qinglian.OWNER) end
    return false
  end
  device.asks = nil
  device.announced = { entry = entry, size = entry.size, crc = sum, release = row.target, version = row.target,
    name = qinglian.text(entry.manifest.project:sub(1, NAME), NAME) or "firmware" }
  self:_request(device, OP.info, qinglian.info(device.announced))
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
