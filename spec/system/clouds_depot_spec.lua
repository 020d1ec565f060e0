-- Devices of both dialects against the depot that plays their clouds: nothing
-- is scripted, every message is one program's to the other over a real broker.

local brokers = require "spec.support.broker"
local digest = require "update.native.digest"
local world = require "spec.support.world"

local SECRET = { aliyun = "aliyun-secret-01", tencent = "aGVsbG8gd29ybGQga2V5IQ==" }

describe("device and depot over MQTT", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w, broker

  before_each(function() w = world.new() end)

  after_each(function()
    w:close()
    if broker then broker:close() end
    broker = nil
  end)

  local function serve(options, port)
    w:start("depot", ("depot depot --listen 127.0.0.1:%d --keys keys --settle 1 --mqtt %s:%d %s"):format(port or 0,
      broker.host, broker.port, options or ""))
    w:wait_log("depot", "listening on")
  end

  -- A provisioned device whose product is that of its packages; `more`: further fields of its cloud.
  local function device(kind, more)
    w:write("secret", SECRET[kind] .. "\n")
    w:shell "chmod 600 secret"
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(6 << 20)) end
    w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
      cloud = { kind = %q, product = "k-123", device = "dev1", secret_file = "secret", host = %q, port = %d,
        %s },]]):format(kind, broker.host, broker.port, more or ""))
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17) }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
  end

  -- Give a package to the device, as a person does; the exit code says what became of it.
  local function verify(name)
    return w:moult(("depot verify depot %s --keys keys --device dev1 --timeout 60"):format(name))
  end

  local function wait_state(state, release) return w:wait_depot(state, release, 40) end

  for kind, codes in pairs { aliyun = -1, tencent = -5 } do
    it(kind .. ": a good release succeeds, a bad one fails and the old one runs", function()
      broker = brokers.start()
      serve()
      device(kind)
      w:run()
      w:wait("the device at the depot", function() return w:depot_device().release == "1.0.0" end)
      w:publish { core = world.core(18) }
      w:wait_log("depot", "p2.upd: ")
      local code, _, err = verify "p2.upd"
      assert.equal(0, code, err)
      local row = wait_state("succeeded", "1.0.1")
      assert.same({ kind, "k-123", "dev1" }, { row.cloud, row.product, row.device })
      w:pack { sequence = 3, version = "1.0.2", body = 'error("boom")', name = "depot/p3.upd" }
      w:wait_log("depot", "p3.upd: ")
      assert.not_equal(0, (verify "p3.upd"))
      row = wait_state("failed", "1.0.1")
      assert.same({ codes, "1.0.2" }, { row.code, row.target })
      assert.matches("exited with code 1", row.text)
      assert.same({ "1.0.1", "rolledback" }, { w:status().release, w:status().last.code })
    end)
  end

  it("is offered the depot's package when it connects", function()
    broker = brokers.start()
    w:publish { core = world.core(18) }
    serve()
    w:wait_log("depot", "p2.upd: ")
    device "aliyun"
    w:run()
    wait_state("succeeded", "1.0.1")
    -- Away and back: the device asks whether there is something, and there is not.
    broker:restart()
    w:wait_log("device", "reported: get 1.0.1")
  end)

  for _, kind in ipairs { "aliyun", "tencent" } do
    it(kind .. ": a package that comes later, and a report that was lost, are asked for", function()
      broker = brokers.start()
      device(kind, "period = 2")
      w:run()
      w:wait_log("device", "reported: version 1.0.0") -- to nobody
      serve()
      w:wait("the device at the depot", function() return w:depot_device().release == "1.0.0" end)
      w:publish()
      wait_state("succeeded", "1.0.1")
    end)
  end

  it("a link that expires in mid-download is asked for again", function()
    local port = brokers.free_port()
    w.url = "http://127.0.0.1:" .. port
    broker = brokers.start()
    w:publish { core = world.core(18, 5 << 20) } -- two requests
    serve(("--expiry 2 --url http://127.0.0.1:%d"):format(w:slow_link(1000000)), port)
    w:wait_log("depot", "p2.upd: ")
    device "tencent"
    w:run()
    w:wait_log("device", "the link has expired", 40)
    wait_state("succeeded", "1.0.1")
    assert(w:passed() < 7 << 20, "what was verified came again")
  end)

  it("aliyun: over TLS, let in by its signature alone", function()
    -- What the vendor's documents say is signed, by another program.
    local text = "clientIdk-123.dev1deviceNamedev1productKeyk-123timestamp2524608000000"
    local pipe = io.popen(("printf %%s '%s' | openssl dgst -sha256 -hmac '%s'"):format(text, SECRET.aliyun))
    local password = pipe:read("a"):match("(%x+)%s*$"):upper()
    pipe:close()
    assert.equal(password, digest.hmac("sha256", SECRET.aliyun, text):upper())
    broker = brokers.start { tls = true, users = { ["dev1&k-123"] = password } }
    device("aliyun", ("tls = { ca = %q, server_name = 'broker.test' }"):format(broker:file "ca.crt"))
    w:run()
    w:wait_log("device", "reported: version 1.0.0")
    w:wait("its name at the broker", function() return broker:log():find("securemode=2", 1, true) end)
    w:stop "device"
    w:write("secret", "another\n")
    w:run()
    w:wait_log("device", "no connection: [^\n]+")
    local log = w:read "device.log"
    assert.is_nil(log:find(SECRET.aliyun, 1, true))
    assert.is_nil(log:find(password, 1, true))
  end)
end)
