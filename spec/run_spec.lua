-- The three processes, for real: what a script, the agent or the power does
-- to them, and that the updater outlives it. Devices of one group run side by
-- side, because most of their time is pauses and deadlines.

local world = require "spec.world"

local TICK = [[
sys.taskInit(function() while true do print("working " .. VERSION) sys.wait(200) end end)
]]

local function lines(text, pattern)
  local list = {}
  for match in (text or ""):gmatch(pattern) do list[#list + 1] = match end
  return list
end

-- A provisioned device that runs 1.0.0. `o`: fields (Lua text for the
-- configuration), body (of 1.0.0), core (of 1.0.0).
local function device(o)
  local w = world.new()
  w:configure(o.fields)
  local first = w:pack { version = "1.0.0", sequence = 1, body = o.body or TICK, core = o.core }
  local code, _, err = w:moult("provision", first)
  assert(code == 0, err)
  return w
end

local function history(w)
  local code, out, err = w:moult("history --json")
  assert(code == 0, err)
  return out
end

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

  it("starts the script at once when it asks for that, and ends what it started", function()
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

  describe("with a release on trial that", function()
    local bad = {
      { "loops for ever",          'while true do end',                          "gave no sign of life" },
      { "crashes",                 'error("boom")',                              "exited with code 1" },
      { "exits",                   'sys.taskInit(function() sys.wait(50) os.exit(0) end)', "exited with code 0" },
      { "leaks memory",            'local t = {} while true do t[#t + 1] = ("x"):rep(999) .. #t end', "not enough memory" },
      { "kills itself",            'os.execute("kill -SEGV $PPID")',             "killed by signal 11" },
      { "calls itself otherwise",   'rawset(_G, "VERSION", "9.9.9")',             "VERSION" },
      { "does not parse",          '))(',                                        "exited with code 1" },
    }

    it("is bad, goes back to the old release and never installs it again", function()
      for i, case in ipairs(bad) do
        local w = new { fields = "script_memory = 4 * 1024 * 1024," }
        w.case = case
        w:run()
        w.package = w:pack { version = "1.0.1", sequence = 2, body = case[2] .. "\n" .. TICK }
        w:shell("true")
        local code, _, err = w:moult("install -q", w.package)
        assert.equal(4, code, case[1] .. ": " .. err)
        worlds[i] = w
      end
      for _, w in ipairs(worlds) do
        local name, _, reason = table.unpack(w.case)
        local status = w:wait("the roll-back of a release that " .. name, function()
          local now = w:status()
          return now and now.phase == "idle" and now.last and now.last.code == "rolledback" and now
        end, 40)
        assert.equal("1.0.0", status.release)
        local log = w:read("device.log")
        assert.equal(3, #lines(log, "on trial\n"), name)
        assert.matches(reason, log, 1, true)
        w:wait("the old release after one that " .. name, function()
          return w:read("device.log"):match("on trial\n.*working 1%.0%.0")
        end)
        local code, _, err = w:moult("install -q", w.package)
        assert.equal(15, code, err)
        assert.matches("quarantine", err, 1, true)
        assert.matches("rolledback", history(w), 1, true)
      end
    end)

    it("is never confirmed, goes back at the deadline", function()
      local w = new { fields = 'confirm = "script",' }
      w:configure('confirm = "script",')
      w:write("config.lua", (w:read("config.lua"):gsub("deadline = 20", "deadline = 2")))
      w:run()
      local package = w:pack { version = "1.0.1", sequence = 2, body = TICK }
      w:moult("install -q", package)
      w:wait_log("device", "on trial\n")
      w:wait_log("device", "rolled back: not confirmed before the deadline")
      w:wait_status { phase = "idle", release = "1.0.0" }
      assert.equal(1, #lines(w:read("device.log"), "on trial\n"))
      w:wait_log("device", "on trial\n.*working 1%.0%.0")
    end)

    it("says itself that it is bad, goes back at once", function()
      local w = new()
      w:run()
      w:moult("install -q", w:pack { version = "1.0.1", sequence = 2,
        body = 'sys.taskInit(function() print("said", update.rollback("no sensor")) end)' })
      w:wait_log("device", "rolled back: no sensor")
      w:wait_status { phase = "idle", release = "1.0.0" }
    end)

    it("is well, is confirmed, also by its own word and over its own restart", function()
      local w = new { fields = 'confirm = "script",' }
      w:run()
      w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK .. [[
        local file = io.open("seen")
        if not file then
          io.open("seen", "w"):close()
          sys.taskInit(function() sys.wait(50) sys.restart("first start") end)
        else
          sys.taskInit(function() print("confirm", update.confirm()) end)
        end]] })
      w:wait_log("device", "confirmed\n")
      w:wait_status { phase = "idle", release = "1.0.1" }
      assert.equal(2, #lines(w:read("device.log"), "on trial\n"))
      assert.matches("confirm\ttrue", w:read("device.log"))
    end)

    it("runs when everything stops, goes on with its trial afterwards", function()
      local w = new { fields = 'confirm = "script",' }
      w:run()
      w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK })
      w:wait_log("device", "working 1.0.1")
      w:stop("device", "KILL")
      w:run()
      w:wait("the second start", function() return #lines(w:read("device.log"), "on trial\n") == 2 end)
      assert.equal("trial", w:status().phase)
      assert.equal(0, (w:moult("confirm -q")))
      w:wait_status { phase = "idle", release = "1.0.1" }
    end)
  end)

  describe("with a core", function()
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

    it("confirms a core alone, on a device without a script", function()
      local w = world.new()
      worlds[1] = w
      w:configure(SLOTS)
      local code, _, err = w:moult("provision", w:pack { sequence = 1, core = core(17), manifest = 'version = "1",' })
      assert.equal(0, code, err)
      w:run()
      w:moult("install -q", w:pack { sequence = 2, core = core(18), manifest = 'version = "1",' })
      w:wait("the confirmation", function()
        local now = w:status()
        return now and now.phase == "idle" and now.core.version == 18
      end, 20)
    end)

    it('exits 4 when the configuration says restart = "exit"', function()
      local w = new { fields = SLOTS .. 'restart = "exit",', core = core(17) }
      local code, _, err = w:moult("install -q",
        w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
      assert.equal(4, code, err)
      -- The next start is the restart that was due; the roll-back asks for another.
      w:start("device", "run")
      w:wait_status { phase = "idle", release = "1.0.1" }
      w:moult("install -q",
        w:pack { version = "1.0.2", sequence = 3, body = TICK, core = core(19) })
      w:wait("the exit", function() return not w:alive("device") end)
      assert.matches("a restart of the device is due (restart)", w:read("device.log"), 1, true)
    end)

    it("runs the restart command, and goes on while the device is up", function()
      local w = new { fields = SLOTS .. 'restart = { "/bin/sh", "-c", "echo asked >>asked" },', core = core(17) }
      w:run()
      w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = TICK, core = core(18) })
      w:wait("the command", function() return w:read("asked") end)
      w:wait("the old pair meanwhile", function() return #lines(w:read("device.log"), "script %S+ started") == 2 end)
      w:wait_status { phase = "armed", release = "1.0.0" }
      assert.equal("asked\n", w:read("asked"))
    end)
  end)
end)
