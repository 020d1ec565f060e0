--- A depot as the Qinglian cloud and a device of it, by their own code: no broker, no engine between them.
--
-- @module spec.support.qinglian_pair

local cipher = require "update.cloud.qinglian_cipher"
local digest = require "update.native.digest"
local frame = require "update.cloud.qinglian_frame"
local json = require "update.native.json"
local native = require "update.native.cipher"
local qinglian = require "update.cloud.qinglian"
local session = require "update.cloud.qinglian_session"
local talk = require "depot.qinglian"

local M = {}

local OP, CRYPT = qinglian.OP, qinglian.CRYPT
local KEY, IV = "0123456789ABCDEF", ("\x5a"):rep(16)

--- A firmware of 2560 bytes, and the time.
M.IMAGE, M.NOW = ("0123456789abcdef"):rep(160), 1700000000000

--- A depot as the Qinglian cloud. `o`: secret, patches (depot.patch_store), dir
function M.cloud(o)
  o = o or {}
  local c = { said = {}, remarks = {} }
  c.talk = talk.new { json = json, aes = native, md5 = digest.md5, hmac = digest.hmac, secret = o.secret or "secret",
    products = { [1001] = KEY }, say = function(topic, bytes) table.insert(c.said, { topic, bytes }) end,
    dir = o.dir, patches = o.patches, sha256 = digest.sha256,
    remarks = { once = function(_, _, text) table.insert(c.remarks, text) end } }
  return c
end

--- A device of release 01.00. `o`: mac, iv, crypt, product, chunk
function M.device(o)
  o = o or {}
  local mac, iv, crypt = o.mac or "00:0c:29:4b:5b:1f", o.iv or IV, o.crypt or CRYPT.aes
  local d = { mac = mac, topics = qinglian.topics(mac), out = {}, got = "", at = 0, done = {} }
  d.state = session.new { product = o.product or 1001, mac = mac, crypt = crypt, chunk = o.chunk or 1024,
    period = 86400,
    random = function() return 4711 end,
    sign = function(rand) return cipher.product_sign(native, KEY, iv, o.product or 1001, rand) end,
    device_sign = function(key, id, rand) return cipher.device_sign(native, key, iv, id, rand) end,
    unwrap = function(text) return cipher.unwrap_key(native, KEY, iv, text) end }
  local function body_key() return cipher.body_key(digest.md5, mac, d.state.key) end
  local function is_clear(opcode) return crypt ~= CRYPT.aes or opcode == OP.register end
  local acts = {}
  function acts.send(packet)
    local body = packet.body
    if not is_clear(packet.opcode) then body = cipher.seal(native, body_key(), iv, body) end
    table.insert(d.out, frame.packet { opcode = packet.opcode, sequence = packet.sequence, response = packet.response,
      body = body })
  end
  function acts.begin() d.got = "" end
  function acts.push(action)
    d.got = d.got .. action.bytes
    table.insert(d.later, { type = #d.got == #M.IMAGE and "complete" or "consumed" })
  end
  function acts.patch_begin() d.patch = "" end
  function acts.patch_push(action)
    d.patch = d.patch .. action.bytes
    table.insert(d.later, { type = "patch_begun" })
    table.insert(d.later, { type = #d.patch == d.state.patch.item.size and "patch_complete" or "patch_consumed" })
  end
  function acts.listed(action)
    d.items = action.items
    table.insert(d.later, { type = "want", items = action.items })
  end
  function acts.arm() table.insert(d.later, { type = "armed", ok = true }) end
  function d.go(event)
    d.later, event.now = {}, d.at
    local actions
    d.state, actions = session.step(d.state, event)
    local later = d.later
    for _, action in ipairs(actions) do
      table.insert(d.done, action.type)
      if acts[action.type] then acts[action.type](action) end
    end
    for _, following in ipairs(later) do d.go(following) end
  end
  function d.hear(bytes)
    local packet = assert(frame.read_packet(bytes))
    local body = packet.body
    if body ~= "" and not is_clear(packet.opcode) then body = cipher.open(native, body_key(), iv, body) end
    local object = packet.kind == "json" and body ~= "" and json.decode(body) or nil
    d.go { type = "packet", opcode = packet.opcode, sequence = packet.sequence, errno = packet.errno, body = body,
      object = object }
  end
  d.go { type = "settled", release = "01.00" }
  d.go { type = "connected" }
  return d
end

--- Pass on what both say until they are silent, or `count` messages; events that the depot makes of it are kept.
-- `fate`(number of the message) may say "lose" or "twice".
function M.run(c, d, fate)
  c.events = c.events or {}
  local number = 0
  while #d.out + #c.said > 0 do
    number = number + 1
    assert(number < 10000, "they never fall silent")
    local what = fate and fate(number)
    local times = what == "lose" and 0 or what == "twice" and 2 or 1
    if #d.out > 0 then
      local bytes = table.remove(d.out, 1)
      for _ = 1, times do
        local event = c.talk:hear(d.topics.up, bytes, c.now or M.NOW)
        if event then
          table.insert(c.events, event)
          if event.kind == "ask" and c.entry then
            c.talk:offer({ device = d.mac, target = "01.01" }, c.entry, c.now or M.NOW)
          end
          c.talk:settle(d.mac)
        end
      end
    else
      local said = table.remove(c.said, 1)
      assert(d.topics.down == said[1])
      c.largest = math.max(c.largest or 0, #said[2] + 4 + 2 + #said[1])
      for _ = 1, times do d.hear(said[2]) end
    end
  end
end

return M
