-- The client over a real broker: it connects, stays connected and loses nothing.

local broker = require "spec.broker"
local mqtt = require "update.native.mqtt"
local loop_native = require "update.native.loop"

local PATIENCE = 20 -- seconds after which something is broken, not slow

describe("mqtt", function()
  local l, b, clients

  setup(function()
    b = broker.start { persistence = true }
  end)

  before_each(function()
    l = assert(loop_native.new())
    clients = {}
    if not b:alive() then b:restart() end
  end)

  after_each(function()
    for _, m in ipairs(clients) do m:close() end
    l:close()
    collectgarbage()
  end)

  teardown(function()
    b:close()
  end)

  local function open(options)
    local o = { host = "127.0.0.1", port = b.port, back_off_min = 0.02, back_off_max = 0.1 }
    for name, value in pairs(options or {}) do o[name] = value end
    local m = assert(mqtt.open(o))
    clients[#clients + 1] = m
    return m
  end

  -- Drive all clients until `enough(event, client)` is true of one; gives that event.
  local function run(what, enough)
    local till = loop_native.now() + PATIENCE
    repeat
      local watches, timeout = {}, 1000
      for _, m in ipairs(clients) do
        local fd = m:fd()
        if fd then watches[#watches + 1] = { fd = fd, read = true, write = m:wants_write() } end
        timeout = math.min(timeout, m:remaining())
      end
      assert(l:poll(timeout, watches))
      local found
      for _, m in ipairs(clients) do
        for event in m.step, m do
          if not found and enough(event, m) then found = event end
        end
      end
      if found then return found end
    until loop_native.now() > till
    error("nothing came of " .. what, 2)
  end

  local function await(m, kind)
    return run(kind, function(event, from) return from == m and event.kind == kind end)
  end

  it("connects, subscribes and carries messages of both kinds", function()
    local m = open()
    assert.is_nil(m:fd())
    assert.is_true(m:subscribe("a/+", 1))
    assert.is_false(await(m, "connected").session)
    assert.same({ kind = "subscribed", topic = "a/+", qos = 1 }, await(m, "subscribed"))
    local first = assert(m:publish("a/b", "zero\0", 0))
    local second = assert(m:publish("a/c", "", 1))
    local got, published = {}, {}
    run("the messages", function(event)
      if event.kind == "message" then got[#got + 1] = event end
      if event.kind == "published" then published[event.id] = true end
      return #got == 2 and published[first] and published[second]
    end)
    assert.same({ kind = "message", topic = "a/b", payload = "zero\0", qos = 0, retain = false }, got[1])
    assert.same({ kind = "message", topic = "a/c", payload = "", qos = 1, retain = false }, got[2])
    assert.same({ connected = true, queued = 0, attempts = 1 }, m:status())
  end)

  it("keeps what is published while there is no broker, in order", function()
    local far = open { client_id = "far", clean = false } -- the broker keeps what comes for it
    far:subscribe("q", 1)
    await(far, "subscribed")
    b:stop()
    local m = open { client_id = "near" }
    await(m, "disconnected")
    for i = 1, 64 do assert(m:publish("q", tostring(i), 1)) end
    local id, message, code = m:publish("q", "one too many", 1)
    assert.same({ nil, "network" }, { id, code })
    assert.matches("64 messages wait", message)
    assert.equal(64, m:status().queued)
    b:restart()
    local got = {}
    run("the messages", function(event, from)
      if from == far and event.kind == "message" then got[#got + 1] = tonumber(event.payload) end
      return #got >= 64 and m:status().queued == 0
    end)
    local expected = {}
    for i = 1, 64 do expected[i] = i end
    assert.same(expected, got)
  end)

  describe("over TLS", function()
    local tls, strict

    setup(function()
      tls = broker.start { tls = true }
      strict = broker.start { tls = true, require_certificate = true }
    end)

    teardown(function()
      tls:close()
      strict:close()
    end)

    local cases = {
      -- name, server, options of tls, host; nil or code and part of the message
      { "trusts the CA it was given", "tls", { ca = "ca.crt" }, "127.0.0.1" },
      { "looks the name up and expects it in the certificate", "tls", { ca = "ca.crt" }, "localhost" },
      { "expects the server name it was given", "tls", { ca = "ca.crt", server_name = "broker.test" }, "127.0.0.1" },
      { "refuses a certificate for another name", "tls", { ca = "ca.crt", server_name = "other.test" }, "127.0.0.1",
        "untrusted", "hostname mismatch" },
      { "refuses a certificate for another address", "tls", { ca = "ca.crt", server_name = "127.0.0.2" }, "127.0.0.1",
        "untrusted", "IP address mismatch" },
      { "refuses a certificate of another CA", "tls", { ca = "other.crt" }, "127.0.0.1", "untrusted",
        "certificate of the broker" },
      { "refuses it with the CAs of the system, too", "tls", {}, "127.0.0.1", "untrusted",
        "certificate of the broker" },
      { "takes any certificate when told to", "tls", { insecure = true }, "127.0.0.1" },
      { "shows its own certificate", "strict", { ca = "ca.crt", cert = "client.crt", key = "client.key" },
        "127.0.0.1" },
      { "refuses a certificate that has ended by the time floor", "tls", { ca = "ca.crt", time_floor = 4102444800 },
        "127.0.0.1", "untrusted", "expired" },
      { "accepts one that begins after the time floor", "tls", { ca = "ca.crt", time_floor = 1000000000 },
        "127.0.0.1" },
    }
    for _, case in ipairs(cases) do
      local name, which, options, host, code, fragment = table.unpack(case, 1, 6)
      it(name, function()
        local server, o = which == "tls" and tls or strict, {}
        for field, value in pairs(options) do
          o[field] = (field == "ca" or field == "cert" or field == "key") and server:file(value) or value
        end
        local m = open { host = host, port = server.port, tls = o }
        m:subscribe("x", 1)
        local event = run("an answer", function(e) return e.kind == "subscribed" or e.kind == "disconnected" end)
        assert.equal(code, event.code, event.message)
        if code then assert.matches(fragment, event.message) end
      end)
    end

    -- With TLS 1.3 what the broker has against a certificate may come too late to be heard.
    it("says that the broker does not like its certificate, or asks", function()
      for _, o in ipairs { {}, { cert = strict:file "other.crt", key = strict:file "other.key" } } do
        o.ca = strict:file "ca.crt"
        local event = await(open { port = strict.port, tls = o }, "disconnected")
        if event.code == "network" then
          assert.matches("does it want another certificate%?$", event.message)
        else
          assert.equal("untrusted", event.code)
          assert.matches("the broker ended TLS: ", event.message)
        end
      end
    end)

    it("carries messages that fill many records, both ways", function()
      local m = open { port = tls.port, tls = { ca = tls:file "ca.crt" } }
      m:subscribe("big", 1)
      await(m, "subscribed")
      local sent, got = {}, {}
      for i = 1, 20 do
        sent[i] = (string.char(64 + i)):rep(65536)
        assert(m:publish("big", sent[i], i % 2))
      end
      run("the messages", function(e)
        if e.kind == "message" then got[#got + 1] = e.payload end
        return #got == 20 and m:status().queued == 0
      end)
      assert.same(sent, got)
    end)

    it("comes back after the broker, and notices one that speaks no TLS", function()
      local m = open { port = tls.port, tls = { ca = tls:file "ca.crt" } }
      await(m, "connected")
      tls:restart()
      await(m, "disconnected")
      await(m, "connected")
      local lost = open { tls = { insecure = true } } -- the plain broker
      local event = await(lost, "disconnected")
      assert.equal("network", event.code)
      assert.matches("no TLS with the broker", event.message)
    end)

    it("refuses files that it cannot use, when it is opened", function()
      local bad = {
        { ca = "/nonexistent" }, { ca = tls:file "ca.crt", cert = tls:file "client.crt" },
        { ca = tls:file "ca.crt", cert = tls:file "client.crt", key = tls:file "server.key" },
        { ca = tls:file "ca.crt", cert = tls:file "client.key", key = tls:file "client.key" },
        { ca = tls:file "broker.conf" },
      }
      for i, o in ipairs(bad) do
        local m, message, code = mqtt.open { host = "127.0.0.1", port = tls.port, tls = o }
        assert.same({ nil, "usage" }, { m, code }, i)
        assert.is_string(message)
      end
    end)
  end)
end)
