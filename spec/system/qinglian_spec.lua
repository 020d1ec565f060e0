-- A device of the Qinglian cloud against the depot that plays it: two programs,
-- a real broker and a dispatcher, nothing scripted.

local has_host = pcall(require, "update.native.host")
if not has_host then
  describe("Qinglian's device and depot", function() pending "needs the host: build/moult /usr/bin/busted" end)
  return
end

local brokers = require "spec.support.broker"
local json = require "update.native.json"
local world = require "spec.support.world"

local KEY, IV, MAC = "0123456789ABCDEF", ("5a"):rep(16), "00:0c:29:4b:5b:1f"

describe("Qinglian's device and depot", function()
  local w, broker, port

  before_each(function()
    w, broker, port = world.new(), brokers.start(), brokers.free_port()
  end)

  after_each(function()
    w:close()
    broker:close()
  end)

  local function serve(options)
    w:write("qinglian.json", json.encode { listen = "127.0.0.1:" .. port, broker = "127.0.0.1:" .. broker.port,
      products = { ["1001"] = KEY } })
    w:start("depot", ("depot depot --listen 127.0.0.1:0 --keys keys --settle 1 --mqtt %s:%d %s "
      .. "--qinglian qinglian.json"):format(broker.host, broker.port, options or ""))
    w:wait_log("depot", "listening on")
  end

  local function device(more)
    w:write("secret", KEY .. "\n")
    w:shell "chmod 600 secret"
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(6 << 20)) end
    w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
      cloud = { kind = "qinglian", product = "1001", device = %q, secret_file = "secret", host = "127.0.0.1",
        port = %d, iv = %q, %s },]]):format(MAC, port, IV, more or ""), { product_key = "1001" })
    w:pack { sequence = 1, version = "01.00", core = world.core(17), product_key = "1001" }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
  end

  local function known()
    local _, out = w:moult "depot status depot --json"
    local status = json.decode(out)
    return status and status.devices[1] or {}
  end

  local function wait_state(state, release)
    return w:wait(("%s of %s"):format(state, release), function()
      local row = known()
      return row.state == state and row.release == release and row
    end, 90)
  end

  it("log in, and a script is pushed, armed by the cloud and confirmed", function()
    serve()
    device()
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    local row = wait_state("succeeded", "01.01")
    assert.same({ "qinglian", "1001", MAC }, { row.cloud, row.product, row.device })
    assert.equal("01.01", w:status().release)
  end)

  it("a core goes on where it was after a cut and a restart of the device", function()
    serve()
    device "chunk = 8192"
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", core = world.core(18, 3 << 20),
      name = "depot/p2.upd" }
    local function done()
      local transaction = w:status().transaction
      return type(transaction) == "table" and transaction.done or 0
    end
    w:wait("a third", function() return done() > 1 << 20 end, 40)
    broker:restart()
    w:wait_log("device", "no connection")
    w:wait("two thirds", function() return done() > 2 << 20 end, 60)
    w:stop("device", "KILL")
    w:run()
    wait_state("succeeded", "01.01")
    assert.equal("01.01", w:status().release)
  end)
end)
