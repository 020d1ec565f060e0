--- The Qinglian dialect: topics, opcodes and bodies of both sides.
--
-- Pure. A body is compact JSON with its keys in the vendor's order. Texts in it are not
-- escaped, so none may hold a quote or a backslash. update.cloud.qinglian_frame has the
-- frame around it, update.cloud.qinglian_session the order of messages.
-- Source of the wire facts: the vendor's public device SDK, protocol 0x0201.
--
-- @module update.cloud.qinglian

local fields = require "update.cloud.message_fields"

local M = {}

M.name, M.over = "qinglian", "mqtt"
M.traits = {}

--- Bytes of a product's key.
M.KEY = 16

--- Bytes of a piece of firmware, by default.
M.CHUNK = 1024

--- Fields of the configuration.
M.fields = {
  { name = "iv", type = "string", max = 32, meaning = "qinglian: the vendor's initialisation vector, 32 hex digits; "
    .. "required without tls" },
  { name = "chunk", type = "integer", min = 128, max = 32768, meaning = "qinglian: bytes of a piece of firmware, a "
    .. "power of two; default: 1024" },
}

M.OP = { register = 0x0101, authenticate = 0x0201, heartbeat = 0x0301, types = 0x0302, verify = 0x0a00, check = 0x0a01,
  info = 0x0a02, chunk = 0x0a03, upgrade = 0x0a04, by_app = 0x0a05, forced = 0x0a09, list_now = 0x0a10, list = 0x0a11,
  patch_request = 0x0a12, patch_chunk = 0x0a13, patch_end = 0x0a14 }

--- Reasons for a question.
M.WHY = { timer = 0, verify = 1, app = 5, forced = 9 }

--- Values of `crypt_type`.
M.CRYPT = { aes = 0, ssl = 1, sm4 = 2 }

--- Numbers of `errno` in a frame.
M.ERRNO = { general = 1, product = 2, device = 3, token = 4, limit = 11, bound = 12 }

--- Seconds since 1970: devices ignore a time of the cloud that is earlier.
M.CLOCK_LEAST = 1483200000

--- Whether this is a MAC in the cloud's form.
function M.is_mac(text)
  return type(text) == "string" and text:find "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$" ~= nil and text == text:lower()
end

--- Whether this is a release that the cloud can name.
function M.is_release(text)
  return type(text) == "string" and text:find "^%d%d%.%d%d$" ~= nil
end

--- The number of a product; nil: not a number.
function M.product(text)
  local number = fields.integer(text)
  return number and number >= 0 and number <= 0xFFFFFFFF and number or nil
end

--- The topics of a device: `up`, on which it publishes; `down`, to which it subscribes.
function M.topics(mac)
  local bytes = mac:gsub(":", "")
  local name = ("%d-%d"):format(tonumber(bytes:sub(1, 6), 16), tonumber(bytes:sub(7), 16))
  return { up = "d/p/" .. name, down = "d/s/" .. name }
end

--- The topics that a server subscribes to.
M.filters = { "d/p/+" }

--- The device that publishes on a topic.
-- @treturn string|nil MAC; nil: not a topic that devices publish on
function M.parse_topic(topic)
  local high, low = topic:match "^d/p/(%d+)%-(%d+)$"
  high, low = M.product(high), M.product(low)
  if not high or not low or high > 0xFFFFFF or low > 0xFFFFFF then return nil end
  return (("%06x%06x"):format(high, low):gsub("%x%x", "%0:"):sub(1, -2))
end

--- What is wrong with a cloud of the configuration.
-- @tparam table cloud
-- @tparam string field prefix of its fields in messages
-- @treturn string|nil
function M.wrong(cloud, field)
  if not M.product(cloud.product) then return ("field %sproduct must be a number, the product id"):format(field) end
  if not M.is_mac(cloud.device) then
    return ("field %sdevice must be the MAC of the device, as 00:0c:29:4b:5b:1f"):format(field)
  end
  if cloud.secret and #cloud.secret ~= M.KEY then
    return ("field %ssecret must be the product key of %d bytes"):format(field, M.KEY)
  end
  if not cloud.host then return ("field %shost is missing: the server that tells where the broker is"):format(field) end
  if cloud.iv and not cloud.iv:find("^" .. ("%x"):rep(32) .. "$") then
    return ("field %siv must be 32 hex digits"):format(field)
  end
  if not cloud.iv and not cloud.tls then return ("field %siv is missing: needed without tls"):format(field) end
  local chunk = cloud.chunk
  if chunk and chunk & chunk - 1 ~= 0 then return ("field %schunk must be a power of two"):format(field) end
end

--- The topics that a device subscribes to, with QoS.
function M.subscriptions(_, mac)
  return { { M.topics(mac).down, 0 } }
end

-- Bodies of a device.

function M.register(o)
  return ('{"req":{"product_id":%d},"data":{"product_sign":"%s","rand":%d,"mac":"%s","pf":"10","crypt_type":%d,'
    .. '"sn":""}}'):format(o.product, o.sign, o.rand, o.mac, o.crypt)
end

function M.authenticate(o)
  return ('{"req":{"product_id":%d},"data":{"product_sign":"%s","dev_sign":"%s","rand":%d,"dev_id":"%s",'
    .. '"mcu_version":"%s","wifi_version":"03.11","rst":0,"unb":0,"mcu":"","wifi":""}}'):format(
    o.product, o.sign, o.device_sign, o.rand, o.id, o.release)
end

function M.heartbeat(token)
  return ('{"req":{"token":"%s"}}'):format(token)
end

