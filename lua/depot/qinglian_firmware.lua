--- Firmware at a depot that plays the Qinglian cloud: the announcement, the pieces, the order to upgrade.
--
-- Methods of depot.qinglian, which has a device's table: transfer (depot.qinglian_transfer), in_flight (number of the
-- piece), asks (its question, until it is answered), announced (the offer).
--
-- @module depot.qinglian_firmware

local qinglian = require "update.cloud.qinglian"
local transfers = require "depot.qinglian_transfer"

local M = {}

local Firmware = {}

local OP = qinglian.OP

local CHUNK_LEAST, CHUNK_MOST = 64, 32768 -- bytes of a piece, whatever a device says

--- By opcode: what devices say of firmware.
M.heard = {}

--- The bytes of a piece that a device wants, within bounds.
-- @tparam table data of its question
function M.chunk_size(data)
  local chunk = math.type(data.chunksize) == "integer" and data.chunksize or qinglian.CHUNK
  return math.max(CHUNK_LEAST, math.min(CHUNK_MOST, chunk))
end

local function drop(device)
  device.transfer, device.in_flight = nil, nil
end

-- Send the next piece, or the same one again with its old number, which the device repeats in its answer.
function Firmware:_send_piece(device, again)
  local body = device.transfer:piece()
  if not body then
    self.remarks:once("changed", device.transfer.offer.entry.name .. ": it was changed or removed while it was sent")
    return drop(device)
  end
  if not again then
    self.sequence = self.sequence + 1 & 0xFFFFFFFF
    device.in_flight = self.sequence
  end
  self:send(device, { opcode = OP.chunk, sequence = device.in_flight, body = body, kind = "binary" })
end

-- After a lost link: what was said last may not have arrived.
function Firmware:go_on(device)
  local transfer = device.transfer
  if transfer and transfer.complete then
    self:request(device, OP.upgrade, qinglian.OWNER)
  elseif transfer then
    self:_send_piece(device, true)
  end
end

M.heard[OP.check] = function(self, device, packet, object, now)
  local data = qinglian.part(object, "data")
  device.chunk = M.chunk_size(data)
  device.asks = packet
  drop(device)
  if self.patches then self.patches:freed(device, now) end
  return { kind = "ask", release = device.release, topic = "check" }
end

-- The device's answer to the announcement. 0: it wants the pieces.
M.heard[OP.info] = function(self, device, _, object, now)
  local offer = device.announced
  device.announced = nil
  if qinglian.errcode(object) ~= 0 or not offer then return nil end
  device.transfer = transfers.new(offer, device.chunk, now)
  self:_send_piece(device)
  return { kind = "progress", percent = 0, target = offer.release }
end

M.heard[OP.chunk] = function(self, device, packet, object, now)
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
    self:request(device, OP.upgrade, qinglian.OWNER)
    return { kind = "finished", target = target }
  elseif what ~= "stale" then
    self:_send_piece(device, what == "again")
  end
  local percent = transfer:news()
  return percent and { kind = "progress", percent = percent, target = target } or nil
end

M.heard[OP.upgrade] = function(_, device, _, object)
  local transfer = device.transfer
  if not transfer or not transfer.complete then return nil end
  drop(device)
  -- -2: it was started anew since, and has nothing that could be upgraded.
  if qinglian.errcode(object) ~= -1 then return nil end
  return { kind = "fail", number = -1, text = "it refused the upgrade command", target = transfer.offer.release }
end

M.methods = Firmware

return M
