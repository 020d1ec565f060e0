-- examples/broker as its README says: depot and devices of both dialects on a real
-- mosquitto, and what it keeps from those who are not let in.

local brokers = require "spec.support.broker"
local loop_native = require "update.native.loop"
local mqtt = require "update.native.mqtt"
local world = require "spec.support.world"

if not world.new then
  pending("needs the host")
  return
end

local HERE = "examples/broker/"
local SECRET = { aliyun = "aliyun-secret-01", tencent = "aGVsbG8gd29ybGQga2V5IQ==" }

local function text_of(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

describe("the broker of examples/broker", function()
  local w, b, psk_port

  local function admit(words)
    local _, _, code = w:shell(("%s %s/%sadmit.lua . %s >admit.txt 2>&1"):format(
      require("update.native.host").program, require("update.native.host").cwd, HERE, words))
    return code, w:read "admit.txt"
  end

  local function private(name, text)
    w:write(name, text .. "\n")
    w:shell("chmod 600 " .. name)
  end

  -- The file that is there for the user, with this machine's places.
  local function config(broker)
    local text = text_of(HERE .. "mosquitto.conf"):gsub("/etc/mosquitto/moult", w.dir)
    text = text:gsub("\nlistener 1883", ("\nlistener %d 127.0.0.1"):format(broker.port))
    text = text:gsub("\nlistener 8883", ("\nlistener %d 127.0.0.1"):format(psk_port))
    return "user root\nlog_dest stderr\nlog_type all\n" .. text
  end

  before_each(function()
    w = world.new()
    private("depot.password", "depot's own")
    for kind, secret in pairs(SECRET) do private(kind .. ".secret", secret) end
    for _, words in ipairs { "depot depot.password", "aliyun k-123 dev1 aliyun.secret",
      "aliyun k-123 other aliyun.secret", "tencent k-123 dev1 tencent.secret", "tencent k-123 dev2 tencent.secret" } do
      assert.same({ 0, "" }, { admit(words) })
    end
    psk_port = brokers.free_port()
    b = brokers.start { config = config }
  end)

  after_each(function()
    w:close()
    b:close()
    collectgarbage()
  end)

  local function device(kind, port, more)
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(1 << 20)) end
    w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
      cloud = { kind = %q, product = "k-123", device = "dev1", secret_file = "%s.secret", host = "127.0.0.1",
        port = %d, %s },]]):format(kind, kind, port, more or ""))
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17) }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
  end

  for kind, more in pairs { aliyun = "", tencent = "tls = {}" } do
    it("carries an update to a device of " .. kind, function()
      w:publish { core = world.core(18) }
      w:start("depot", ("depot depot --listen 127.0.0.1:0 --keys keys --settle 1 --mqtt 127.0.0.1:%d --mqtt-user depot "
        .. "--mqtt-password depot.password"):format(b.port))
      w:wait_log("depot", "listening on")
      device(kind, kind == "tencent" and psk_port or b.port, more)
      w:run()
      assert.equal(kind, w:wait_depot("succeeded", "1.0.1", 60).cloud)
      assert.is_nil(w:read("device.log"):find(SECRET[kind], 1, true))
    end)
  end

  local function open(options)
    return assert(mqtt.open { host = "127.0.0.1", port = options.port or b.port, user = options.user,
      password = options.password, tls = options.tls, back_off_min = 5 })
  end

  -- The first event of these clients for which `wanted` is true.
  local function first(clients, wanted)
    local l <close> = assert(loop_native.new())
    local till = loop_native.now() + 20
    while true do
      assert(loop_native.now() < till, "nothing came of it")
      local watches, timeout = {}, 1000
      for _, m in ipairs(clients) do
        if m:fd() then watches[#watches + 1] = { fd = m:fd(), read = true, write = m:wants_write() } end
        timeout = math.min(timeout, m:remaining())
      end
      l:poll(timeout, watches)
      for _, m in ipairs(clients) do
        for event in m.step, m do
          if wanted(event) then return event end
        end
      end
    end
  end

  local function let_in(options)
    local m <close> = open(options)
    local event = first({ m }, function(e) return e.kind == "connected" or e.kind == "disconnected" end)
    return event.kind == "connected" or event.code
  end

  local DEPOT = { user = "depot", password = "depot's own" }
  local KEY = "hello world key!"

  it("lets nobody in without a name and its password or key", function()
    for _, options in ipairs { {}, { user = "depot" }, { user = "depot", password = "guess" },
      { user = "k-123dev1", password = "x" } } do
      assert.equal("untrusted", let_in(options))
    end
    assert.is_true(let_in(DEPOT))
    assert.is_true(let_in { port = psk_port, tls = { psk_identity = "k-123dev2", psk = KEY } })
    assert.equal("untrusted", let_in { port = psk_port, tls = { psk_identity = "k-123dev3", psk = KEY } })
  end)

  it("keeps everybody to the topics that are theirs", function()
    local depot <close> = open(DEPOT)
    local dev2 <close> = open { port = psk_port, tls = { psk_identity = "k-123dev2", psk = KEY } }
    local both, topics = { depot, dev2 }, {}
    local function subscribe(m, topic)
      m:subscribe(topic, 1)
      first(both, function(e) return e.kind == "subscribed" and e.topic == topic end)
    end
    subscribe(depot, "$ota/report/+/+")
    subscribe(dev2, "$ota/#")
    subscribe(dev2, "/ota/#")
    for _, topic in ipairs { "$ota/update/k-123/dev1", "/ota/device/upgrade/k-123/dev1", "$ota/update/k-123/dev2" } do
      depot:publish(topic, "x", 1)
    end
    for _, topic in ipairs { "$ota/report/k-123/dev1", "$ota/update/k-123/dev2", "$ota/report/k-123/dev2" } do
      dev2:publish(topic, "x", 1)
    end
    first(both, function(e)
      if e.kind == "message" then topics[#topics + 1] = e.topic end
      return #topics == 2
    end)
    table.sort(topics)
    assert.same({ "$ota/report/k-123/dev2", "$ota/update/k-123/dev2" }, topics)
  end)

  it("adds the rights of a device only once, and explains wrong arguments", function()
    private("aliyun.secret", "another_secret")
    local rights = w:read "acl"
    assert.equal(0, (admit "aliyun k-123 dev1 aliyun.secret"))
    assert.equal(#rights, #w:read "acl")
    local _, lines = w:read("passwd"):gsub("\n", "")
    assert.equal(3, lines)
    for words, message in pairs {
      [""] = "usage: ", ["aliyun k-123 dev1"] = "usage: ", ["luat k-123 dev1 aliyun.secret"] = "usage: ",
      ["aliyun k-123 dev1 none"] = "none", ["tencent k-123 'a b' tencent.secret"] = "other characters",
      ["tencent k-123 dev1 aliyun.secret"] = "base64",
    } do
      local code, said = admit(words)
      assert.equal(1, code, words)
      assert.matches("^admit: ", said, words)
      assert.matches(message, said, 1, true)
    end
  end)
end)
