-- The real program with a log that nobody reads, and with an agent that hangs.

local world = require "spec.support.world"

describe("log", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  it("that nobody reads stops neither the script nor its update", function()
    w:device {
      body = "sys.taskInit(function() while true do io.stderr:write(('x'):rep(1000), '\\n') sys.wait(2) end end)",
    }
    w:run(w:unread())
    w:wait_status { phase = "idle", release = "1.0.0" }
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("is not the only one who tells of an agent that hangs: the verbs answer", function()
    w:serve()
    w:configure("", { heartbeat = 600 })
    w:pack { sequence = 1, version = "1.0.0" }
    assert.equal(0, (w:moult "provision p1.upd -q"))
    w:run()
    w:wait_status { phase = "idle" }
    w:shell(("kill -STOP $(pgrep -P %d -f -- --agent)"):format(w.running.device))
    local code, out = w:moult "status"
    assert.equal(0, code)
    assert.matches("agent +DOES NOT ANSWER", out)
    assert.matches("provisioned", select(2, w:moult "history"))
    assert.matches("agent +does not answer", select(2, w:moult "doctor"))
    for _, verb in ipairs { "check", "confirm", "rollback", "install p1.upd" } do
      local _, _, err = w:moult(verb)
      assert.matches("the agent does not answer", err)
    end
  end)
end)
