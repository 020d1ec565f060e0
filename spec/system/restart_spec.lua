-- Restarts of the device, for real: with a core the pair changes only there.

local world = require "spec.support.world"

local TICK, lines = world.TICK, world.lines

describe("a restart of the device", function()
  local new = world.kept(after_each)

  local SLOTS = 'core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },'

  local function core(version)
    return { version = version, image = ("core %d "):format(version):rep(20000) }
  end

  it("starts over into the new pair, confirms it, and keeps it", function()
    local w = new { fields = SLOTS, core = core(17) }
    w:run()
    local code, _, err = w:moult("install -q",
      w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
    assert.equal(4, code, err)
    w:wait_log("device", "restarting the device: a new core is armed")
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ "b", 18 }, { w:status().core.running, w:status().core.version })
    w:stop("device")
    w:run()
    assert.equal("1.0.1", w:status().release)
  end)

  it("goes back to the old pair when the new script fails", function()
    local w = new { fields = SLOTS, core = core(17) }
    w:run()
    w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = 'error("boom")', core = core(18) })
    local status = w:wait("the roll-back", function()
      local now = w:status()
      return now and now.phase == "idle" and now.last and now.last.code == "rolledback" and now
    end, 30)
    assert.same({ "a", 17, "1.0.0" }, { status.core.running, status.core.version, status.release })
    w:wait_log("device", "back to the old release.*working 1%.0%.0")
  end)

  it('exits 4 when the configuration says restart = "exit"', function()
    local w = new { fields = SLOTS .. 'restart = "exit",', core = core(17) }
    local code, _, err = w:moult("install -q",
      w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
    assert.equal(4, code, err)
    -- This start is the restart that was due.
    w:start("device", "run")
    w:wait_status { phase = "idle", release = "1.0.1" }
    w:moult("install -q",
      w:pack { version = "1.0.2", sequence = 3, body = TICK, core = core(19) })
    w:wait("the exit", function() return not w:alive("device") end)
    assert.matches("a restart of the device is due (restart)", w:read("device.log"), 1, true)
  end)

  it("runs the restart command, and continues while the device is up", function()
    local w = new { fields = SLOTS .. 'restart = { "/bin/sh", "-c", "echo asked >>asked" },', core = core(17) }
    w:run()
    w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
    w:wait("the command", function() return w:read("asked") end)
    w:wait("the old pair meanwhile", function() return #lines(w:read("device.log"), "script %S+ started") == 2 end)
    w:wait_status { phase = "armed", release = "1.0.0" }
    assert.equal("asked\n", w:read("asked"))
  end)

  it("says that the restart command fails, and can be disarmed meanwhile", function()
    local w = new { fields = SLOTS .. 'restart = { "false" },', core = core(17) }
    w:run()
    w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
    w:wait_log("device", "still up in 60 s, the restart is tried again")
    w:wait_log("device", "the device is not restarted: false: ")
    w:wait_log("device", "working 1%.0%.0.*still up.*working 1%.0%.0")
    local code, _, err = w:moult "rollback"
    assert.equal(0, code, err)
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert.matches("disarmed: ", w:read("device.log"))
  end)
end)
