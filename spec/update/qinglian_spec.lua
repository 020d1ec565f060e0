-- The dialect and the machine of a device, without a device or a cloud.

local cipher = require "update.cloud.qinglian_cipher"
local frame = require "update.cloud.qinglian_frame"
local json = require "update.native.json"
local native = require "update.native.cipher"
local digest = require "update.native.digest"
local qinglian = require "update.cloud.qinglian"
local session = require "update.cloud.qinglian_session"

local OP = qinglian.OP
local MAC = "00:0c:29:4b:5b:1f"
local KEY, IV = "0123456789ABCDEF", ("\x5a"):rep(16)

describe("Qinglian's dialect", function()
  it("names topics as the vendor does, both ways", function()
    assert.same({ up = "d/p/3113-4938527", down = "d/s/3113-4938527" }, qinglian.topics(MAC))
    assert.equal(MAC, qinglian.parse_topic "d/p/3113-4938527")
    for _, topic in ipairs { "d/s/3113-4938527", "d/p/3113", "d/p/16777216-1", "d/p/1-16777216", "d/p/-1-1",
      "d/p/1-1/x", "" } do
      assert.is_nil(qinglian.parse_topic(topic))
    end
  end)

  it("says the vendor's bodies, byte for byte", function()
    assert.equal('{"req":{"token":"tok"},"data":{"upgradetype":0,"chunksize":1024}}', qinglian.list("tok", 0, 1024))
    assert.equal('{"res":{"errcode":0,"token":"tok"},"data":{"offset":1024}}',
      qinglian.answer("tok", 0, { offset = 1024 }))
    assert.equal('{"res":{"errcode":-2,"token":"tok"}}', qinglian.answer("tok", -2))
    assert.equal('{"res":{"errcode":0,"token":"tok"},"data":{"owner":1,"version":"01.02"}}',
      qinglian.answer("tok", 0, { owner = 1, version = "01.02" }))
    assert.equal('{"req":{"token":"tok"},"data":{"upgradetype":1,"product_id":7,"version":"01.01","bin":1,"owner":1,'
      .. '"chunksize":1024,"brk_v":"","brk_c":0,"brk_s":0}}',
      qinglian.check("tok", { why = 1, product = 7, release = "01.01", chunk = 1024 }))
  end)

  it("makes the vendor's body key", function()
    assert.equal("7a613d77ea45b7ca", cipher.body_key(digest.md5, MAC, KEY))
  end)

  it("learns the vector from a signature, and finds the device's key again", function()
    local sign = cipher.product_sign(native, KEY, IV, 1001, 4711)
    assert.equal(24, #sign)
    assert.equal(IV, cipher.learn_iv(native, KEY, sign, 1001, 4711))
    assert.is_nil(cipher.learn_iv(native, KEY, sign .. "A", 1001, 4711))
    assert.equal(44, #cipher.device_sign(native, KEY, IV, "dev", 1))
    local wrapped = cipher.wrap_key(native, KEY, IV, "abcdefghijklmnop")
    assert.equal(44, #wrapped)
    assert.equal("abcdefghijklmnop", cipher.unwrap_key(native, KEY, IV, wrapped))
    assert.is_nil(cipher.unwrap_key(native, "another key 1234", IV, wrapped))
  end)

  it("pads by whole blocks, and takes no other padding off", function()
    for n = 0, 33 do
      local text = ("x"):rep(n)
      assert.equal(0, #cipher.pad(text) % 16)
      assert.equal(text, cipher.unpad(cipher.pad(text)))
    end
    for _, wrong in ipairs { "", ("\0"):rep(16), ("\17"):rep(32), ("x"):rep(15) .. "\2" } do
      assert.is_nil(cipher.unpad(wrong))
    end
  end)
end)

describe("a cloud of kind qinglian in the configuration", function()
  local function wrong(more)
    local cloud = { kind = "qinglian", product = "1001", device = MAC, host = "h", iv = ("5a"):rep(16) }
    for name, value in pairs(more) do cloud[name] = value end
    return qinglian.wrong(cloud, "cloud.")
  end

  local cases = {
    { "is complete", {}, nil },
    { "may use TLS without a vector", { tls = {}, iv = false }, nil },
    { "names its product by a number", { product = "k-123" }, "field cloud.product must be a number" },
    { "and one of 32 bits", { product = "4294967296" }, "product must be a number" },
    { "names the device by its MAC", { device = "dev1" }, "device must be the MAC" },
    { "in small letters", { device = MAC:upper() }, "device must be the MAC" },
    { "has a host", { host = false }, "host is missing" },
    { "has a vector without TLS", { iv = false }, "iv is missing" },
    { "of 32 hex digits", { iv = ("5a"):rep(15) .. "5g" }, "iv must be 32 hex digits" },
    { "has pieces of a power of two", { chunk = 1000 }, "chunk must be a power of two" },
    { "has a key of 16 bytes", { secret = "short" }, "secret must be the product key of 16 bytes" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local message = wrong(case[2])
      if case[3] then assert.match(case[3], message, 1, true) else assert.is_nil(message) end
    end)
  end
end)

-- A device that logged in at time 0; `at` is its time.
local function device(release)
  local d = { at = 0, state = session.new { product = 7, mac = MAC, crypt = 0, chunk = 1024, period = 1000,
    random = function() return 1 end, sign = function() return "S" end, device_sign = function() return "D" end,
    unwrap = function(text) return text == "key" and KEY or nil end } }
  function d:go(event)
    event.now = self.at
    local actions
    self.state, actions = session.step(self.state, event)
    return actions
  end
  function d:hear(opcode, body, more)
    local event = { type = "packet", opcode = opcode, sequence = 5000, errno = 0, body = body,
      object = type(body) == "string" and body:find "^{" and json.decode(body) or nil }
    for name, value in pairs(more or {}) do event[name] = value end
    return self:go(event)
  end
  function d:log_in()
    self:go { type = "settled", release = release or "01.00" }
    self:go { type = "connected" }
    self:go { type = "tick" }
    self:hear(OP.register, '{"res":{"errcode":0},"data":{"dev_id":"id","dev_key":"key"}}')
    return self:hear(OP.authenticate, '{"res":{"errcode":0},"data":{"iotid":"i","token":"tok","ts":1600000000}}')
  end
  return d
end

-- What was done, in a few words.
local function words(actions)
  local out = {}
  for i, action in ipairs(actions) do
    local code = action.type == "send" and action.body:match '"errcode":(%-?%d+)'
    out[i] = action.type == "send" and ("%04x%s"):format(action.opcode, code and " " .. code or "") or action.type
  end
  return table.concat(out, ", ")
end

local IMAGE = ("0123456789abcdef"):rep(160) -- 2560 bytes: three pieces

local function announce(d, o)
  o = o or {}
  return d:hear(OP.info, qinglian.info { size = o.size or #IMAGE, name = "fw", version = o.version or "01.01",
    crc = o.crc or frame.crc16(IMAGE) })
end

local function piece(d, number, o)
  o = o or {}
  local offset = (number - 1) * 1024
  local data = o.data or IMAGE:sub(offset + 1, offset + 1024)
  local last = o.last
  if last == nil then last = offset + #data >= #IMAGE end
  return d:hear(OP.chunk, frame.chunk { owner = o.owner or 1, last = last, offset = o.offset or offset, data = data })
end

-- A device that has asked, and was told of firmware.
local function announced()
  local d = device()
  d:log_in()
  d:go { type = "tick" }
  announce(d)
  return d
end

describe("Qinglian's device", function()
  it("logs in when its release is settled, and asks what there is", function()
    local d = device()
    d:go { type = "connected" }
    assert.equal("", words(d:go { type = "tick" }))
    d:go { type = "settled", release = "01.00" }
    assert.equal("0101", words(d:go { type = "tick" }))
    assert.equal("0201", words(d:hear(OP.register, '{"res":{"errcode":0},"data":{"dev_id":"id","dev_key":"key"}}')))
    assert.equal("clock, authed", words(d:hear(OP.authenticate,
      '{"res":{"errcode":0},"data":{"iotid":"i","token":"tok","ts":1600000000}}')))
    assert.equal("0a01", words(d:go { type = "tick" }))
  end)

  it("begins again a second after a log-in that failed, and every 20 s without an answer", function()
    local d = device()
    d:go { type = "settled", release = "01.00" }
    d:go { type = "connected" }
    d:go { type = "tick" }
    assert.equal("log", words(d:hear(OP.register, "", { errno = 2 })))
    assert.equal("", words(d:go { type = "tick" }))
    d.at = 1
    assert.equal("0101", words(d:go { type = "tick" }))
    d.at = 20
    assert.equal("", words(d:go { type = "tick" }))
    d.at = 21
    assert.equal("0101", words(d:go { type = "tick" }))
    assert.equal("log", words(d:hear(OP.register, '{"res":{"errcode":0},"data":{"dev_id":"id","dev_key":"other"}}')))
    d.at = 22
    d:go { type = "tick" }
    assert.equal("blocked", words(d:hear(OP.register, "", { errno = 12 })))
  end)

  it("logs in anew when its token is out of date, or its release is another", function()
    local d = device()
    d:log_in()
    assert.equal("log", words(d:hear(OP.heartbeat, "", { errno = 4 })))
    assert.equal("0101", words(d:go { type = "tick" }))
    d = device()
    d:log_in()
    d:go { type = "settled", release = "01.01" }
    assert.equal("0101", words(d:go { type = "tick" }))
    d = device()
    d:log_in()
    d:go { type = "unsettled" }
    d:go { type = "settled", release = "01.00" } -- rolled back
    assert.equal("0101", words(d:go { type = "tick" }))
  end)

  it("asks for a list after the answer that it has the latest, and every six hours", function()
    local d = device()
    d:log_in()
    d:go { type = "tick" }
    assert.equal("0a02 1", words(d:hear(OP.info, qinglian.info(nil))))
    d.at = 1
    assert.equal("0a11", words(d:go { type = "tick" }))
    for _ = 1, 21 do -- checks and heartbeats meanwhile
      d.at = d.at + 1000
      d:go { type = "tick" }
      d:hear(OP.info, qinglian.info(nil))
    end
    d.at = 21600
    assert.not_match("0a11", words(d:go { type = "tick" }))
    d.at = 21605 -- a stalled loop misses no list
    assert.match("0a11", words(d:go { type = "tick" }))
    assert.equal("0a10 0, 0a11", words(d:hear(OP.list_now, "")))
    assert.equal("listed", words(d:hear(OP.list, '{"res":{},"value":[{"n":"p","v":"1","tl":9,"c":1}]}')))
    local refused = d:hear(OP.patch_chunk, "\0\0\0\4\0x")
    assert.equal("0a13 -2", words(refused))
    assert.match('"offset":0', refused[1].body)
  end)

  it("takes pieces in order, one after the other was used up, and upgrades", function()
    local d = announced()
    assert.equal("push", words(piece(d, 1)))
    assert.equal("0a03 0", words(d:go { type = "consumed" }))
    assert.equal("push", words(piece(d, 2)))
    d:go { type = "begun" }
    local ack = d:go { type = "consumed" }
    assert.equal('{"res":{"errcode":0,"token":"tok"},"data":{"owner":1,"offset":1024}}', ack[1].body)
    assert.equal(5000, ack[1].sequence)
    assert.equal("push", words(piece(d, 3)))
    assert.equal("", words(d:go { type = "consumed" })) -- not before all is read back
    assert.equal("0a04 -2", words(d:hear(OP.upgrade, qinglian.OWNER)))
    assert.equal("0a03 0", words(d:go { type = "complete" }))
    assert.equal("arm", words(d:hear(OP.upgrade, qinglian.OWNER)))
    local answer = d:go { type = "armed", ok = true }
    assert.equal("0a04 0", words(answer))
    assert.equal(1, answer[1].qos)
    assert.match('"version":"01.01"', answer[1].body)
    assert.equal("restart", words(d:go { type = "acked" }))
  end)

  it("restarts 10 s after the command when the broker does not have the answer", function()
    local d = announced()
    for i = 1, 3 do
      piece(d, i)
      d:go { type = i == 3 and "complete" or "consumed" }
    end
    d:hear(OP.upgrade, qinglian.OWNER)
    d:go { type = "armed", ok = true }
    d.at = 9
    assert.not_match("restart", words(d:go { type = "tick" }))
    d.at = 10
    assert.match("restart", words(d:go { type = "tick" }))
  end)

  local wrong = {
    { "for another owner", { owner = 0 }, "0a03 -1" },
    { "too far on", { offset = 2048 }, "0a03 -1" },
    { "longer than what was announced", { data = IMAGE .. "x" }, "0a03 -1" },
    { "that says it is the last", { last = true }, "0a03 -1" },
  }
  for _, row in ipairs(wrong) do
    it("refuses a piece " .. row[1] .. ", and the transfer ends", function()
      local d = announced()
      piece(d, 1)
      d:go { type = "consumed" }
      assert.equal("log, " .. row[3] .. ", stop", words(piece(d, 2, row[2])))
      assert.equal("0a03 -2", words(piece(d, 3)))
    end)
  end

  it("refuses the last piece when the CRC of all is another", function()
    local d = device()
    d:log_in()
    d:go { type = "tick" }
    announce(d, { crc = frame.crc16(IMAGE) ~ 1 })
    for i = 1, 2 do
      piece(d, i)
      d:go { type = "consumed" }
    end
    assert.equal("log, 0a03 -1, stop", words(piece(d, 3)))
  end)

  it("passes over a piece that it has, and refuses the first again", function()
    local d = announced()
    piece(d, 1)
    d:go { type = "consumed" }
    piece(d, 2)
    d:go { type = "consumed" }
    assert.equal("", words(piece(d, 2)))
    assert.equal("0a03 -2", words(piece(d, 1)))
    assert.equal("push", words(piece(d, 3)))
  end)

  it("gives policy 20 s, and refuses what it does not want until it may come again", function()
    local d = announced()
    piece(d, 1)
    d.at = 19
    assert.equal("", words(d:go { type = "tick" }))
    d.at = 20
    assert.equal("log, 0a03 -1, stop", words(d:go { type = "tick" }))
    d = announced()
    piece(d, 1)
    d:go { type = "consumed" }
    piece(d, 2)
    assert.equal("log, 0a03 -1", words(d:go { type = "ended", code = "deferred", text = "battery", retry_after = 500 }))
    assert.equal("0a03 -2", words(piece(d, 2))) -- the cloud tries again, and learns that there is no use
    d.at = 499
    d:hear(OP.verify, qinglian.OWNER)
    assert.equal("log, 0a02 -1", words(announce(d)))
    d.at = 500
    d:hear(OP.verify, qinglian.OWNER)
    assert.equal("0a02 0, begin", words(announce(d)))
  end)

  it("ends a transfer without a step for more than 120 s, and tells its last acknowledgement again before", function()
    local d = announced()
    piece(d, 1)
    d:go { type = "consumed" }
    local told = {}
    for at = 1, 121 do
      d.at = at
      for _, action in ipairs(d:go { type = "tick" }) do
        if action.opcode ~= OP.heartbeat then told[#told + 1] = at .. " " .. words { action } end
      end
    end
    assert.same({ "30 0a03 0", "60 0a03 0", "90 0a03 0", "121 stop" }, told)
    assert.equal("0a03 -2", words(piece(d, 2)))
  end)

  it("goes on after a lost link, and tells its last acknowledgement again", function()
    local d = announced()
    piece(d, 1)
    d:go { type = "consumed" }
    d:go { type = "disconnected" }
    assert.equal("clock, authed, 0a03 0", words(d:log_in()))
    assert.equal("push", words(piece(d, 2)))
  end)

  it("asks when told to, as far as it is free", function()
    local d = device()
    d:log_in()
    assert.equal("0a00 -1", words(d:hear(OP.verify, '{"owner":0}')))
    assert.equal("0a00 0, 0a01", words(d:hear(OP.verify, qinglian.OWNER)))
    announce(d)
    piece(d, 1)
    assert.equal("0a00 -2", words(d:hear(OP.verify, qinglian.OWNER)))
    assert.equal("0a10 -2", words(d:hear(OP.list_now, "")))
    assert.equal("0a09 -1", words(d:hear(OP.forced, '{"owner":1,"product_id":7,"version":"1.0"}')))
    assert.equal("0a05 0, stop, 0a01", words(d:hear(OP.by_app, qinglian.OWNER)))
    local forced = d:hear(OP.forced, '{"owner":1,"product_id":8,"version":"02.00"}')
    assert.equal("0a09 1, 0a01", words(forced))
    assert.match('"upgradetype":9,"product_id":8,"version":"02.00"', forced[2].body, 1, true)
  end)

  it("refuses an announcement that is not usable, or that nobody asked for", function()
    for _, body in ipairs { "", "{}", '{"res":{"errcode":0},"value":{"owner":1,"ftotallen":-1,"fcrc":1}}',
      '{"res":{"errcode":0},"value":{"owner":1,"ftotallen":5,"name":"x","version":"1.1","fcrc":1}}',
      '{"res":{"errcode":0},"value":{"owner":0,"ftotallen":5,"name":"x","version":"01.01","fcrc":1}}',
      '{"res":{"errcode":0},"value":{"owner":1,"ftotallen":5,"name":"x","version":"01.01","fcrc":70000}}',
      '{"res":{"errcode":0},"value":[]}', '{"res":1,"value":1}' } do
      local d = device()
      d:log_in()
      assert.equal("0a02 -2", words(d:hear(OP.info, body)))
      d:go { type = "tick" }
      assert.equal("log, 0a02 -1", words(d:hear(OP.info, body)))
    end
  end)

  it("never raises, whatever comes in whatever order", function()
    math.randomseed(20190605)
    local events = { "connected", "disconnected", "unsettled", "begun", "consumed", "complete", "ended", "armed",
      "acked", "tick" }
    local opcodes, bodies = {}, { "", "{}", "[]", '{"res":1,"data":[]}', qinglian.OWNER, "\0", qinglian.info(nil) }
    for _, opcode in pairs(OP) do opcodes[#opcodes + 1] = opcode end
    table.sort(opcodes)
    for _ = 1, 300 do
      local d = device()
      d:log_in()
      for _ = 1, 60 do
        d.at = d.at + math.random(0, 40)
        local dice = math.random()
        if dice < 0.3 then
          d:go { type = events[math.random(#events)], ok = math.random() < 0.5, code = "refused", text = "no" }
        elseif dice < 0.6 then
          d:hear(opcodes[math.random(#opcodes)], bodies[math.random(#bodies)],
            { errno = math.random() < 0.1 and math.random(0, 20) or 0 })
        elseif dice < 0.7 then
          d:log_in()
        elseif dice < 0.8 then
          announce(d)
        else
          piece(d, math.random(1, 3))
        end
        local transfer = d.state.firmware
        assert(not transfer or not transfer.at or transfer.at <= #IMAGE)
      end
    end
  end)
end)
