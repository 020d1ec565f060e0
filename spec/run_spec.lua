-- The three processes, for real: what a script, the agent or a signal does to
-- them, and that the updater outlives it.

local world = require "spec.world"

local TICK, lines, device = world.TICK, world.lines, world.provisioned

describe("moult run", function()
  local worlds = {}

  local function new(o)
    local w = device(o or {})
    worlds[#worlds + 1] = w
    return w
  end

  after_each(function()
    for _, w in ipairs(worlds) do w:close() end
    worlds = {}
  end)

  it("runs the script, keeps a second one out, and ends with both children when asked", function()
    local w = new()
    w:run()
    w:wait_log("device", "working 1.0.0")
    local code, _, err = w:moult("run")
    assert.equal(5, code)
    assert.matches("(busy)", err, 1, true)
    local pids = { w:read("device.log"):match("agent started %(process (%d+)%).-script %S+ started %(process (%d+)%)") }
    w:stop("device")
    assert.matches("script stopped when asked", w:read("device.log"), 1, true)
    for _, pid in ipairs(pids) do assert.is_nil(os.execute("kill -0 " .. pid .. " 2>/dev/null")) end
  end)

  it("exits 0 when it is told to stop", function()
    local w = new()
    local program = require("update.native.host").program
    local _, _, code = w:shell(("{ '%s' run -c config.lua >device.log 2>&1 & p=$!; "):format(program)
      .. "for i in $(seq 400); do test -S state/control && break; sleep 0.05; done; kill -TERM $p; wait $p; }")
    assert.equal(0, code)
  end)

  it("understands every form of its options and refuses others", function()
    local w = world.new()
    worlds[1] = w
    for _, words in ipairs {
      "-c none.lua", "-cnone.lua", "-qc none.lua", "--config none.lua", "--config=none.lua -v",
    } do
      local code, _, err = w:moult("run", words)
      assert.equal(2, code)
      assert.matches("none.lua: No such file", err, 1, true)
    end
    for _, words in ipairs { "-x", "-c", "--config", "-q none.lua", "--json" } do
      local code, _, err = w:moult("run", words)
      assert.equal(2, code)
      assert.not_matches("none.lua", err, 1, true)
    end
    local code, out = w:moult("run --help")
    assert.equal(0, code)
    assert.matches("moult run -c", out, 1, true)
  end)

  -- Start it as systemd would; told(what) waits until it has said so.
  local function managed(w)
    local manager = assert(require("socket.unix").dgram())
    assert(manager:bind(w:path("notify")))
    manager:settimeout(0)
    w:shell(("{ NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=60000000 exec '%s' run -c config.lua >device.log 2>&1 & } ; "
      .. "echo $! >device.pid"):format(require("update.native.host").program))
    w.running.device = tonumber(w:read("device.pid"))
    local heard = {}
    return manager, function(what)
      w:wait(what, function()
        local text = manager:receive()
        if text then heard[#heard + 1] = text end
        return table.concat(heard, "\n"):find(what, 1, true)
      end)
    end
  end

  it("tells the service manager, and answers as soon as it says that it is ready", function()
    local w = new()
    local manager, told = managed(w)
    told "READY=1"
    local code, out = w:moult "status"
    assert.equal(0, code)
    assert.matches("agent +running", out)
    told "STATUS=METER idle"
    told "WATCHDOG=1"
    w:stop("device")
    told "STOPPING=1"
    manager:close()
  end)

  it("is ready without an agent that cannot start", function()
    local w = new()
    assert(w:shell("mkdir state/control"))
    local manager, told = managed(w)
    told "READY=1"
    assert.matches("agent exited", w:read("device.log"))
    w:stop("device")
    manager:close()
  end)

  it("says as much as it is told to", function()
    local w = new()
    assert(w:shell("chmod 666 config.lua"))
    w:start("device", "run -v")
    w:wait_log("device", "working 1.0.0")
    w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK })
    w:wait_log("device", "moult run: agent: armed")
    assert.matches("config.lua can be changed by other users %(mode 0666%)", w:read("device.log"))
    w:stop("device")
    w:write("device.log", "")
    w:start("device", "run -q")
    w:wait_log("device", "working 1.0.%d")
    w:stop("device")
    assert.not_matches("moult run: script", w:read("device.log"))
  end)

  it("runs one script without a device", function()
    local w = world.new()
    worlds[1] = w
    w:write("try.lua", 'local sys = require "sys"\nprint("args", ...)\nsys.taskInit(function() sys.wait(1) '
      .. 'print "waited" os.exit(7) end)\nsys.run()\n')
    local code, out = w:moult "run try.lua one two"
    assert.equal("args\tone\ttwo\nwaited\n", out)
    assert.equal(7, code)
  end)

  it("starts its own processes only as the supervisor does", function()
    local w = world.new()
    worlds[1] = w
    for _, words in ipairs { "--script", "--script -c", "--script -c none.lua .", "--agent", "--agent -c none.lua" } do
      local code, _, err = w:moult(words)
      assert.equal(2, code, words)
      assert.matches("%(usage%)\n$", err)
    end
  end)

  it("names what is missing", function()
    local w = world.new()
    worlds[1] = w
    local code, _, err = w:moult("run -c nothing.lua")
    assert.equal(2, code)
    assert.matches("nothing.lua", err, 1, true)
    w:configure()
    code, _, err = w:moult("run")
    assert.equal(2, code)
    assert.matches("moult provision", err, 1, true)
  end)

  it("starts the script again with growing pauses when it ends, and the agent answers all the while", function()
    local w = new { body = 'print("up " .. require("update.native.loop").now()) error("boom")' }
    w:run()
    w:wait("three starts", function() return #lines(w:read("device.log"), "up [%d.]+") >= 3 and w:status() end)
    local at = lines(w:read("device.log"), "up ([%d.]+)")
    assert.is_true(at[2] - at[1] >= 1 and at[3] - at[2] >= 2)
    assert.equal("1.0.0", w:status().release)
    assert.matches("main.lua:%d+: boom.*traceback", w:read("device.log"))
  end)

  it("starts the agent again when it is killed, and the script never notices", function()
    local w = new { body = TICK .. 'sys.taskInit(function() while true do update.status() sys.wait(100) end end)' }
    w:run()
    local script = w:wait_log("device", "script %S+ started %(process (%d+)%)")
    local first = w:wait_log("device", "agent started %(process (%d+)%)")
    os.execute("kill -9 " .. first)
    w:wait("the next agent", function()
      return #lines(w:read("device.log"), "agent started") == 2 and w:status()
    end)
    assert.is_true(os.execute("kill -0 " .. script))
    assert.equal(1, #lines(w:read("device.log"), "script %S+ started"))
  end)

  it("leaves nothing behind when it is killed itself", function()
    local w = new()
    w:run()
    local agent = w:wait_log("device", "agent started %(process (%d+)%)")
    local script = w:wait_log("device", "script %S+ started %(process (%d+)%)")
    w:wait_log("device", "working")
    w:stop("device", "KILL")
    w:wait("the end of its children", function()
      return not os.execute(("kill -0 %s 2>/dev/null || kill -0 %s 2>/dev/null"):format(agent, script))
    end)
    w:run()
  end)

  it("starts the script again when it asks for that, and ends what it started", function()
    local w = new { body = [[
      os.execute("sleep 1000 & echo $! >>" .. require("update.native.host").cwd .. "/sleeps")
      sys.taskInit(function() sys.wait(100) if io.open("go") then sys.restart("wanted") end end)]] }
    w:run()
    w:wait_log("device", "script %S+ started")
    w:sleep(0.2)
    w:write("go", "")
    w:stop("device")
    w:run()
    w:wait_log("device", "asks for a restart: wanted")
    w:wait("the next start", function() return #lines(w:read("device.log"), "script %S+ started") >= 3 end)
    local sleeps = lines(w:read("sleeps"), "%d+")
    w:stop("device")
    w:wait("the end of what it started", function()
      for _, pid in ipairs(sleeps) do
        if os.execute("kill -0 " .. pid .. " 2>/dev/null") then return false end
      end
      return true
    end)
  end)

  it("runs the script without updates when the state is lost, and says so", function()
    local w = new()
    for i = 0, 1 do w:write("state/journal." .. i, ("x"):rep(100)) end
    w:start("device", "run")
    w:wait_log("device", "STATE LOST.*WITHOUT UPDATES.*working 1.0.0")
    w:stop("device")
    assert.equal(0, #lines(w:read("device.log"), "agent started"))
  end)
end)
