-- The real program, end to end: depot, supervisor, agent, script.

local world = require "spec.support.world"

describe("agent", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  it("updates the script alone, without a restart of the device", function()
    w:device()
    w:run()
    w:publish()
    local status = w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ "1.0.1", 2 }, { status.script.version, status.script.generation })
    assert.same({ 17, "a" }, { status.core.version, status.core.running })
    assert.same({ script = 2, core = 1, files = 0 }, status.floor)
    assert.equal("ok", status.last.code)
    assert.is_nil(w:read("device.log"):find("restarting the device", 1, true))
    assert.same({ "provisioned 1.0.0", "begun 1.0.1", "armed 1.0.1", "trial 1.0.1", "confirmed 1.0.1" }, w:history())
  end)

  it("updates core and script as a pair, with a restart", function()
    w:device()
    w:run()
    w:publish { core = world.core(18) }
    local status = w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ 18, "b" }, { status.core.version, status.core.running })
    assert.equal(world.core(18).image, w:read("slot-b.img"):sub(1, 65536))
    assert.equal(world.core(17).image, w:read("slot-a.img"):sub(1, 65536))
    assert.matches("restarting the device", w:read("device.log"))
  end)

  it("continues after the verified blocks after kill -9 during a download", function()
    local core = world.core(18, 3 << 20)
    w:serve()
    w:device { slot = 4 << 20, port = w:slow_link(2 << 20) }
    w:publish { core = core }
    w:run()
    for kill = 1, 2 do
      w:wait("a megabyte over the link", function() return w:passed() > kill << 20 end)
      w:stop("device", "KILL")
      local status = w:status()
      assert.equal("fetching", status.phase)
      assert.is_true(status.transaction.total > 3 << 20)
      w:run()
    end
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.equal(core.image, w:read("slot-b.img"):sub(1, 3 << 20))
    -- A block and what the sockets held for each kill; heads and answers.
    local most = #w:read("depot/p2.upd") + 2 * ((256 << 10) + (96 << 10)) + (64 << 10)
    assert.is_true(w:passed() <= most, ("%d bytes, at most %d"):format(w:passed(), most))
  end)

  it("keeps the received part of a block when it is told to stop", function()
    w:serve()
    w:device { port = w:slow_link(50000) }
    w:publish { core = world.core(18, 512 << 10) }
    w:run()
    w:wait("a part of a block", function() return w:passed() > 120000 end)
    w:stop("device")
    assert.matches("agent stopped when asked", w:read("device.log"), 1, true)
    -- All but the head, and what the sockets held.
    local kept = #(w:read("state/tx/unfinished") or "")
    assert.is_true(kept > 60000, ("%d bytes"):format(kept))
  end)

  it("refuses a tampered package, while the running release continues", function()
    w:device()
    w:run()
    local text = w:read(w:pack { sequence = 2, version = "1.0.1" })
    local at = text:find('"release"', 1, true)
    w:write("bad.upd", text:sub(1, at) .. "R" .. text:sub(at + 2))
    local code, _, err = w:moult "install bad.upd"
    assert.equal(14, code)
    assert.matches("^moult install: .*%(untrusted%)\n$", err)
    local data = #text - 2048 -- within the last block
    w:write("bad.upd", text:sub(1, data) .. string.char(text:byte(data + 1) ~ 1) .. text:sub(data + 2))
    code, _, err = w:moult "install bad.upd -q"
    assert.is_true(code == 13 or code == 14, err)
    local status = w:status()
    assert.same({ "idle", "1.0.0" }, { status.phase, status.release })
    assert.equal(4, (w:moult "install p2.upd -q"))
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("is not blocked by a script that hangs", function()
    w:device { body = "while true do end" }
    w:run()
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("never writes query strings into its log", function()
    w:device()
    w:run()
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.is_nil(w:read("device.log"):find("k-123", 1, true))
    assert.is_nil(w:read("device.log"):find("imei", 1, true))
  end)
end)
