-- The three processes, for real: what a script, the agent or a signal does to
-- them, and that the updater outlives it.

local world = require "spec.support.world"

local TICK, lines = world.TICK, world.lines

describe("moult run", function()
  local new, worlds = world.kept(after_each)

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

  -- What a verb does that opened the state itself.
  local function hold(w)
    w:shell "{ exec flock --no-fork state/lock sleep 1000 </dev/null >/dev/null 2>&1 & } ; echo $! >holder.pid"
    w.running.holder = tonumber(w:read "holder.pid")
    w:wait("the lock", function() return not w:shell "flock -n state/lock true" end)
  end

  -- A verb opens the state itself while no agent is there, and a transfer over a slow link takes hours.
  it("starts the script without updates while a verb holds the state, and keeps a second one out", function()
    local w = new()
    hold(w)
    w:start("device", "run")
    w:wait_log("device", "working 1.0.0")
    assert.matches("WITHOUT UPDATES: state [^\n]+: another moult process is using it %(busy%)", w:read "device.log")
    local code, _, err = w:moult "run"
    assert.equal(5, code)
    assert.matches("another moult run is using it", err, 1, true)
    w:stop "holder"
    w:wait_log("device", "updates work again", 30)
    w:pack { version = "1.0.1", sequence = 2, body = TICK }
    w:wait("an install", function() return w:moult "install p2.upd -q" == 4 end)
    w:wait_status { release = "1.0.1", phase = "idle" }
  end)

  it("ends when asked to while a verb holds the state", function()
    local w = new()
    hold(w)
    w:start("device", "run")
    w:sleep(1)
    w:stop("device")
    assert.is_nil((w:read "device.log"):match "script %S+ started")
  end)

  it("hears that a child ended when its own parent ignores that of children", function()
    local w = new { body = 'io.stderr:write("working ", VERSION, "\\n") os.exit(7)' }
    w.under = "env --ignore-signal=CHLD"
    w:run()
    w:wait_log("device", "script exited with code 7")
    w:stop("device")
    assert.matches("agent stopped when asked", w:read("device.log"), 1, true)
  end)

  it("ends its script by SIGTERM, though whoever started them ignores that", function()
    local w = new()
    w.under = "env --ignore-signal=TERM"
    w:run()
    w:wait_log("device", "working 1.0.0")
    w:stop("device")
    assert.matches("script stopped when asked", w:read("device.log"), 1, true)
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

  it("replaces anything that is in the place of its socket", function()
    local w = new()
    assert(w:shell("mkdir -p state/control/some/thing"))
    local manager, told = managed(w)
    told "READY=1"
    local _, out = w:moult "status"
    assert.matches("agent +running", out)
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
    w:wait_log("device", "agent: update %x+:   gate floor: ok")
    assert.matches("config.lua can be changed by other users %(mode 0666%)", w:read("device.log"))
    w:stop("device")
    w:write("device.log", "")
    w:start("device", "run -q")
    w:wait_log("device", "working 1.0.%d")
    w:wait_status { phase = "idle", release = "1.0.1" }
    w:moult("install -q", w:pack { version = "1.0.2", sequence = 3, body = TICK })
    w:wait_status { phase = "idle", release = "1.0.2" }
    w:stop("device")
    local said = w:read("device.log"):gsub("working [%d.]+\n", "")
    assert.equal("", (said:gsub("moult run: warning: [^\n]*\n", "")))
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

  it("runs a script that ends by itself, and shows the error of one", function()
    local w = world.new()
    worlds[1] = w
    w:write("ends.lua", 'print "done"')
    local code, out = w:moult "run ends.lua"
    assert.equal(0, code)
    assert.equal("done\n", out)
    for text, said in pairs {
      ["error {}"] = "moult: %(error object is a table value%)\nstack traceback:",
      ["error()"] = "moult: %(error object is a nil value%)\n",
      ["error(setmetatable({}, { __tostring = function() return 'a table that says it' end }))"] =
        "moult: a table that says it\n",
      ["error(setmetatable({}, { __tostring = function() return 1 end }))"] =
        "moult: %(error object is a table value%)\n",
      ["error 'plain'"] = "moult: throws.lua:1: plain\nstack traceback:",
      ["debug, io, tostring = nil io = nil error 'bare'"] = "moult: throws.lua:1: bare\nstack traceback:",
      ["io.stdout:close() error 'shut'"] = "moult: throws.lua:1: shut\nstack traceback:",
      ["error(setmetatable({}, { __tostring = function() error {} end }))"] = "moult: ",
      ["error("] = "moult: throws.lua:1: unexpected symbol near <eof>\n$",
    } do
      w:write("throws.lua", text)
      local err
      code, out, err = w:moult "run throws.lua"
      assert.equal(1, code, text)
      assert.equal("", out)
      assert.matches("^" .. said, err)
    end
  end)

  it("takes an argument for a script if it ends in .lua, or is a file with a folder in its name", function()
    local w = world.new()
    worlds[1] = w
    w:write("plain", 'print("plain", ...)')
    local code, out = w:moult "./plain x"
    assert.equal(0, code)
    assert.equal("plain\tx\n", out)
    for _, word in ipairs { "plain", "./depot", "./nothing", ".lua" } do
      local err
      code, out, err = w:moult(word)
      assert.equal(2, code, word)
      assert.equal("", out)
      assert.matches("moult: ", err)
    end
  end)

  it("says which script it cannot open, wherever that is", function()
    local w = world.new()
    worlds[1] = w
    for _, path in ipairs { "/no such script.lua", "none/such.lua", "none.lua" } do
      local code, _, err = w:moult(("run '%s'"):format(path))
      assert.equal(1, code)
      assert.matches(("moult: cannot open %s"):format(path), err, 1, true)
    end
  end)

  it("runs in a folder that is gone", function()
    local w = world.new()
    worlds[1] = w
    w:write("where.lua", 'print(require("update.native.host").cwd)')
    assert(w:shell(("mkdir gone && cd gone && rmdir ../gone && '%s' '%s' >'%s'"):format(
      require("update.native.host").program, w:path "where.lua", w:path "out.txt")))
    assert.equal("nil\n", w:read "out.txt")
  end)

  it("runs a script that needs none of its modules without them", function()
    local w = world.new()
    worlds[1] = w
    assert(w:shell(("cp '%s' program"):format(require("update.native.host").program)))
    w:write("plain.lua", 'local host = require "update.native.host"\n'
      .. 'print(host.version, host.lua_dir, pcall(require, "update.version"))')
    assert(w:shell "./program plain.lua >out.txt 2>&1")
    assert.matches("^[%d.]+\tnil\tfalse\tmodule 'update.version' not found", w:read "out.txt")
    local _, _, code = w:shell "./program status >out.txt 2>&1"
    assert.equal(1, code)
    assert.matches("^moult: module 'cli' not found", w:read "out.txt")
    -- Modules beside it that are none.
    assert(w:shell "mkdir -p lua/update/config && touch lua/update/init.lua")
    for text, said in pairs {
      ["return 1"] = "module 'cli' has no function 'main'",
      ["return { main = 1 }"] = "module 'cli' has no function 'main'",
      ["return { main = function() return 'well' end }"] = "module 'cli': main returned a string, not an exit code",
    } do
      w:write("lua/cli.lua", text)
      _, _, code = w:shell "./program status >out.txt 2>&1"
      assert.equal(1, code)
      assert.matches("^moult: " .. said, w:read "out.txt")
    end
    w:write("lua/cli.lua", "return { main = function(...) return select('#', ...) + 40 end }")
    _, _, code = w:shell "./program one two"
    assert.equal(42, code)
    -- And a configuration that nobody can read.
    for text, said in pairs {
      ["return { load = function() return nil, {} end }"] = "moult run: config.lua %(usage%)",
      ["return { load = function() error {} end }"] = "moult run: error object is not a string %(internal%)",
      ["return { load = function() return ('x'):rep(1 << 26) end }"] = "moult run: not enough memory %(internal%)",
    } do
      w:write("lua/update/config/init.lua", text)
      w:shell "./program run -c config.lua >out.txt 2>&1"
      assert.matches("^" .. said, w:read "out.txt")
    end
  end)

  it("reads a configuration from a pipe, and the usual one when none is named", function()
    local w = world.new()
    worlds[1] = w
    local program = require("update.native.host").program
    w:configure()
    w:shell(("{ cat config.lua | '%s' run -c /dev/stdin; } >out.txt 2>&1"):format(program))
    assert.matches("^moult run: [^\n]*%(usage%)\n$", w:read "out.txt") -- about its state, not about its mode
    if io.open "/etc/moult/config.lua" then
      pending("a device is configured here")
      return
    end
    for _, name in ipairs { "env -u MOULT_CONFIG", "env MOULT_CONFIG=" } do
      local _, _, code = w:shell(("%s '%s' run >out.txt 2>&1"):format(name, program))
      assert.equal(2, code)
      assert.matches("^moult run: /etc/moult/config.lua: No such file", w:read "out.txt")
    end
  end)

  it("starts its own processes only as the supervisor does", function()
    local w = world.new()
    worlds[1] = w
    for _, words in ipairs {
      "--script", "--script -c", "--script -c none.lua .", "--script -x none.lua .", "--agent", "--agent -c none.lua",
    } do
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
