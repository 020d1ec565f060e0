-- A device of the Qinglian cloud against the depot that plays it: two programs,
-- a real broker and a dispatcher, nothing scripted.

local clouds = require "spec.support.qinglian_world"
local frame = require "update.cloud.qinglian_frame"
local mqtt = require "update.native.mqtt"
local world = require "spec.support.world"

local IV, MAC = clouds.IV, clouds.MAC

describe("Qinglian's device and depot", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local c, w, broker, port

  before_each(function()
    c = clouds.new()
    w, broker, port = c.w, c.broker, c.port
  end)

  after_each(function() c:close() end)

  local function serve(o) c:serve(o) end

  local function device(...) c:device(...) end

  local function known() return c:known() end

  local function wait_state(...) return c:wait_state(...) end

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

  it("tell the script, by the callbacks of the vendor's SDK", function()
    serve()
    device(nil, nil, [[
      local qinglian = require "update.qinglian"
      local function say(...) io.stderr:write("SDK ", table.concat({ ... }, " "), "\n") end
      function qinglian.iot_status_cb(state, ts)
        say("status", state, ts > 1600000000 and math.abs(qinglian.iot_get_onlinetime() - ts) < 60 and "now" or ts)
      end
      function qinglian.iot_ota_info_cb(name, version, total, crc) say("info", name, version, total, crc) end
      function qinglian.iot_ota_upgrade_cb()
        require("sys").wait(500) -- it is not cut short
        say "upgrade"
      end
    ]])
    w:run()
    w:wait_log("device", "SDK status 0 now", 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    local package = w:read "depot/p2.upd"
    w:wait_log("device", ("SDK info METER 01.01 %d %d\n"):format(#package, frame.crc16(package)), 40)
    w:wait_log("device", "SDK upgrade", 40)
    wait_state("succeeded", "01.01")
  end)

  it("continues a core after a cut and a restart of the device", function()
    serve()
    device(("chunk = 8192, iv = %q"):format(IV))
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

  it("begin again more and more rarely while connections do not last, and log in once they do", function()
    serve()
    device()
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    local other -- a second device with the same name, which throws the first one out
    local function take_over()
      if other then other:close() end
      other = assert(mqtt.open { host = broker.host, port = broker.port, client_id = MAC, clean = true })
      w:wait("the other's connection", function()
        local event = other:step()
        return event and event.kind == "connected"
      end, 20)
    end
    for _, seconds in ipairs { "[12]", "[234]", "[4-8]" } do
      take_over()
      w:wait_log("device", "no connection: [^\n]*again in " .. seconds .. " s.*$", 40)
      w:wait("the log-in after it", function()
        local log = w:read "device.log"
        return log:match("^.*again in " .. seconds .. " s(.*)$"):match "logged in as"
      end, 60)
    end
    other:close()
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    wait_state("succeeded", "01.01")
  end)

  it("a release whose script fails is rolled back, and refused from then on", function()
    serve()
    device()
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", body = 'error("boom")', name = "depot/p2.upd" }
    local row = wait_state("failed", "01.00")
    assert.matches("reports 01.00 after the upgrade, and refuses it now", row.text)
    assert.same({ "01.00", "rolledback" }, { w:status().release, w:status().last.code })
  end)

  it("are looked at by doctor, and named by pack", function()
    device()
    local _, out = w:moult "doctor"
    assert.match("warn%s+cloud qinglian 127.0.0.1:" .. port, out)
    serve()
    _, out = w:moult "doctor"
    assert.match(("ok%%s+cloud qinglian 127.0.0.1:%d is its broker"):format(broker.port), out)
    w:pack { sequence = 2, version = "1.0.1", product_key = "1001" }
    local code, _, err = w:moult "pack src-2/recipe.lua -k release.key -o p2.upd --for qinglian"
    assert.equal(2, code)
    assert.match("release 1.0.1 is not of the form 00.00", err, 1, true)
    w:pack { sequence = 3, version = "01.01", product_key = "1001" }
    assert.equal(0, (w:moult "pack src-3/recipe.lua -k release.key -o p3.upd --for qinglian -q"))
  end)

  it("do so over TLS", function()
    serve { options = c:use_tls() }
    device(("tls = { ca = %q }"):format(c.broker:file "ca.crt"))
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    wait_state("succeeded", "01.01")
  end)

  it("begin nothing that policy defers, and the job stays open", function()
    serve()
    device(nil, { ["policy.lua"] = [[
      local policy = {}
      function policy.decide() return { action = "defer", reason = "later", retry_after = 3600 } end
      return policy ]] })
    w:run()
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    w:wait_log("device", "policy says defer", 40)
    w:wait("the end of the transfer", function() return known().state == "upgrading" end)
    assert.same({ "idle", "01.00" }, { w:status().phase, w:status().release })
    assert.equal("01.01", known().target)
  end)

  it("pass over what others say on their topics in the middle of a transfer", function()
    serve()
    device(("chunk = 2048, iv = %q"):format(IV))
    w:run()
    w:wait("the device at the depot", function() return known().release == "01.00" end, 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", core = world.core(18, 2 << 20),
      name = "depot/p2.upd" }
    w:wait_log("device", "fetching the pieces", 40)
    local client = assert(mqtt.open { host = broker.host, port = broker.port })
    math.randomseed(20190605)
    local function noise(n)
      local out = {}
      for i = 1, n do out[i] = string.char(math.random(0, 255)) end
      return table.concat(out)
    end
    for i = 1, 200 do
      local body = noise(math.random(0, 64))
      local opcode = ({ 0x0101, 0x0a02, 0x0a03, 0x0a10, 0x0301 })[i % 5 + 1]
      local payload = i % 2 == 0 and noise(math.random(0, 40))
        or frame.packet { opcode = opcode, sequence = i, kind = "binary", body = body, response = i % 3 == 0 }
      -- Of the device only what it is not told by errno: that is the cloud's to say.
      client:publish(i % 4 < 2 and "d/s/3113-4938527" or "d/p/1-" .. i, payload, 0)
      for _ = 1, 3 do
        client:step()
        w:sleep(0.002)
      end
    end
    client:close()
    w:wait_log("device", "a message is not usable")
    wait_state("succeeded", "01.01")
  end)
end)
