-- The depot as the Qinglian cloud, against the device's own machine: no broker, no engine, every message by hand.

local cipher = require "update.cloud.qinglian_cipher"
local config = require "depot.qinglian_config"
local dispatcher = require "depot.qinglian_dispatcher"
local frame = require "update.cloud.qinglian_frame"
local native = require "update.native.cipher"
local pair = require "spec.support.qinglian_pair"
local qinglian = require "update.cloud.qinglian"

local OP, CRYPT = qinglian.OP, qinglian.CRYPT
local KEY, IV = "0123456789ABCDEF", ("\x5a"):rep(16)
local IMAGE, NOW = pair.IMAGE, pair.NOW
local cloud_of, device_of, run = pair.cloud, pair.device, pair.run

local function kinds(events)
  local out = {}
  for i, event in ipairs(events) do out[i] = event.kind end
  return table.concat(out, " ")
end

local function errno_of(c)
  return frame.read_packet(table.remove(c.said, 1)[2]).errno
end

describe("the depot as the Qinglian cloud", function()
  local path

  setup(function()
    path = os.tmpname()
    local file <close> = assert(io.open(path, "wb"))
    file:write(IMAGE)
  end)

  teardown(function() os.remove(path) end)

  -- One that has the image, and its CRC.
  local function with_image()
    local c = cloud_of()
    c.entry = { name = "p2.upd", path = path, size = #IMAGE, tag = "1", manifest = { project = "METER" } }
    c.talk.crc:of(c.entry)
    while c.talk:busy() do c.talk:step() end
    return c
  end

  for name, crypt in pairs { aes = CRYPT.aes, ssl = CRYPT.ssl } do
    it(name .. ": lets a device log in, and says that there is nothing", function()
      local c, d = cloud_of(), device_of { crypt = crypt }
      d.go { type = "tick" }
      run(c, d)
      assert.equal("version", kinds(c.events))
      assert.same({ "01.00", "1001", d.mac }, { c.events[1].release, c.events[1].product, c.events[1].device })
      d.go { type = "tick" }
      run(c, d)
      assert.equal("version ask", kinds(c.events))
      assert.is_true(d.state.latest)
    end)

    it(name .. ": sends a package in small packets, one in flight, and orders the upgrade", function()
      local c, d = with_image(), device_of { crypt = crypt, chunk = 512 }
      d.go { type = "tick" }
      run(c, d)
      d.go { type = "tick" }
      run(c, d)
      assert.equal(IMAGE, d.got)
      assert.match("^version ask progress .*finished$", kinds(c.events))
      assert.equal("upgrading", d.state.firmware.stage)
      assert(c.largest <= 512 + 127, c.largest)
    end)
  end

  local refused = {
    { "another product", { product = 7 }, 2, "its product is not known here" },
    { "SM4", { crypt = CRYPT.sm4 }, 1, "SM4, which is unsupported" },
    { "an unknown cipher", { crypt = 9 }, 1, "unknown cipher" },
  }
  for _, row in ipairs(refused) do
    it("refuses " .. row[1], function()
      local c, d = cloud_of(), device_of(row[2])
      d.go { type = "tick" }
      c.talk:hear(d.topics.up, d.out[1], NOW)
      assert.equal(row[3], errno_of(c))
      assert.match(row[4], c.remarks[1], 1, true)
    end)
  end

  it("learns the vector from a first log-in, and refuses another then", function()
    local c, d = cloud_of(), device_of()
    d.go { type = "tick" }
    run(c, d)
    local other = device_of { mac = "00:0c:29:4b:5b:20", iv = ("\x33"):rep(16) }
    other.go { type = "tick" }
    c.talk:hear(other.topics.up, other.out[1], NOW)
    assert.equal(2, errno_of(c))
    local same = device_of { mac = "00:0c:29:4b:5b:21" }
    same.go { type = "tick" }
    run(c, same)
    assert.equal("authed", same.state.link)
  end)

  it("believes no vector whose device cannot sign with it", function()
    local c, d = cloud_of(), device_of()
    d.go { type = "tick" }
    c.talk:hear(d.topics.up, d.out[1], NOW)
    c.said = {}
    c.talk:hear(d.topics.up, frame.packet { opcode = OP.authenticate, sequence = 1, body = ("x"):rep(64) }, NOW)
    assert.equal(3, errno_of(c))
    assert.same({}, c.talk.vectors)
  end)

  it("has a device log in anew that an earlier depot knew", function()
    local c, d = cloud_of(), device_of()
    d.go { type = "tick" }
    run(c, d)
    c = cloud_of()
    d.at = 200
    d.go { type = "tick" } -- a heartbeat, and a question
    run(c, d)
    d.go { type = "tick" }
    run(c, d)
    assert.equal("version", kinds(c.events))
    assert.equal("authed", d.state.link)
  end)

  it("offers no release that the cloud cannot name, and nobody who is not logged in", function()
    local c, d = with_image(), device_of()
    local row = { device = d.mac, target = "1.0.1", due = 1 }
    assert.is_false(c.talk:offer(row, c.entry, NOW))
    assert.is_nil(row.due)
    d.go { type = "tick" }
    run(c, d)
    assert.is_false(c.talk:offer(row, c.entry, NOW))
    assert.match("not of the form 00.00", row.text)
    row.target = "01.01"
    assert.is_false(c.talk:offer(row, c.entry, NOW)) -- it is told to ask
    assert.equal(NOW + 60000, row.due)
    assert.equal(OP.verify, frame.read_packet(c.said[1][2]).opcode)
  end)

  it("sends a piece again that is refused, and the job fails after the fourth time", function()
    local c, d = with_image(), device_of()
    d.go { type = "tick" }
    run(c, d)
    d.go { type = "tick" }
    c.talk:hear(d.topics.up, table.remove(d.out, 1), NOW)
    c.talk:offer({ device = d.mac, target = "01.01" }, c.entry, NOW)
    d.hear(table.remove(c.said, 1)[2])
    c.talk:hear(d.topics.up, table.remove(d.out, 1), NOW)
    local device = c.talk.devices[d.mac]
    local event
    for _ = 1, 4 do
      assert.is_nil(event)
      local piece = frame.read_packet(table.remove(c.said, 1)[2])
      assert.equal(OP.chunk, piece.opcode)
      event = c.talk:hear(d.topics.up, frame.packet { opcode = OP.chunk, sequence = piece.sequence, response = true,
        body = cipher.seal(native, device.body_key, IV, qinglian.answer(device.token, -1, { owner = 1, offset = 0 })) },
        NOW)
    end
    assert.same({ "fail", -1, "01.01" }, { event.kind, event.number, event.target })
    assert.is_nil(device.transfer)
  end)

  -- Whatever becomes of six messages from `first` on: 3^6 histories.
  local function lose_from(first)
    local choices, count = { "fine", "lose", "twice" }, 0
    for choice = 0, 3 ^ 6 - 1 do
      local c, d = with_image(), device_of { crypt = CRYPT.ssl }
      local number = 0
      local function fate()
        number = number + 1
        local digit = number - first
        return digit >= 0 and digit < 6 and choices[math.tointeger(choice // 3 ^ digit % 3) + 1] or "fine"
      end
      d.go { type = "tick" }
      run(c, d, fate)
      for _ = 1, 12 do
        if d.state.firmware and d.state.firmware.stage == "upgrading" then break end
        d.at = d.at + 31
        d.go { type = "disconnected" }
        d.go { type = "connected" }
        d.go { type = "tick" }
        run(c, d, fate)
        d.go { type = "tick" }
        run(c, d, fate)
      end
      local stage = d.state.firmware and d.state.firmware.stage
      assert.same({ "upgrading", true }, { stage, d.got == IMAGE }, "choice " .. choice)
      count = count + 1
    end
    assert.equal(729, count)
  end

  for first = 1, 16, 5 do
    it(("comes to the end whatever is lost or doubled from message %d on, when the link comes back"):format(first),
      function() lose_from(first) end)
  end

  it("serves a thousand devices side by side, and loses none", function()
    local c, devices = with_image(), {}
    for i = 1, 1000 do devices[i] = device_of { mac = ("00:0c:29:00:%02x:%02x"):format(i >> 8, i & 255) } end
    local by_topic = {}
    for _, d in ipairs(devices) do
      by_topic[d.topics.down] = d
      d.go { type = "tick" }
    end
    local ticked
    repeat
      for _, d in ipairs(devices) do
        for _, bytes in ipairs(table.move(d.out, 1, #d.out, 1, {})) do
          table.remove(d.out, 1)
          local event = c.talk:hear(d.topics.up, bytes, NOW)
          if event and event.kind == "ask" then c.talk:offer({ device = d.mac, target = "01.01" }, c.entry, NOW) end
        end
      end
      local said = c.said
      c.said = {}
      for _, one in ipairs(said) do by_topic[one[1]].hear(one[2]) end
      if #said == 0 and not ticked then
        ticked = true
        for _, d in ipairs(devices) do d.go { type = "tick" } end
      elseif #said == 0 then
        break
      end
    until false
    for _, d in ipairs(devices) do
      assert.equal(IMAGE, d.got)
      assert.equal("upgrading", d.state.firmware.stage)
    end
  end)

  it("never raises on what a stranger says", function()
    local c, d = with_image(), device_of()
    d.go { type = "tick" }
    run(c, d)
    math.randomseed(20190605)
    for _ = 1, 5000 do
      local out = {}
      for i = 1, math.random(0, 64) do out[i] = string.char(math.random(0, 255)) end
      local body = table.concat(out)
      local opcodes = { 0x0101, 0x0201, 0x0301, 0x0302, 0x0a01, 0x0a02, 0x0a03, 0x0a04, 0x0b06 }
      if math.random() < 0.3 then body = '{"req":{"token":"x"},"data":[]}' end
      c.talk:hear(d.topics.up, frame.packet { opcode = opcodes[math.random(#opcodes)], sequence = 1, body = body,
        response = math.random() < 0.5 }, NOW)
      c.talk:hear("d/p/1-" .. math.random(0, 99), table.concat(out), NOW)
    end
  end)
end)

describe("the dispatcher", function()
  it("tells a device where the broker is, waits for the rest, and drops what is no question", function()
    local question = frame.dispatch("00:0c:29:4b:5b:1f", frame.MAGIC.aes, 5)
    local answer = dispatcher.answer(question, "192.0.2.1:1883", 7)
    assert.same({ "192.0.2.1:1883", frame.MAGIC.aes }, { frame.read_dispatch(answer) })
    for n = 1, #question - 1 do assert.is_nil(dispatcher.answer(question:sub(1, n), "192.0.2.1:1883", 7)) end
    assert.equal("", dispatcher.answer(("x"):rep(65), "192.0.2.1:1883", 7))
    assert.equal("", dispatcher.answer(frame.dispatch("not a mac", frame.MAGIC.aes, 5), "192.0.2.1:1883", 7))
  end)

  local wrong = {
    { "text", "JSON object" },
    { {}, "listen is missing" },
    { { listen = "0.0.0.0:1", broker = "broker:1" }, "broker is missing" },
    { { listen = "0.0.0.0:1", broker = "192.0.2.1:1" }, "products is missing" },
    { { listen = "0.0.0.0:1", broker = "192.0.2.1:1", products = { x = KEY } }, "product x is no number" },
    { { listen = "0.0.0.0:1", broker = "192.0.2.1:1", products = { ["7"] = "short" } }, "not 16 bytes" },
  }
  for i, row in ipairs(wrong) do
    it("refuses configuration " .. i .. ": " .. row[2], function()
      local set, message = config.read(row[1])
      assert.is_nil(set)
      assert.match(row[2], message, 1, true)
    end)
  end
end)
