-- What a cloud that lies can send to a device: every field of every message wrong, missing, huge, or out of its order.

local frame = require "update.cloud.qinglian_frame"
local json = require "update.native.json"
local qinglian = require "update.cloud.qinglian"
local session = require "update.cloud.qinglian_session"

local OP = qinglian.OP
local LIMITS = { depth = 8, size = 65536 } -- as the agent decodes

local function device()
  local d = { at = 0, done = {}, state = session.new { product = 7, mac = "00:0c:29:4b:5b:1f", crypt = 1, chunk = 1024,
    period = 1000, random = function() return 1 end, sign = function() return "S" end,
    device_sign = function() return "D" end,
    unwrap = function(text) return text == "key" and ("k"):rep(16) or nil end } }
  function d:go(event)
    event.now = self.at
    local actions
    self.state, actions = session.step(self.state, event)
    for _, action in ipairs(actions) do self.done[#self.done + 1] = action end
    return actions
  end
  function d:hear(opcode, body, errno)
    return self:go { type = "packet", opcode = opcode, sequence = 5000, errno = errno or 0, body = body,
      object = body and body:find "^[%[{\"%dtfn]" and json.decode(body, LIMITS) or nil }
  end
  d:go { type = "settled", release = "01.00" }
  d:go { type = "connected" }
  d:go { type = "tick" }
  return d
end

local REGISTERED = '{"res":{"errcode":0},"data":{"dev_id":"id","dev_key":"key"}}'
local AUTHENTICATED = '{"res":{"errcode":0},"data":{"iotid":"i","token":"tok","ts":1600000000}}'

local function authed()
  local d = device()
  d:hear(OP.register, REGISTERED)
  d:hear(OP.authenticate, AUTHENTICATED)
  d:go { type = "tick" }
  return d
end

local function begins(d, kind)
  for _, action in ipairs(d.done) do
    if action.type == kind then return true end
  end
  return false
end

-- Values for any field.
local ODD = { "null", "true", '""', '"x"', "-1", "0", "1.5", "1e99", "4294967296", "99999999999999999999", "[]", "{}",
  '"' .. ("x"):rep(2000) .. '"', '"a\\"b"', '"\\u0000"', '"\\ud800"', '"\195\40"' }

-- A body with one field replaced by each of them, and with it left out.
local function variants(body)
  local out = {}
  for at, name, value in body:gmatch '()"([%w_]+)":("?[%w%.]+"?)' do
    local whole = ('"%s":%s'):format(name, value)
    for _, odd in ipairs(ODD) do
      out[#out + 1] = body:sub(1, at - 1) .. ('"%s":%s'):format(name, odd) .. body:sub(at + #whole)
    end
    out[#out + 1] = (body:sub(1, at - 1) .. body:sub(at + #whole)):gsub(",,", ","):gsub("{,", "{"):gsub(",}", "}")
  end
  for n = 0, #body - 1 do out[#out + 1] = body:sub(1, n) end
  return out
end

describe("a Qinglian device and a cloud that lies", function()
  it("logs in by nothing but a complete answer", function()
    for _, body in ipairs(variants '{"res":{"errcode":0},"data":{"dev_id":"id","dev_key":"key"}}') do
      local d = device()
      local object = json.decode(body, LIMITS)
      d:hear(OP.register, body)
      if not (type(object) == "table" and type(object.data) == "table" and object.data.dev_key == "key") then
        assert.is_nil(d.state.key, body)
      end
    end
    local d = device()
    d:hear(OP.authenticate, AUTHENTICATED) -- before it is registered
    for _, body in ipairs(variants(AUTHENTICATED)) do
      d = device()
      d:hear(OP.register, REGISTERED)
      d:hear(OP.authenticate, body)
      if d.state.link == "authed" then
        assert.match("^[\33-\126]+$", d.state.token)
        assert(#d.state.token <= 44 and not d.state.token:find '["\\]')
      end
    end
  end)

  it("begins no firmware that is announced wrongly", function()
    local good = qinglian.info { size = 3, name = "fw", version = "01.01", crc = 7 }
    local begun = 0
    for _, body in ipairs(variants(good)) do
      local d = authed()
      d:hear(OP.info, body)
      if begins(d, "begin") then
        begun = begun + 1
        local offer = d.state.firmware.offer
        assert(offer.size > 0 and offer.size <= 0xFFFFFFFF and offer.crc <= 0xFFFF)
        assert(qinglian.is_release(offer.version))
      end
    end
    assert(begun < 40) -- another name, size or CRC may be true
  end)

  it("asks for no patch that is listed wrongly", function()
    local good = qinglian.listed { qinglian.list_item { name = "fix", version = "v1", size = 3, crc = 7 } }
    for _, body in ipairs(variants(good)) do
      local d = authed()
      d:hear(OP.list, body)
      for _, action in ipairs(d.done) do
        for _, item in ipairs(action.type == "listed" and action.items or {}) do
          assert(#item.name <= 16 and #item.version <= 16 and not (item.name .. item.version):find '["\\%c]')
          assert(item.size > 0 and item.size <= 0xFFFFFFFF and item.crc >= 0 and item.crc <= 0xFFFF)
        end
      end
    end
    local many = {}
    for i = 1, 1000 do many[i] = qinglian.list_item { name = "f" .. i, version = "v", size = 3, crc = 7 } end
    local d = authed()
    d:hear(OP.list, qinglian.listed(many))
    for _, action in ipairs(d.done) do
      if action.type == "listed" then assert.equal(255, #action.items) end
    end
  end)

  it("keeps to one size in memory, however long the cloud sends", function()
    local d = authed()
    d:hear(OP.info, qinglian.info(nil))
    d:hear(OP.list, qinglian.listed { qinglian.list_item { name = "fix", version = "v1", size = 1 << 20, crc = 7 } })
    d:go { type = "want", items = { { name = "fix", version = "v1", size = 1 << 20, crc = 7 } } }
    local bodies = { ("\0"):rep(1029), frame.patch_chunk { last = false, offset = 0, data = ("x"):rep(1024) },
      frame.patch_chunk { last = true, offset = 0xFFFFFFFF, data = "x" }, "", "\1", REGISTERED, AUTHENTICATED,
      qinglian.info { size = 9, name = "fw", version = "01.01", crc = 7 }, qinglian.OWNER, '{"value":1}',
      qinglian.listed { qinglian.list_item { name = "g", version = "v2", size = 9, crc = 7 } } }
    local opcodes = {}
    for _, opcode in pairs(OP) do opcodes[#opcodes + 1] = opcode end
    math.randomseed(20190605)
    local function flood()
      for i = 1, 5000 do
        d.at = d.at + math.random(0, 3)
        local errno = math.random() < 0.05 and math.random(0, 20)
        d:hear(opcodes[math.random(#opcodes)], bodies[math.random(#bodies)], errno)
        if i % 50 == 0 then
          d:go { type = "tick" }
          d:go { type = "patch_ended", code = "write", text = "full" }
          d:go { type = "patch_result", name = "n" .. i, version = "v", ok = i % 100 == 0 }
        end
        d.done = {}
      end
      collectgarbage()
      return collectgarbage "count"
    end
    flood()
    local before = flood()
    assert(flood() < before + 64, "more than 64 KiB more")
  end)

  it("passes on each byte of a patch once and in order, whatever overlaps, skips, grows or comes again", function()
    local state = 20260105
    local function random(n)
      state = state ~ (state << 13) & 0xFFFFFFFF
      state = state ~ (state >> 17)
      state = state ~ (state << 5) & 0xFFFFFFFF
      return state % n
    end
    local whole = {}
    for i = 1, 5000 do whole[i] = string.char(i * 7 % 251) end
    local bytes, ends = table.concat(whole), { whole = 0, stopped = 0 }
    local item = { name = "fix", version = "v1", size = #bytes, crc = frame.crc16(bytes) }
    for _ = 1, 300 do
      local d, got = authed(), ""
      d:hear(OP.info, qinglian.info(nil))
      d:hear(OP.list, qinglian.listed { qinglian.list_item(item) })
      d:go { type = "want", items = { item } }
      local honest = random(4) ~= 0 -- the others are also sent wrong bytes at the right place
      for step = 1, 400 do
        local offset, size = #got, 1 + random(1024)
        local what = random(12)
        if what == 0 then offset = random(#bytes + 2000) end
        if what == 1 then offset = math.max(0, #got - random(600)) end
        if what == 2 then size = 1024 + random(3000) end
        local data = bytes:sub(offset + 1, offset + size)
        if what == 3 then data = data .. ("x"):rep(random(3000)) elseif what == 4 and not honest then
          data = ("y"):rep(#data)
        end
        local last = what == 5 or offset + #data == #bytes
        if what == 6 then last = not last end
        d.done = {}
        d:go { type = "packet", opcode = OP.patch_chunk, sequence = step, errno = 0,
          body = frame.patch_chunk { last = last, offset = offset, data = data } }
        for _, action in ipairs(d.done) do
          if action.type == "patch_push" then
            assert.equal(#got, offset)
            got = got .. action.bytes
            assert(#got <= #bytes, "more than the list said")
          elseif action.type == "patch_stop" then
            ends.stopped = ends.stopped + 1
          end
        end
        if random(3) > 0 then d:go { type = #got == #bytes and "patch_complete" or "patch_consumed" } end
        if not d.state.patch or #got == #bytes then break end
      end
      if #got == #bytes then
        ends.whole = ends.whole + 1
        assert.equal(bytes, got)
      end
    end
    assert.is_true(ends.whole > 50 and ends.stopped > 10, json.encode(ends))
  end)
end)
