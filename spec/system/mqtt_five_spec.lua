-- The client with MQTT 5: messages that end, and those that nobody hears. And
-- brokers that do not speak it.

local broker = require "spec.support.broker"
local loop_native = require "update.native.loop"
local mqtt_clients = require "spec.support.mqtt_clients"
local raw = require "spec.support.raw_mqtt"

local PATIENCE = 20 -- seconds after which something is broken, not slow

describe("mqtt 5", function()
  local c, pending, server

  before_each(function()
    c, pending, server = mqtt_clients.new(), {}, nil
  end)

  after_each(function()
    c:close()
    if server then server:close() end
  end)

  local function open(port, options)
    local o = { port = port, five = true }
    for name, value in pairs(options or {}) do o[name] = value end
    return c:open(o)
  end

  local function turn()
    c:turn(1000, server, function(event, from) pending[#pending + 1] = { event = event, from = from } end)
  end

  local function await(m, kind)
    return mqtt_clients.wait(kind, function()
      for i, one in ipairs(pending) do
        if one.from == m and one.event.kind == kind then return table.remove(pending, i).event end
      end
    end, turn)
  end

  local function close(m)
    m:close()
    for i, one in ipairs(c.list) do
      if one == m then table.remove(c.list, i) end
    end
  end

  describe("over a real broker", function()
    local b

    setup(function() b = broker.start { persistence = true } end)
    teardown(function() b:close() end)

    it("tells when nobody listens", function()
      local m, other = open(b.port), open(b.port, { five = false })
      other:subscribe("heard/+", 1)
      await(other, "subscribed")
      await(m, "connected")
      m:publish("alone/1", "x", 1)
      assert.is_true(await(m, "published").unheard)
      m:publish("heard/1", "x", 1)
      assert.is_nil(await(m, "published").unheard)
      other:publish("alone/1", "x", 1)
      assert.is_nil(await(other, "published").unheard) -- 3.1.1 cannot know
    end)

    it("gives a message to who speaks 3.1.1, and to nobody once its life is over", function()
      local sleeper = { client_id = "sleeper", clean = false, five = false }
      local device = open(b.port, sleeper)
      device:subscribe("offers", 1)
      await(device, "subscribed")
      local m = open(b.port)
      await(m, "connected")
      m:publish("offers", "now", 1, false, 100)
      assert.equal("now", await(device, "message").payload)
      close(device)
      m:publish("offers", "short", 1, false, 1)
      m:publish("offers", "long", 1, false, 100)
      assert.is_nil(await(m, "published").unheard) -- its session listens
      await(m, "published")
      local over = loop_native.now() + 2.2
      while loop_native.now() < over do turn() end
      device = open(b.port, sleeper)
      assert.equal("long", await(device, "message").payload)
    end)

    it("keeps its session over connections", function()
      local kept = { client_id = "depot", clean = false }
      local m, other = open(b.port, kept), open(b.port)
      m:subscribe("reports", 1)
      await(m, "subscribed")
      close(m)
      await(other, "connected")
      other:publish("reports", "meanwhile", 1)
      await(other, "published")
      m = open(b.port, kept)
      assert.is_true(await(m, "connected").session)
      assert.equal("meanwhile", await(m, "message").payload)
    end)
  end)

  it("reports an offer that the broker does not allow", function()
    local b <close> = setmetatable({ broker = broker.start { acl = "topic readwrite fine/#\n" } },
      { __close = function(self) self.broker:close() end })
    local m = open(b.broker.port)
    await(m, "connected")
    m:subscribe("fine/1", 1)
    await(m, "subscribed")
    m:publish("fine/1", "x", 1)
    assert.is_nil(await(m, "published").refused)
    m:publish("not/mine", "x", 1)
    assert.equal("Not authorized", await(m, "published").refused)
  end)

  -- The level of the protocol in the next CONNECT: 5, or 4 for 3.1.1.
  local function level()
    local till, packet = loop_native.now() + PATIENCE, nil
    while not packet do
      assert(loop_native.now() < till, "nobody connected")
      turn()
      packet = server:take()
    end
    return packet.body:byte(7)
  end

  it("speaks 3.1.1 with a broker that says so, and stays with it", function()
    server = raw.listen()
    local m = open(server.port)
    assert.equal(5, level())
    server:say(raw.connack(1))
    assert.matches("does not speak this version", await(m, "disconnected").message, 1, true)
    server:cut()
    for _ = 1, 2 do
      assert.equal(4, level())
      server:say(raw.connack(0))
      await(m, "connected")
      m:publish("t", "x", 1, false, 100)
      server:cut()
      await(m, "disconnected")
    end
  end)

  it("tries both with a broker that just cuts, and the better one first again later", function()
    server = raw.listen()
    local m = open(server.port)
    for _, expected in ipairs { 5, 4, 5, 4 } do
      assert.equal(expected, level())
      if expected == 4 and m:status().attempts > 2 then break end
      server:cut()
      await(m, "disconnected")
    end
    server:say(raw.connack(0))
    await(m, "connected")
    server:cut()
    await(m, "disconnected")
    assert.equal(5, level())
  end)

  it("says why a broker ended the connection", function()
    server = raw.listen()
    local m = open(server.port)
    assert.equal(5, level())
    server:say(raw.packet(0x20, "\0\0\0"))
    await(m, "connected")
    server:say(raw.packet(0xE0, "\x95\0"))
    local event = await(m, "disconnected")
    assert.same({ "network" }, { event.code })
    assert.matches("the broker ended the connection: Packet too large", event.message, 1, true)
    assert.equal(5, level())
    server:say(raw.packet(0x20, "\0\x86\0"))
    event = await(m, "disconnected")
    assert.same({ "untrusted" }, { event.code })
    assert.matches("refuses user or password", event.message, 1, true)
  end)
end)
