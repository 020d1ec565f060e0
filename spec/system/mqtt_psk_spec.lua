-- TLS with a key that both ends know, over a real broker: no certificate, and no password.

local broker = require "spec.support.broker"
local loop_native = require "update.native.loop"
local mqtt = require "update.native.mqtt"

local PATIENCE = 20 -- seconds after which something is broken, not slow
local KEY = "a key\0with all\255 it may hold"

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("mqtt with a shared key", function()
  local b, certified, l, m

  setup(function()
    b = broker.start { psk = { ["PRODdev1"] = hex(KEY), ["PRODdev2"] = hex "another" },
      acl = "user PRODdev1\ntopic readwrite mine/#\n" }
    certified = broker.start { tls = true }
  end)

  before_each(function() l = assert(loop_native.new()) end)

  after_each(function()
    if m then m:close() end
    l:close()
    m = nil
    collectgarbage()
  end)

  teardown(function()
    b:close()
    certified:close()
  end)

  local function open(tls, port)
    m = assert(mqtt.open { host = "127.0.0.1", port = port or b.port, client_id = "PRODdev1", tls = tls,
      user = "PRODdev1;21010406;abcde;9223372036854775807", back_off_min = 0.02, back_off_max = 0.1 })
  end

  local function await(...)
    local wanted, till = {}, loop_native.now() + PATIENCE
    for _, kind in ipairs { ... } do wanted[kind] = true end
    while true do
      assert(loop_native.now() < till, "nothing came of it")
      local fd = m:fd()
      l:poll(math.min(1000, m:remaining()), fd and { { fd = fd, read = true, write = m:wants_write() } } or {})
      for event in m.step, m do
        if wanted[event.kind] then return event end
      end
    end
  end

  it("connects without a password, is known by its identity, and comes back", function()
    open { psk_identity = "PRODdev1", psk = KEY }
    m:subscribe("mine/#", 1)
    assert.equal("subscribed", await("subscribed", "denied", "disconnected").kind)
    m:publish("mine/a", "hello", 1)
    assert.equal("hello", await("message", "disconnected").payload)
    b:restart()
    await "disconnected"
    assert.equal("connected", await("connected").kind)
  end)

  local cases = {
    { "tells that its key is not the broker's", { psk_identity = "PRODdev1", psk = "other" }, "untrusted",
      "no such device, or another key" },
    { "tells that the broker does not know it", { psk_identity = "PRODdev3", psk = KEY }, "untrusted",
      "no such device, or another key" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      open(case[2])
      local event = await("connected", "disconnected")
      assert.equal(case[3], event.code, event.message)
      assert.matches(case[4], event.message)
    end)
  end

  it("never accepts a certificate instead of the shared key", function()
    open({ psk_identity = "PRODdev1", psk = KEY }, certified.port)
    local event = await("connected", "disconnected")
    assert.equal("network", event.code, event.message)
    assert.matches("TLS", event.message)
  end)

  it("refuses invalid keys, and files besides a key", function()
    for i, tls in ipairs {
      { psk = KEY }, { psk = "", psk_identity = "d" }, { psk = ("x"):rep(65), psk_identity = "d" },
      { psk = KEY, psk_identity = "" }, { psk = KEY, psk_identity = "d", ca = "/ca" },
      { psk = KEY, psk_identity = "d", server_name = "x" }, { psk = KEY, psk_identity = "d", insecure = true },
    } do
      local client, message, code = mqtt.open { host = "127.0.0.1", port = b.port, tls = tls }
      assert.same({ nil, "usage" }, { client, code }, i)
      assert.matches("shared key", message, i)
    end
  end)
end)
