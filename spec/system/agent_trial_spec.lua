-- Trials with the real program: who confirms, and what rolls back.

local world = require "spec.support.world"

describe("a trial", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  it("that fails three times is rolled back, as a pair, and never tried again", function()
    w:device()
    w:run()
    w:publish { core = world.core(18), body = "error('sensor missing')" }
    w:wait_log("device", "quarantine: stop", 25)
    local status = w:status()
    assert.same({ "idle", "1.0.0", "rolledback" }, { status.phase, status.release, status.last.code })
    assert.same({ 17, "a", "1.0.0" }, { status.core.version, status.core.running, status.script.version })
    assert.equal("rolledback 1.0.1", w:history()[5])
  end)

  it("waits for the script's word with confirm = \"script\"", function()
    w:device { config = 'confirm = "script",' }
    w:run()
    w:publish { body = ([[
      sys.taskInit(function()
        while not io.open(%q) do sys.wait(50) end
        assert(update.confirm())
      end)]]):format(w:path("well")) }
    w:wait_log("device", "waiting for a call of confirm")
    w:sleep(1.5)
    assert.equal("trial", w:status().phase)
    w:write("well", "")
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("that nobody confirms in time is rolled back", function()
    w:device { config = 'confirm = "script",' }
    w:run()
    w:publish { manifest = "deadline = 1," }
    local status = w:wait_last "rolledback"
    assert.equal("1.0.0", status.release)
    assert.matches("deadline", status.last.message)
  end)

  it("with wrong globals counts as failed", function()
    w:device()
    w:run()
    w:publish { body = '_G["PROJECT"] = "OTHER"' }
    w:wait_log("device", 'main.lua: PROJECT is "OTHER", the configuration says "METER"')
    assert.equal("1.0.0", w:wait_last("rolledback", 25).release)
  end)

  it("is ended by hand, one way or the other", function()
    w:device { config = 'confirm = "script",' }
    w:run()
    w:publish()
    w:wait_status { phase = "trial" }
    assert.same({ 0, "", "rolled back to the old release\n" }, { w:moult("rollback 'readings are off'") })
    local status = w:wait_last "rolledback"
    assert.same({ "1.0.0", "readings are off" }, { status.release, status.last.message })
    w:publish { sequence = 3, version = "1.0.2" }
    w:wait_status { phase = "trial" }
    assert.equal(0, (w:moult "confirm")) -- it waits for the script's first sign of life
    w:wait_status { phase = "idle", release = "1.0.2" }
    assert.same({ 3, 3 }, { (w:moult "confirm"), (w:moult "rollback") })
  end)

  it("that was called good is confirmed by the next agent when this one ends before policy agrees", function()
    w:write("policy.lua", [[
      return { healthy = function(facts)
        if not facts.confirm_called then return nil, "nobody called" end
        return facts.uptime >= 2 or nil, "called good"
      end }]])
    w:device { config = 'policy = "policy.lua",' }
    w:run()
    w:publish()
    w:wait_log("device", "nobody called")
    assert.equal(0, (w:moult "confirm"))
    w:shell(("kill -KILL $(pgrep -P %d -f -- --agent)"):format(w.running.device))
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("is ended by a policy that says false", function()
    w:write("policy.lua", [[
      return { healthy = function(facts)
        if facts.errors > 0 then return false, "a task failed" end
      end }]])
    w:device { config = 'policy = "policy.lua",' }
    w:run()
    w:publish { body = 'sys.taskInit(function() sys.wait(100) error("sensor") end)' }
    local status = w:wait_last "rolledback"
    assert.matches("a task failed", status.last.message)
    assert.equal("1.0.0", status.release)
  end)

  it("is installed although the script drops every update", function()
    w:publish()
    w:device { config = 'policy_days = 1, restart_when = "asked",', body = [[
      sys.taskInit(function()
        while true do
          local ok, message, code = update.rollback("nothing new here")
          if code ~= "nothing" then print("dropped", ok, message) end
          sys.wait(100)
        end
      end)]] }
    w:run()
    w:wait_log("device", "dropped\tnil\tthis release kept packages out on 1 days: its script is ignored", 60)
    assert.equal("armed", w:status().phase)
    w:stop "device"
    w:run()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.equal(0, w:status().kept_out)
  end)
end)