function M.check(token, o)
  return ('{"req":{"token":"%s"},"data":{"upgradetype":%d,"product_id":%d,"version":"%s","bin":1,"owner":1,'
    .. '"chunksize":%d,"brk_v":"","brk_c":0,"brk_s":0}}'):format(token, o.why, o.product, o.release, o.chunk)
end

function M.list(token, why, chunk)
  return ('{"req":{"token":"%s"},"data":{"upgradetype":%d,"chunksize":%d}}'):format(token, why, chunk)
end

--- Ask for a patch.
function M.want(token, item)
  return ('{"req":{"token":"%s"},"data":{"n":"%s","v":"%s"}}'):format(token, item.name, item.version)
end

--- How a patch did.
-- @tparam boolean ok
function M.result(token, item, ok)
  return ('{"req":{"token":"%s"},"data":{"n":"%s","v":"%s","s":%d}}'):format(token, item.name, item.version,
    ok and 0 or -1)
end

--- An answer, with owner, offset and version if given.
function M.answer(token, errcode, data)
  local parts = {}
  if data and data.owner then parts[#parts + 1] = ('"owner":%d'):format(data.owner) end
  if data and data.offset then parts[#parts + 1] = ('"offset":%d'):format(data.offset) end
  if data and data.version then parts[#parts + 1] = ('"version":"%s"'):format(data.version) end
  local more = data and (',"data":{%s}'):format(table.concat(parts, ",")) or ""
  return ('{"res":{"errcode":%d,"token":"%s"}%s}'):format(errcode, token, more)
end

-- Bodies of a cloud.

function M.registered(o)
  return ('{"res":{"errcode":0},"data":{"dev_id":"%s","dev_key":"%s","cloud_version":"2.0.107"}}'):format(o.id, o.key)
end

function M.authenticated(o)
  return ('{"res":{"errcode":0},"data":{"iotid":"%s","token":"%s","ts":%d}}'):format(o.id, o.token, o.time)
end

function M.beat(time)
  return ('{"res":{"errcode":0},"value":%d}'):format(time)
end

--- An answer without more.
M.OK = '{"res":{"errcode":0}}'

--- The body of 0a00, 0a04 and 0a05.
M.OWNER = '{"owner":1}'

--- The answer to a question for firmware; without an offer there is none.
-- @tparam[opt] table offer size, name, version, crc
function M.info(offer)
  if not offer then
    return '{"res":{"errcode":0},"value":{"owner":1,"ftotallen":0,"name":"","version":"","fcrc":0}}'
  end
  return ('{"res":{"errcode":0},"value":{"owner":1,"ftotallen":%d,"name":"%s","version":"%s","fcrc":%d}}'):format(
    offer.size, offer.name, offer.version, offer.crc)
end

--- One patch of a list.
-- @tparam table item name, version, size, crc
function M.list_item(item)
  return ('{"n":"%s","v":"%s","tl":%d,"c":%d}'):format(item.name, item.version, item.size, item.crc)
end

--- A list of patches.
-- @tparam {string,...} items of list_item()
function M.listed(items)
  return ('{"res":{"errcode":0},"value":[%s]}'):format(table.concat(items, ","))
end

-- Decoded bodies.

local function sub(object, name)
  local value = type(object) == "table" and object[name]
  return type(value) == "table" and value or {}
end

--- `errcode` of an answer.
-- @treturn integer|nil
function M.errcode(object)
  return fields.integer(sub(object, "res").errcode)
end

--- The part of a body with this name; an empty table if it is missing.
M.part = sub

--- A text of at most `limit` bytes that can be put into a body; nil: invalid.
function M.text(value, limit)
  if type(value) ~= "string" or #value < 1 or #value > limit or value:find '[^\33-\126]' or value:find '["\\]' then
    return nil
  end
  return value
end

--- Decode the cloud's announcement.
-- @treturn table|nil {size, version, crc, name}; {}: there is nothing newer; nil: invalid
function M.announced(object)
  local value = sub(object, "value")
  local size, crc = fields.integer(value.ftotallen), fields.integer(value.fcrc)
  if M.errcode(object) ~= 0 or fields.integer(value.owner) ~= 1 or not size or size < 0 or size > 0xFFFFFFFF then
    return nil
  end
  if size == 0 then return {} end
  if not M.is_release(value.version) or not crc or crc < 0 or crc > 0xFFFF then return nil end
  return { size = size, version = value.version, crc = crc, name = fields.text(value.name, 16) }
end

--- Bytes of the name of a patch or its version, and patches in a list, at most.
M.NAME, M.LIST = 16, 255

--- A patch, as a list or a request names it.
-- @treturn table|nil name, version; nil: invalid
function M.named(object)
  object = type(object) == "table" and object or {}
  local name, version = M.text(object.n, M.NAME), M.text(object.v, M.NAME)
  return name and version and { name = name, version = version } or nil
end

--- Decode a list of patches.
-- @treturn {table,...} name, version, size, crc; those that are usable
-- @treturn integer how many are not
function M.items(object)
  local items, wrong = {}, 0
  for i, object_item in ipairs(sub(object, "value")) do
    if i > M.LIST then break end
    local item = M.named(object_item)
    local size, crc = item and fields.integer(object_item.tl), item and fields.integer(object_item.c)
    if size and size > 0 and size <= 0xFFFFFFFF and crc and crc >= 0 and crc <= 0xFFFF then
      item.size, item.crc = size, crc
      items[#items + 1] = item
    else
      wrong = wrong + 1
    end
  end
  return items, wrong
end

return M
