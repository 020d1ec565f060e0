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
end)
