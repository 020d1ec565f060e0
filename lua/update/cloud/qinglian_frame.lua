--- The frames of the Qinglian cloud: those of its dispatcher, and those of messages on the broker.
--
-- Pure, for both sides. Numbers are big-endian. Source of the wire facts: the vendor's
-- public device SDK, protocol 0x0201.
--
-- A packet is {opcode, sequence, response (boolean), kind ("json" or "binary"), errno, body}.
--
-- @module update.cloud.qinglian_frame

local M = {}

M.VERSION = 0x0201
M.HEADER = 16         -- bytes of a packet before its body
M.PACKET_MOST = 65536 -- bytes; the client of the broker takes no more

--- The type of encryption in a frame of the dispatcher.
M.MAGIC = { ssl = 0xF1EB, aes = 0xF1EC, sm4 = 0xF1EC }

local DISPATCH_MOST = 128 -- bytes; the device reads no more
local AROUND = 12         -- bytes of a frame of the dispatcher beside its text
local KINDS = { json = 1, binary = 3 }
local KIND_OF = { [1] = "json", [3] = "binary" }

local TABLE = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xA001 or crc >> 1 end
  TABLE[i] = crc
end

--- CRC-16/MODBUS.
-- @tparam string bytes
-- @tparam[opt=0xFFFF] integer crc of the bytes before
function M.crc16(bytes, crc)
  crc = crc or 0xFFFF
  for i = 1, #bytes do crc = crc >> 8 ~ TABLE[(crc ~ bytes:byte(i)) & 0xFF] end
  return crc
end

local function signed32(n)
  n = n & 0xFFFFFFFF
  return n >= 0x80000000 and n - 0x100000000 or n
end

-- Bytes 4 .. length + 7 of a frame are scrambled, by a key that each cipher byte changes.
local function scramble(salt, bytes, reverse)
  local key, out = signed32(salt), {}
  for i = 1, #bytes do
    local from = bytes:byte(i)
    local to = from ~ key & 0xFF
    out[i] = string.char(to)
    key = math.fmod(signed32(((reverse and from or to) + key) * 402 + 1548), 4096) + 111
  end
  return table.concat(out)
end

