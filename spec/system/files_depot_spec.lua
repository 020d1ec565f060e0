-- A package with files reaches a device through every cloud that a depot plays: the real program on both sides, a real
-- broker, and a folder that is the live tree.

local brokers = require "spec.support.broker"
local json = require "update.native.json"
local world = require "spec.support.world"

local MAC = "00:0c:29:4b:5b:1f"

-- By kind: product, the credential, and what else its configuration says.
local CLOUDS = {
  aliyun = { product = "k-123", secret = "aliyun-secret-01", more = 'device = "dev1"' },
  tencent = { product = "k-123", secret = "aGVsbG8gd29ybGQga2V5IQ==", more = 'device = "dev1"' },
  qinglian = { product = "1001", secret = "0123456789ABCDEF", more = ("device = %q, iv = %q"):format(MAC,
    ("5a"):rep(16)) },
}

describe("a package with files from the depot", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w, broker

  before_each(function()
    w = world.new()
    w:shell "mkdir -p app/etc update && echo old >app/etc/conf"
  end)
  after_each(function()
    w:close()
    if broker then broker:close() end
    broker = nil
  end)

  local function provision(cloud, product, version, body)
    w:configure(('files = { roots = { "app" } }, cloud = { %s },'):format(cloud), { product_key = product })
    w:pack { sequence = 1, version = version, product_key = product, body = body or world.TICK }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
  end

  local function publish(product, version)
    w:write("update/conf", "new\n")
    w:write("update/update.ini", ("conf\t%s/app/etc\t4\t4\r\n"):format(w.dir))
    w:pack { sequence = 2, version = version, product_key = product, body = world.TICK, name = "p2.upd",
      manifest = 'files = { dir = "../update", version = "080507" },' .. (version and "" or 'version = "1.0.0",') }
    w:shell "echo '*' >depot/p2.upd.devices && mv p2.upd depot/"
  end

  local function assert_new(release)
    w:wait_status({ phase = "idle", release = release }, 60)
    assert.equal("new\n", w:read "app/etc/conf")
    assert.equal("080507", w:status().files.version)
  end

  for kind, cloud in pairs(CLOUDS) do
    it("comes over " .. kind, function()
      local old, new = "1.0.0", "1.0.1"
      if kind == "qinglian" then old, new = "01.00", "01.01" end
      broker = brokers.start()
      local port = kind == "qinglian" and brokers.free_port() or broker.port
      w:write("qinglian.json", json.encode { listen = "127.0.0.1:" .. (kind == "qinglian" and port or 0),
        broker = "127.0.0.1:" .. broker.port, products = { [cloud.product] = cloud.secret } })
      w:start("depot", ("depot depot --listen 127.0.0.1:0 --keys keys --settle 1 --mqtt %s:%d %s"):format(broker.host,
        broker.port, kind == "qinglian" and "--qinglian qinglian.json" or ""))
      w:wait_log("depot", "listening on")
      w:write("secret", cloud.secret .. "\n")
      w:shell "chmod 600 secret"
      provision(("kind = %q, product = %q, secret_file = 'secret', host = '127.0.0.1', port = %d, %s"):format(kind,
        cloud.product, port, cloud.more), cloud.product, old)
      w:run()
      w:wait("the device at the depot", function() return w:depot_device().release == old end, 40)
      publish(cloud.product, new)
      w:wait_depot("succeeded", new, 60)
      assert_new(new)
    end)
  end

  it("comes over luat, and without a script, too", function()
    provision(("kind = 'luat', url = '%s/api/site/firmware_upgrade', period = 1"):format(w:serve()), "k-123", "1.0.0")
    w:run()
    publish "k-123"
    assert_new "1.0.0-F080507"
  end)

  it("comes to a terminal that asks before its call, and is recorded as its", function()
    local url = w:serve()
    w:write("mit.ini", "[Update]\r\nprover=080506\r\ndownprover=\r\ndownfile=\r\n")
    provision("kind = 'terminal', mit_ini = 'mit.ini'", "k-123", "1.0.0", ([[
      local terminal, json = require "update.terminal", require "cjson"
      sys.taskInit(function()
        local file
        while not file do
          sys.wait(50)
          file = io.open(%q)
        end
        local said = json.decode(file:read "a")
        file:close()
        terminal.app_SendUpdateModuleUpdatedMsg_HB("cmnet", "user", "1234", said.ip, said.port, said.prover,
          said.downfile, 1)
      end)]]):format(w:path "said"))
    w:run()
    publish("k-123", "1.0.1")
    w:wait("the depot's offer", function()
      w:shell(("curl -s '%s/terminal/check?product=k-123&id=T1&version=080506' >said.new"):format(url))
      return (w:read "said.new" or ""):find('"update":true', 1, true)
    end)
    w:shell "mv said.new said"
    assert_new "1.0.1"
    w:wait("mit.ini", function() return (w:read "mit.ini"):find("prover=080507\r\ndownprover=\r\n", 1, true) end)
    assert.matches("GET /p2.upd terminal id=T1 ", w:read "depot.log", 1, true)
    w:wait("the depot's record", function() return w:depot_device().device == "T1" end)
    assert.same({ "080506", "080507" }, { w:depot_device().release, w:depot_device().target })
  end)
end)
