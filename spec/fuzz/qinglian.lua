-- What the target `qinglian` does with an input. The first byte picks who reads the rest: the dispatcher's frame, a
-- packet as a device has it, a packet as the depot has it, or the JSON body of one of the messages of the cloud.

local cipher = require "update.native.cipher"
local digest = require "update.native.digest"
local frame = require "update.cloud.qinglian_frame"
local json = require "update.native.json"
local qinglian = require "update.cloud.qinglian"
local session = require "update.cloud.qinglian_session"

local has_depot, talk = pcall(require, "depot.qinglian")

local OP = qinglian.OP
local LIMITS = { depth = 8, size = 65536 }
local MAC, KEY, NOW = "00:0c:29:4b:5b:1f", "0123456789ABCDEF", 1700000000000

local opcodes = {}
for _, opcode in pairs(OP) do opcodes[#opcodes + 1] = opcode end
table.sort(opcodes)

local function decode(body)
  return body ~= "" and json.decode(body, LIMITS) or nil
end

-- Actions of a device: what it says is a packet that can be read again.
local function check(actions)
  for _, action in ipairs(actions) do
    if action.type == "send" then
      local bytes = frame.packet { opcode = action.opcode, sequence = action.sequence, response = action.response,
        body = action.body }
      assert(frame.read_packet(bytes))
      assert(json.decode(action.body, LIMITS), action.body)
    elseif action.type == "begin" or action.type == "patch_begin" then
      local offer = action.offer or action.item
      assert(offer.size > 0 and offer.size <= 0xFFFFFFFF and offer.crc >= 0 and offer.crc <= 0xFFFF)
    end
  end
end

-- A device that is logged in, and takes a patch.
local function device()
  local state = session.new { product = 7, mac = MAC, crypt = 1, chunk = 1024, period = 1000,
    random = function() return 1 end, sign = function() return "S" end, device_sign = function() return "D" end,
    unwrap = function(text) return type(text) == "string" and KEY or nil end }
  for _, event in ipairs {
    { type = "settled", release = "01.00" }, { type = "connected" }, { type = "tick" },
    { type = "packet", opcode = OP.register, object = decode(qinglian.registered { id = "id", key = "key" }) },
    { type = "packet", opcode = OP.authenticate,
      object = decode(qinglian.authenticated { id = "id", token = "tok", time = 1600000000 }) },
    { type = "want", items = { { name = "fix", version = "v1", size = 2000, crc = 7 } } },
  } do
    event.now, event.errno, event.sequence = 0, 0, 1
    state = session.step(state, event)
  end
  assert(state.patch)
  return state
end

local ready = device()

local function hear(opcode, body, errno)
  local state, actions = session.step(ready, { type = "packet", now = 1, opcode = opcode, sequence = 9,
    errno = errno, body = body, object = decode(body) })
  check(actions)
  check(select(2, session.step(state, { type = "tick", now = 200 })))
end

local readers = {}

readers[0] = function(bytes)
  local text, magic = frame.read_dispatch(bytes)
  if not text then return end
  frame.address(text)
  assert(frame.dispatch(text, magic, (">I4"):unpack(bytes)) == bytes)
end

readers[1] = function(bytes)
  local packet = frame.read_packet(bytes)
  if not packet then return end
  assert(frame.packet(packet) == bytes)
  frame.read_chunk(packet.body)
  frame.read_patch_chunk(packet.body)
  hear(packet.opcode, packet.body, packet.errno)
end

readers[2] = function(bytes)
  if not has_depot then return end
  local said = 0
  local cloud = talk.new { json = json, aes = cipher, md5 = digest.md5, hmac = digest.hmac, secret = "secret",
    products = { [7] = KEY }, remarks = { once = function() end }, say = function(_, payload)
      assert(frame.read_packet(payload))
      said = said + 1
    end }
  cloud:hear(qinglian.topics(MAC).up, bytes, NOW)
  cloud:settle(MAC)
  cloud:close()
  assert(said <= 2)
end

readers[3] = function(bytes)
  if bytes == "" then return end
  hear(opcodes[bytes:byte() % #opcodes + 1], bytes:sub(2), 0)
end

return function(bytes)
  if bytes ~= "" then readers[bytes:byte() % 4](bytes:sub(2)) end
end
