-- The client over a real broker: it connects, stays connected and loses nothing.

local broker = require "spec.support.broker"
local mqtt_clients = require "spec.support.mqtt_clients"
local narrow = require "spec.support.narrow"
local mqtt = require "update.native.mqtt"

describe("mqtt", function()
  local c, b, events, relay
  local turns = 0
  local tried = 0

  setup(function()
    b = broker.start { persistence = true }
  end)

  before_each(function()
    c, events, relay = mqtt_clients.new(), {}, nil
    if not b:alive() then b:restart() end
  end)

  after_each(function()
    c:close()
  end)

  teardown(function()
    b:close()
    print(("\nmqtt: %d cases over a real broker"):format(tried))
  end)

  local function open(options)
    local o = { port = b.port, back_off_min = 0.02, back_off_max = 0.1 }
    for name, value in pairs(options or {}) do o[name] = value end
    return c:open(o)
  end

  -- What happened joins `events`, each with its client.
  local function turn(most)
    turns = turns + 1
    c:turn(most or 1000, relay, function(event, from) events[#events + 1] = { event = event, from = from } end)
  end

  local function wait(what, done) return mqtt_clients.wait(what, done, turn) end

  -- Events one by one until `enough(event, client)` is true; gives that one, and leaves those behind it.
  local function run(what, enough)
    return wait(what, function()
      while #events > 0 do
        local one = table.remove(events, 1)
        if enough(one.event, one.from) then return one.event end
      end
    end)
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

  it("connects over IPv6", function()
    local probe = require("socket").tcp6()
    local has = probe and probe:bind("::1", 0)
    if probe then probe:close() end
    if not has then return pending "no IPv6 here" end
    local six = broker.start { address = "::1" }
    finally(function() six:close() end)
    await(open { host = "::1", port = six.port }, "connected")
  end)

  it("keeps messages that are published without a broker, in order", function()
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
      return #got >= 64
    end)
    wait("the last acknowledgement", function() return m:status().queued == 0 end)
    local expected = {}
    for i = 1, 64 do expected[i] = i end
    assert.same(expected, got)
  end)

  describe("over a broker that goes and comes", function()
    local far, numbers, order

    -- What the broker keeps for a session that it knows comes when both are back.
    before_each(function()
      far, numbers, order = open { client_id = "far", clean = false }, {}, {}
      far:subscribe("r", 1)
      await(far, "subscribed")
    end)

    after_each(function() -- no session is left to the next
      far:close()
      table.remove(c.list, 1)
      local last = open { client_id = "far" }
      await(last, "connected")
      tried = tried + 1
    end)

    local function note(event, from)
      local n = from == far and event.kind == "message" and tonumber(event.payload)
      if n and not numbers[n] then
        numbers[n] = true
        order[#order + 1] = n
      end
    end

    local function expect(count)
      if #order < count then
        run("all messages", function(event, from)
          note(event, from)
          return #order == count
        end)
      end
      for i = 1, count do assert.equal(i, order[i]) end
    end

    for _, how in ipairs { "TERM", "while it connects", "while it is frozen" } do
      it(("loses no message of QoS 1 and keeps their order (%s)"):format(how), function()
        local m, sent, published = open { client_id = "near" }, 0, 0
        local restarts = 0
        while published < 120 do
          while sent < 120 and m:publish("r", tostring(sent + 1), 1) do sent = sent + 1 end
          if published >= restarts * 30 and restarts < 3 then
            restarts = restarts + 1
            if how == "while it is frozen" then b:freeze() end
            if how == "while it connects" then
              b:restart()
              b:freeze()
              for _ = 1, 3 do turn(20) end
            end
            if b.pid then b:thaw() end
            b:restart()
          end
          run("one more", function(event, from)
            note(event, from)
            if event.kind == "published" then published = published + 1 end
            return event.kind == "published"
          end)
        end
        expect(120)
      end)
    end

    it("survives being killed while it says nothing", function()
      local m = open { client_id = "near" }
      await(m, "connected")
      b:freeze()
      for i = 1, 10 do assert(m:publish("r", tostring(i), 1)) end
      for _ = 1, 3 do turn(20) end
      b:restart "KILL"
      wait("ten", function() return m:status().queued == 0 and far:status().connected end)
    end)

    it("loses nothing while the broker is stopped, and continues afterwards", function()
      local m = open { client_id = "near" }
      await(m, "connected")
      b:freeze()
      local sent = 0
      while m:publish("r", tostring(sent + 1) .. (" "):rep(60000), 1) do sent = sent + 1 end
      assert.equal(64, sent)
      for _ = 1, 3 do turn(20) end
      b:thaw()
      expect(sent)
    end)
  end)

  it("says who it is, and hears that it is refused", function()
    local strict = broker.start { users = { device = "s3cret" }, acl = "user device\ntopic read mine\n" }
    finally(function() strict:close() end)
    for _, o in ipairs { {}, { user = "device" }, { user = "device", password = "wr0ng" },
      { user = "nobody", password = "s3cret" } } do
      o.port = strict.port
      local event = await(open(o), "disconnected")
      assert.equal("untrusted", event.code)
      assert.is_nil(event.message:find "device" or event.message:find "s3cret" or event.message:find "wr0ng")
      tried = tried + 1
    end
    local m = open { port = strict.port, user = "device", password = "s3cret" }
    m:subscribe("mine", 1)
    m:subscribe("other", 1)
    assert.equal("mine", await(m, "subscribed").topic)
    -- This broker grants what it will never send; others say 0x80, as in native.mqtt.
    await(m, "subscribed")
    tried = tried + 1
  end)

  it("gives up a message over which the broker ends every connection", function()
    local small = broker.start { lines = { "max_packet_size 1000" } }
    finally(function() small:close() end)
    local m = open { port = small.port, back_off_max = 0.02 }
    local first, large, last = m:publish("a", "x", 1), m:publish("a", ("x"):rep(2000), 1), m:publish("a", "x", 1)
    assert.equal(first, await(m, "published").id)
    local blaming
    local event = run("giving up", function(event)
      blaming = blaming or event.kind == "disconnected" and event.message:match "over a packet of 2008 bytes to a, %d"
      return event.kind == "lost"
    end)
    assert.equal("over a packet of 2008 bytes to a, 2", blaming)
    assert.same({ large, "a", 2008, "refused" }, { event.id, event.topic, event.size, event.code })
    assert.equal(last, await(m, "published").id)
    tried = tried + 1
  end)

  it("leaves a last will when it is cut off, and none when it disconnects", function()
    local watcher = open()
    watcher:subscribe("will", 1)
    await(watcher, "subscribed")
    local will = { topic = "will", payload = "gone\0", qos = 1, retain = true }
    local m = open { client_id = "mortal", will = will }
    await(m, "connected")
    m:publish("will", "before", 1)
    m:close()
    table.remove(c.list)
    m = open { client_id = "mortal", will = will }
    await(m, "connected")
    open { client_id = "mortal", back_off_min = 100, back_off_max = 100 } -- the broker ends the one before
    local got = {}
    run("the will", function(event)
      if event.kind == "message" then got[#got + 1] = event.payload end
      return event.payload == "gone\0"
    end)
    assert.same({ "before", "gone\0" }, got)
    watcher:publish("will", "", 0, true) -- and nothing is kept
    tried = tried + 1
  end)

  it("reports the kept session on each connection", function()
    local m = open()
    await(m, "connected")
    assert(m:publish("kept", "stale", 1, true))
    await(m, "published")
    for _ = 1, 2 do
      m:subscribe("kept", 1)
      local event = await(m, "message")
      assert.same({ "stale", true }, { event.payload, event.retain })
      m:unsubscribe("kept")
    end
    m:publish("kept", "", 1, true)
    await(m, "published")
    tried = tried + 1
  end)

  it("brings many clients back after a restart", function()
    local many = {}
    for i = 1, 50 do
      many[i] = open { client_id = "m" .. i }
      many[i]:subscribe("many", 1)
    end
    local n = 0
    local function all() -- subscribed, each
      n = 0
      run("50 subscriptions", function(event)
        n = n + (event.kind == "subscribed" and 1 or 0)
        return n == 50
      end)
    end
    all()
    b:restart()
    all()
    many[1]:publish("many", "hello", 1)
    n = 0
    run("50 messages", function(event)
      n = n + (event.kind == "message" and 1 or 0)
      return n == 50
    end)
    tried = tried + 1
  end)

  it("keeps an idle connection, and leaves a broker that stays silent", function()
    local m = open { keepalive = 5, client_id = "idle" }
    local other = broker.start { tls = true }
    finally(function()
      if other.pid then other:thaw() end
      other:close()
    end)
    local silent = open { keepalive = 5, port = other.port, tls = { ca = other:file "ca.crt" },
      back_off_min = 100, back_off_max = 100 }
    await(m, "connected")
    wait("the other", function() return silent:status().connected end)
    events, turns = {}, 0
    other:freeze()
    local event = run("silence", function(_, from) -- after 5 s and as many to answer
      assert.equal(silent, from)
      return true
    end)
    assert.same({ "disconnected", "network" }, { event.kind, event.code })
    assert.matches("silent$", event.message)
    assert.is_true(m:status().connected)
    assert.is_true(turns < 200, turns .. " turns while nothing happened")
    tried = tried + 2
  end)

  it("sends the name of the server, and none for an address", function()
    local pipe = assert(io.popen "mktemp -d")
    local dir = pipe:read "l"
    pipe:close()
    broker.certificates(dir)
    local server = assert(io.popen(([[cd '%s' && echo $$ && exec openssl s_server -accept 127.0.0.1:0 -cert server.crt \
      -key server.key -tlsextdebug -HTTP >said 2>&1]]):format(dir)))
    local pid = server:read "l"
    finally(function()
      os.execute("kill " .. pid)
      server:close()
      os.execute(("rm -rf '%s'"):format(dir))
    end)
    local heard = 0 -- bytes of what it said that belong to clients before
    local function said()
      local file = io.open(dir .. "/said")
      local text = file and file:read "a" or ""
      if file then file:close() end
      return text:sub(heard + 1), #text
    end
    local port = wait("its port", function() return said():match "ACCEPT [^\n]*:(%d+)\n" end)
    local o = { ca = dir .. "/ca.crt" }
    for _, case in ipairs { { "localhost", nil, "localhost" }, { "127.0.0.1", "broker.test", "broker.test" },
      { "127.0.0.1", nil, nil } } do
      o.server_name = case[2]
      open { host = case[1], port = math.tointeger(tonumber(port)), tls = o, back_off_min = 100, back_off_max = 100 }
      -- It waits for an answer that does not come; by then the server has said what it saw of it.
      wait("hello", function() return said():find "key share" end)
      table.remove(c.list):close()
      local text, now = said()
      heard = now
      local seen = ""
      for line in text:gmatch "[^\n]+" do
        seen = seen .. (line:match " %- .-   (.*)$" or "")
        if line:find '"server name"' then seen = "" end
        if line:find "key share" then break end
      end
      assert.equal(case[3] ~= nil, seen:find(case[3] or "127", 1, true) ~= nil, seen)
      tried = tried + 1
    end
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
        tried = tried + 1
      end)
    end

    it("accepts a certificate that is not valid yet only while the clock is behind", function()
      local later = broker.start { tls = true }
      finally(function() later:close() end)
      local file = assert(io.open(later:file "ca.cnf", "w"))
      file:write("[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\n",
        "policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:127.0.0.1\n")
      file:close()
      assert(os.execute(([[cd '%s' && : >index && openssl ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key \
        -in server.csr -startdate 20500101000000Z -enddate 20600101000000Z -notext -out server.crt 2>ca.log]]):format(
        later.dir)))
      later:restart()
      local m = open { port = later.port, tls = { ca = later:file "ca.crt" } }
      local event = await(m, "disconnected")
      assert.equal("untrusted", event.code)
      assert.matches("not yet valid", event.message)
      m = open { port = later.port, tls = { ca = later:file "ca.crt", time_floor = 2208988800 } } -- 2040
      await(m, "connected")
      tried = tried + 2
    end)

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
        return #got == 20
      end)
      wait("the last acknowledgement", function() return m:status().queued == 0 end)
      assert.same(sent, got)
    end)

    it("shakes hands and talks in pieces of a few bytes", function()
      relay = narrow.new(tls.port, 7)
      local m = open { port = relay.port, tls = { ca = tls:file "ca.crt" } }
      m:subscribe("pieces", 1)
      await(m, "subscribed")
      assert(m:publish("pieces", ("x"):rep(1000), 1))
      assert.equal(1000, #await(m, "message").payload)
      relay:close()
      relay = nil
      await(m, "disconnected")
      tried = tried + 1
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