--- A frame of the dispatcher. A device sends its MAC, the answer is "ip:port".
-- @tparam string text
-- @tparam integer magic of M.MAGIC
-- @tparam integer salt of 32 bits; a device uses 15
function M.dispatch(text, magic, salt)
  local head = (">I4I2I4"):pack(salt & 0xFFFFFFFF, magic, #text)
  local clear = head .. text
  clear = clear .. (">I2"):pack(M.crc16(clear))
  return clear:sub(1, 4) .. scramble(salt, clear:sub(5, -5), false) .. clear:sub(-4)
end

--- The text of a frame of the dispatcher.
-- @tparam string bytes the complete frame
-- @tparam[opt] integer wanted of M.MAGIC; else any of them
-- @treturn string|nil nil, message, "corrupt"
-- @treturn integer magic
function M.read_dispatch(bytes, wanted)
  if #bytes < AROUND + 2 or #bytes > DISPATCH_MOST then
    return nil, ("a frame of the dispatcher of %d bytes"):format(#bytes), "corrupt"
  end
  local salt = (">I4"):unpack(bytes)
  local clear = bytes:sub(1, 4) .. scramble(salt, bytes:sub(5, -5), true) .. bytes:sub(-4)
  local magic, length = (">I2I4"):unpack(clear, 5)
  if magic ~= M.MAGIC.ssl and magic ~= M.MAGIC.aes or wanted and magic ~= wanted then
    return nil, ("a frame of the dispatcher with magic 0x%04x"):format(magic), "corrupt"
  end
  if length ~= #bytes - AROUND then
    return nil, ("a frame of the dispatcher says %d bytes of text and has %d"):format(length, #bytes - AROUND),
      "corrupt"
  end
  if M.crc16(clear:sub(1, -3)) ~= (">I2"):unpack(clear, #clear - 1) then
    return nil, "a frame of the dispatcher with a wrong CRC", "corrupt"
  end
  return clear:sub(11, -3), magic
end

local function is_ip4(host)
  for part in host:gmatch "%d+" do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return not host:find "^0%.0%.0%.0"
end

--- The address of the broker, from the dispatcher's answer.
-- @treturn string|nil IPv4 address; nil, message, "corrupt"
-- @treturn integer port
function M.address(text)
  local host, port = text:match "^(%d+%.%d+%.%d+%.%d+):(%d+)$"
  port = port and #port <= 5 and math.tointeger(tonumber(port))
  if not host or not is_ip4(host) or not port or port < 1 or port > 65535 then
    return nil, ("the dispatcher names no address of a broker"), "corrupt"
  end
  return host, port
end

--- Encode a packet.
-- @tparam table packet opcode, sequence; response, kind ("json"), errno (0), body ("")
function M.packet(packet)
  local body = packet.body or ""
  return (">I4I2I2I1I1I2I4"):pack(M.HEADER + #body, M.HEADER, M.VERSION,
    KINDS[packet.kind or "json"] | (packet.response and 0x80 or 0), packet.errno or 0, packet.opcode,
    packet.sequence & 0xFFFFFFFF) .. body
end

--- Decode a packet. The vendor's device accepts any length; here it must be right.
-- @tparam string bytes
-- @treturn table|nil packet | nil, message, "corrupt"
function M.read_packet(bytes)
  if #bytes < M.HEADER or #bytes > M.PACKET_MOST then
    return nil, ("a packet of %d bytes"):format(#bytes), "corrupt"
  end
  local length, header, version, kind, errno, opcode, sequence = (">I4I2I2I1I1I2I4"):unpack(bytes)
  if length ~= #bytes or header ~= M.HEADER then
    return nil, ("a packet of %d bytes that says %d, and %d of header"):format(#bytes, length, header), "corrupt"
  end
  if version ~= M.VERSION then return nil, ("a packet of protocol 0x%04x"):format(version), "corrupt" end
  if not KIND_OF[kind & 0x7F] then return nil, ("a packet of type %d"):format(kind & 0x7F), "corrupt" end
  return { opcode = opcode, sequence = sequence, response = kind & 0x80 ~= 0, kind = KIND_OF[kind & 0x7F],
    errno = errno, body = bytes:sub(M.HEADER + 1) }
end

--- A piece of firmware.
-- @tparam table chunk owner, last (boolean), offset, data
function M.chunk(chunk)
  return (">I1I1I4"):pack(chunk.owner, chunk.last and 1 or 0, chunk.offset) .. chunk.data
end

--- @treturn table|nil owner, last, offset, data (at least a byte) | nil, message, "corrupt"
function M.read_chunk(body)
  if #body < 7 then return nil, ("a piece of firmware of %d bytes"):format(#body), "corrupt" end
  local owner, last, offset = (">I1I1I4"):unpack(body)
  if last > 1 then return nil, ("a piece of firmware that says %d for the last"):format(last), "corrupt" end
  return { owner = owner, last = last == 1, offset = offset, data = body:sub(7) }
end

--- The fault of a last piece with which the sum of all is wrong.
M.WRONG_SUM = "the CRC is wrong"

--- What is wrong with a piece of firmware, after which its transfer cannot continue; nil: nothing.
-- @tparam table chunk of read_chunk()
-- @tparam table transfer offer {size, crc}, at (the offset that is expected), crc (of what came before)
-- @treturn string|nil
function M.fault_of(chunk, transfer)
  local offer, after = transfer.offer, chunk.offset + #chunk.data
  if chunk.owner ~= 1 then return "it is for another owner" end
  if chunk.offset ~= transfer.at then return ("it is for byte %d, not %d"):format(chunk.offset, transfer.at) end
  if after > offer.size then return "more came than was announced" end
  if chunk.last ~= (after == offer.size) then return "the last piece is not where it was announced" end
  if chunk.last and M.crc16(chunk.data, transfer.crc) ~= offer.crc then return M.WRONG_SUM end
end

--- A piece of a patch, which has no owner.
-- @tparam table chunk last (boolean), offset, data
function M.patch_chunk(chunk)
  return (">I1I4"):pack(chunk.last and 1 or 0, chunk.offset) .. chunk.data
end

--- @treturn table|nil last, offset, data (at least a byte) | nil, message, "corrupt"
function M.read_patch_chunk(body)
  if #body < 6 then return nil, ("a piece of a patch of %d bytes"):format(#body), "corrupt" end
  local last, offset = (">I1I4"):unpack(body)
  if last > 1 then return nil, ("a piece of a patch that says %d for the last"):format(last), "corrupt" end
  return { owner = 1, last = last == 1, offset = offset, data = body:sub(6) }
end

return M
