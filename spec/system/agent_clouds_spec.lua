-- What the script asks for, and what policy says, with the real program.

local world = require "spec.support.world"

describe("agent and script", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  it("request: calls back false when there is nothing, true when armed; the script restarts", function()
    w:device { period = 86400, body = ([[
      sys.taskInit(function()
        update.request(function(ready)
          local file = io.open(%q, "a")
          file:write(tostring(ready), "\n")
          file:close()
          if not ready then return end
          sys.raw = require("update.native.channel").from_fd(3)
          sys.raw:send("odd\27[2J")
          sys.restart("update")
        end, nil, 300)
      end)]]):format(w:path("called")) }
    w:run()
    w:wait("two answers", function() return (w:read("called") or ""):find("false\nfalse\n") end)
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.matches("^false\nfalse\n.*true\n$", w:read("called"))
    assert.matches("the script asks for a restart: update", w:read("device.log"))
    -- What a script says drives no terminal.
    assert.matches("the script says something unknown: odd\\x1B[2J", w:read("device.log"), 1, true)
  end)

  it("request: the restart follows at once without a callback", function()
    w:device { period = 86400, body = "update.request(nil, nil, 300)" }
    w:run()
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("request: a script whose callback does nothing is restarted anyway, after restart_after", function()
    w:device { period = 86400, config = "restart_after = 1,",
      body = "sys.taskInit(function() update.request(function() end, nil, 300) end)" }
    w:run()
    w:publish()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.matches("starting the new release %(the script did not", w:read("device.log"))
  end)

  it("request: asks the address that it is given", function()
    w:serve()
    local url = w.url .. "/api/site/firmware_upgrade"
    w:device { period = 86400, port = 9, body = ("update.request(nil, %q, 300)"):format(url) }
    w:run()
    w:publish()
    w:wait_log("device", "armed")
    w:wait_log("depot", "version=1.0.0 %-> p2.upd 206")
  end)

  it("a cloud that wants to be asked later is asked later", function()
    local busy <close> = setmetatable({ server = require("spec.support.servers.links").start(w:path "depot") },
      { __close = function(self) self.server:stop() end })
    busy.server:busy(3000)
    w:device { port = tonumber(busy.server.url:match ":(%d+)$") }
    w:run()
    w:wait_log("device", "answered 503 %(network%); asked again in 3000 s")
  end)

  it("an update costs one question: its ranges and the trial's cost none", function()
    w:device { period = 86400 }
    w:publish { core = world.core(18, 3 << 20) } -- several ranges
    w:run()
    w:wait_status { phase = "idle", release = "1.0.1" }
    local questions, of_link = {}, 0
    for line in w:read("depot.log"):gmatch "[^\n]+" do
      if line:find("imei=", 1, true) and line:find("version=1.0.0", 1, true) then
        questions[#questions + 1] = line:match "%-> (%S+ .-%d%d%d) "
      end
      if line:find "GET /p2%.upd 206" then of_link = of_link + 1 end
    end
    assert.equal(1, #questions)
    assert.matches("^p2.upd .* 302$", questions[1])
    assert.is_true(of_link >= 2)
    assert.matches("%-> code 3 ", w:read "depot.log") -- on trial: that the depot is there
  end)

  it("facts of the script reach policy, which defers", function()
    w:device { config = "limits = { battery = 50 },",
      body = world.battery(20) }
    w:run()
    w:wait_log("device", "the agent is there")
    w:wait_log("device", "cloud luat: ")
    w:publish()
    w:wait_log("device", "rule battery: stop, battery at 20 %%, below 50 %%")
    local code, out = w:moult "check"
    assert.equal(20, code)
    assert.matches("decision: defer %(battery%), asked again in 900 s", out)
    assert.equal("idle", w:status().phase)
  end)

  it("check and apply: the script decides when", function()
    w:device { period = 86400, config = 'restart_when = "asked",', body = ([[
      sys.taskInit(function()
        while not io.open(%q) do sys.wait(50) end
        local found = update.check()
        while not found do -- the depot looks at its folder now and then
          sys.wait(100)
          found = update.check()
        end
        local got = assert(update.apply(found.offer))
        local file = assert(io.open(%q, "w"))
        file:write(found.decision.action, " ", got.release, " ", update.status().phase)
        file:close()
        sys.wait(300)
        sys.restart("now")
      end)]]):format(w:path("go"), w:path("said")) }
    w:run()
    w:publish()
    w:write("go", "")
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.equal("install 1.0.1 armed", w:read("said"))
  end)

  it("an error of a task is an event for policy, and the agent's log has it", function()
    w:device { body = 'sys.taskInit(function() error("sensor missing") end)' }
    w:run()
    w:wait_log("device", "agent: script: a task failed: [^\n]*sensor missing")
  end)
end)
