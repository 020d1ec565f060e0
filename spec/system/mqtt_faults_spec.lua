-- Brokers that lie, cut, stall and go, behind a client that must neither hang
-- nor crash nor believe them: after each case the same client is connected
-- again, and a message comes through.

local loop_native = require "update.native.loop"
local mqtt_clients = require "spec.support.mqtt_clients"
local raw = require "spec.support.raw_mqtt"

describe("mqtt", function()
  local c, pending, server
  local tried = 0

  before_each(function()
    c, pending = mqtt_clients.new(), {}
    server = raw.listen()
  end)

  after_each(function()
    c:close()
    server:close()
  end)

  teardown(function()
    print(("\nmqtt: %d cases of brokers that lie, cut, stall and go"):format(tried))
  end)

  local function open(options)
    local o = { port = server.port }
    for name, value in pairs(options or {}) do o[name] = value end
    return c:open(o)
  end

  -- @return how many events that were; they join `pending`
  local function turn(most)
    local before = #pending
    c:turn(most or 1000, server, function(event) pending[#pending + 1] = event end)
    return #pending - before
  end

  local function wait(what, done) return mqtt_clients.wait(what, done, turn) end

  -- Events one by one until `enough(event)` is true; gives that one, and leaves those behind it.
  local function run(what, enough)
    while true do
      wait(what, function() return #pending > 0 end)
      local event = table.remove(pending, 1)
      if enough(event) then return event end
    end
  end

  local function await(kind)
    return run(kind, function(event) return event.kind == kind end)
  end

  -- The next packet of the client, which must be of this kind.
  local function packet(kind)
    local got
    wait("a packet of kind " .. kind, function()
      got = got or server:take()
      return got
    end)
    assert.equal(kind, got.kind)
    return got
  end

  local function flush()
    wait("what the broker says", function() return server.unsent == "" or not server.sock end)
  end

  -- The broker behaves: whatever happened, a message comes through.
  local function make_up(m)
    local wanted = ("still there %d"):format(tried)
    local said, got = raw.publish("t", wanted, { qos = 1, mid = 9 }), false
    if m:status().connected and server.sock then server:say(said) end
    wait("a message after it", function()
      local from = server:take()
      if from and from.kind == 1 then server:say(raw.connack() .. said) end
      for _, event in ipairs(pending) do
        got = got or event.kind == "message" and event.payload == wanted
      end
      pending = {}
      return got
    end)
    assert.is_true(m:status().connected)
    tried = tried + 1
  end

  local PUBLISH = raw.publish("t", "x", { qos = 1, mid = 7 })

  -- What is said instead of, or right after, the answer to CONNECT.
  local lies = {
    -- name, bytes, connected before?, code and part of the message | nil: it makes no difference
    { "ends the connection at once", "", false, "network", "ended the connection" },
    { "speaks HTTP and ends", "HTTP/1.1 400 Bad Request\r\n\r\n", false, "network" },
    { "answers with half an answer and ends", "\x20\x02\0", false, "network", "ended the connection" },
    { "refuses the version", raw.connack(1), false, "incompatible", "version of MQTT" },
    { "refuses the client id", raw.connack(2), false, "untrusted", "client id" },
    { "is not available", raw.connack(3), false, "network", "not available" },
    { "refuses the password", raw.connack(4), false, "untrusted", "user or password" },
    { "does not authorise", raw.connack(5), false, "untrusted", "authorise" },
    { "refuses for a reason that there is not", raw.connack(6), false, "network", "does not speak MQTT" },
    { "refuses with the last code", raw.connack(255), false, "network", "does not speak MQTT" },
    { "answers too briefly", "\x20\x01\0", false, "network" },
    { "answers twice", raw.connack() .. raw.connack(), false, "network", "twice" },
    { "answers again later", raw.connack(), true, "network", "twice" },
    { "refuses when it had accepted", raw.connack(5), true, "network", "twice" },
    { "connects to us", raw.packet(0x10, "\0\4MQTT\4\2\0\60\0\0"), true, "network", "does not speak MQTT" },
    { "subscribes", "\x82\x06\0\1\0\1t\0", true, "network", "does not speak MQTT" },
    { "sends a packet of type 0", "\0\0", true, "network" },
    { "sends a packet of type 15", "\xf0\0", true, "network" },
    { "sends a length of five bytes", "\x30\x80\x80\x80\x80\x01", true, "network" },
    { "sends a message without a topic", "\x30\0", true, "network" },
    { "sends a topic longer than the packet", "\x30\x05\0\9abc", true, "network" },
    { "sends a topic that ends in the number", "\x32\x04\0\2ab", true, "network" },
    { "sends a topic that is no text", raw.publish("\xff\xfe", "x"), true, "network" },
    { "sends a topic with a zero byte", raw.publish("a\0b", "x"), true, "network" },
    { "sends with QoS 3", "\x36\x06\0\1t\0\1x", true, "network" },
    { "sends with QoS 2", raw.publish("t", "x", { qos = 2, mid = 3 }), true, "network", "QoS 2" },
    { "acknowledges nothing", "\x40\0", true, "network" },
    { "acknowledges half a number", "\x40\1\0", true, "network" },
    { "acknowledges what was never sent", raw.puback(77), true },
    { "releases what was never sent", "\x62\x02\0\7", true },
    { "receives and completes what was never sent", "\x50\x02\0\7\x70\x02\0\7", true },
    { "grants what nobody asked for", raw.suback(77, 1), true },
    { "grants nothing", "\x90\x02\0\7", true },
    { "answers pings that nobody sent", "\xd0\0\xd0\0\xd0\0", true },
    { "says farewell", "\xe0\0", true, "network" },
    { "sends garbage", ("\xa5\x5a\xff\x00"):rep(500), true, "network" },
    { "sends zeros", ("\0"):rep(2000), true, "network" },
  }
  for _, lie in ipairs(lies) do
    local name, bytes, connected, code, fragment = table.unpack(lie, 1, 5)
    it("survives a broker that " .. name, function()
      local m = open()
      packet(1)
      if connected then
        server:say(raw.connack())
        await "connected"
      end
      server:say(bytes)
      if code then
        if #bytes == 0 or name:find "ends" then
          flush()
          server:cut()
        end
        local event = await "disconnected"
        assert.equal(code, event.code, event.message)
        if fragment then assert.matches(fragment, event.message) end
        assert.matches("^mqtt 127%.0%.0%.1:%d+: ", event.message)
        assert.is_true(event.retry_after >= 1)
        server:cut()
      end
      make_up(m)
    end)
  end

  it("survives a cut after each byte of a message, which then comes again", function()
    for n = 0, #PUBLISH do
      local m = open()
      packet(1)
      server:say(raw.connack() .. PUBLISH:sub(1, n))
      await "connected"
      flush()
      local seen = n == #PUBLISH
      if seen then
        await "message"
        assert.equal(7, packet(4).mid)
      end
      server:cut()
      local event = run("the end", function(event)
        assert.not_equal("message", event.kind)
        return event.kind == "disconnected"
      end)
      assert.equal("network", event.code)
      make_up(m)
      table.remove(c.list):close()
      server:cut()
    end
  end)

  it("survives packets in which bytes were changed", function()
    local whole = raw.suback(1, 1) .. PUBLISH .. raw.puback(1) .. raw.publish("topic", "payload", { retain = true })
      .. "\xd0\0" .. raw.publish("topic", "payload", { qos = 1, mid = 8, dup = true })
    math.randomseed(1) -- the same each time
    local m = open()
    m:subscribe("topic", 1)
    for _ = 1, 150 do
      wait("the client", function()
        local said = server:take()
        return said and said.kind == 1
      end)
      local bytes = whole
      for _ = 1, math.random(3) do
        local at = math.random(#bytes)
        bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
      end
      server:say(raw.connack() .. bytes)
      flush()
      turn(0)
      server:cut()
      await "disconnected"
      tried = tried + 1
    end
    make_up(m)
  end)

  it("accepts packets that arrive byte by byte", function()
    local m = open()
    m:subscribe("t", 1)
    packet(1)
    local bytes = raw.connack() .. PUBLISH .. raw.publish("t", ("y"):rep(300))
    for i = 1, #bytes do
      server:say(bytes:sub(i, i))
      flush()
    end
    local got = { await("message").payload, await("message").payload }
    assert.same({ "x", ("y"):rep(300) }, got)
    server:cut()
    make_up(m)
  end)

  -- A client that was called for nothing would be called again at once, for ever.
  local function rests()
    local calls, till = 0, loop_native.now() + 0.2
    repeat
      assert.equal(0, turn(50))
      calls = calls + 1
    until loop_native.now() > till
    assert.is_true(calls < 20, calls .. " calls")
  end

  it("rests while a broker says half of something and no more", function()
    local halves = { "", "\x20", "\x20\x02", "\x20\x02\0" }
    for _, half in ipairs(halves) do
      local m = open { back_off_min = 100, back_off_max = 100 }
      packet(1)
      server:say(half)
      flush()
      rests()
      assert.is_true(m:remaining() > 1000)
      table.remove(c.list):close()
      server:cut()
      tried = tried + 1
    end
  end)

  it("rests while a broker says half of TLS and no more", function()
    for _, half in ipairs { "", "\x16", "\x16\x03\x03\0\x7a\2\0\0\x76" } do
      open { tls = { insecure = true }, back_off_min = 100, back_off_max = 100 }
      wait("hello", function() return #server.received > 100 end)
      server:say(half)
      flush()
      rests()
      table.remove(c.list):close()
      server:cut()
      tried = tried + 1
    end
  end)

  it("survives a broker that speaks no TLS, or ends in the middle of it", function()
    for _, said in ipairs { "", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x20\x02\0\0", "\x16\x03\x03\0\x7a\2\0\0\x76",
      "\x15\x03\x03\0\2\2\x28", ("\0"):rep(3000), ("\xff"):rep(3000) } do
      open { tls = { insecure = true }, back_off_min = 100, back_off_max = 100 }
      wait("hello", function() return #server.received > 100 end)
      server:say(said)
      flush()
      server:cut()
      local event = await "disconnected"
      assert.equal("network", event.code)
      assert.matches("TLS", event.message)
      table.remove(c.list):close()
      tried = tried + 1
    end
  end)

  local function resident()
    local file = assert(io.open "/proc/self/status")
    local kib = file:read("a"):match "VmRSS:%s+(%d+)"
    file:close()
    return tonumber(kib)
  end

  it("delivers 64 KiB, drops more, and acknowledges both", function()
    local m = open()
    packet(1)
    local sizes = { 65535, 65536, 65537, 1000000 }
    server:say(raw.connack())
    for i, size in ipairs(sizes) do
      server:say(raw.publish("t", ("z"):rep(size), { qos = 1, mid = i }))
      local event = run("a message", function(e) return e.kind == "message" or e.kind == "dropped" end)
      assert.equal(size <= 65536 and "message" or "dropped", event.kind)
      if event.kind == "message" then
        assert.equal(size, #event.payload)
      else
        assert.same({ "t", size, "corrupt" }, { event.topic, event.size, event.code })
      end
      assert.equal(i, packet(4).mid)
      tried = tried + 1
    end
    server:cut()
    make_up(m)
  end)

  it("ends a connection with an endless packet, before it costs memory", function()
    local m = open()
    packet(1)
    server:say(raw.connack())
    await "connected"
    server:say("\x30\xff\xff\xff\x7f\0\1t") -- 256 MiB
    collectgarbage()
    local before, block, said = resident(), ("z"):rep(65536), 0
    wait("the end", function()
      if server.unsent == "" and said < 512 then
        server:say(block)
        said = said + 1
      end
      return #pending > 0
    end)
    local event = await "disconnected"
    assert.matches("more than 1 MiB", event.message)
    assert.is_true(said < 256, said .. " blocks")
    assert.is_true(resident() - before < 16 * 1024)
    server:cut()
    make_up(m)
  end)

  it("lets others have their turn while a broker floods", function()
    local m = open()
    packet(1)
    server:say(raw.connack())
    await "connected"
    server:say(raw.publish("t", "flood"):rep(5000))
    local got, most = 0, 0
    while got < 5000 do -- a round ends although more could be read
      local n = turn()
      most, got = math.max(most, n), got + n
    end
    pending = {}
    assert.is_true(most < 1000, most .. " in one round")
    server:cut()
    make_up(m)
  end)

  it("returns duplicates, marks retained messages, and keeps the order", function()
    local m = open()
    packet(1)
    server:say(raw.connack() .. raw.publish("t", "stale", { retain = true }) .. PUBLISH
      .. raw.publish("t", "x", { qos = 1, mid = 7, dup = true }) .. raw.publish("t", "y"))
    local got = {}
    for i = 1, 4 do
      local event = await "message"
      got[i] = event.payload .. tostring(event.retain)
    end
    assert.same({ "staletrue", "xfalse", "xfalse", "yfalse" }, got)
    assert.same({ 7, 7 }, { packet(4).mid, packet(4).mid })
    server:cut()
    make_up(m)
  end)

  it("knows which message was acknowledged, in any order", function()
    local m = open()
    packet(1)
    server:say(raw.connack())
    await "connected"
    local ids, mids = {}, {}
    for i = 1, 16 do ids[i] = m:publish("t", "m" .. i, 1) end
    for i = 1, 16 do
      local said = packet(3)
      assert.equal("m" .. i, said.payload)
      mids[i] = said.mid
    end
    for i = 16, 1, -1 do
      server:say(raw.puback(mids[i]))
      assert.equal(ids[i], await("published").id)
    end
    server:cut()
    make_up(m)
  end)

  it("hands over 16 at a time, and sends again only unacknowledged messages", function()
    local m = open()
    packet(1)
    server:say(raw.connack())
    await "connected"
    for i = 1, 64 do assert(m:publish("t", tostring(i), 1)) end
    assert.equal("network", select(3, m:publish("t", "65", 0)))
    for i = 1, 16 do
      local said = packet(3)
      if i % 2 == 0 then server:say(raw.puback(said.mid)) end
    end
    for _ = 1, 8 do await "published" end
    server:cut()
    await "disconnected"
    assert.equal(56, m:status().queued)
    packet(1)
    server:say(raw.connack())
    local order, again = {}, 0
    while #order < 56 do
      local said = packet(3)
      order[#order + 1] = tonumber(said.payload)
      if said.first & 8 ~= 0 then again = again + 1 end
      assert.is_true(tonumber(said.payload) > 16 or tonumber(said.payload) % 2 == 1, said.payload)
      server:say(raw.puback(said.mid))
    end
    wait("all of them", function() return m:status().queued == 0 end)
    local sorted = table.move(order, 1, #order, 1, {})
    table.sort(sorted)
    assert.same(sorted, order)
    assert.is_true(again >= 8)
    server:cut()
    make_up(m)
  end)
end)
