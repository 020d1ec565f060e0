-- Releases on trial, for real: good ones, and every way in which a script can
-- be bad. Those run side by side, because most of their time is pauses.

local world = require "spec.support.world"

local TICK, lines = world.TICK, world.lines

local function history(w)
  local code, out, err = w:moult("history --json")
  assert(code == 0, err)
  return out
end

describe("a release on trial that", function()
  local new, worlds = world.kept(after_each)

  local bad = {
    { "loops for ever",          'while true do end',                          "gave no sign of life" },
    { "crashes",                 'error("boom")',                              "exited with code 1" },
    { "exits",                   'sys.taskInit(function() sys.wait(50) os.exit(0) end)', "exited with code 0" },
    { "leaks memory",            'local t = {} while true do t[#t + 1] = ("x"):rep(99) .. #t end',
      "not enough memory" },
    { "kills itself",            'os.execute("kill -KILL $PPID")',             "killed by signal 9" },
    { "calls itself otherwise",   'rawset(_G, "VERSION", "9.9.9")',             "VERSION" },
    { "does not parse",          '))(',                                        "exited with code 1" },
  }

  it("is bad, goes back to the old release and never installs it again", function()
    for _, case in ipairs(bad) do
      local w = new { fields = "script_memory = 4 * 1024 * 1024,", numbers = { heartbeat = 1 } }
      w.case = case
      w:run()
      w.package = w:pack { version = "1.0.1", sequence = 2, body = case[2] .. "\n" .. TICK }
      w:shell("true")
      local code, _, err = w:moult("install -q", w.package)
      assert.equal(4, code, case[1] .. ": " .. err)
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

  it("is rolled back at the deadline if it is never confirmed", function()
    local w = new { fields = 'confirm = "script",', numbers = { deadline = 2 } }
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

  it("continues its trial after everything was stopped", function()
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

describe("an order that comes while `moult run` holds the state and its agent does not listen yet", function()
  if not world.new then return pending "needs the host: build/moult /usr/bin/busted" end

  for verb, code in pairs { confirm = 3, rollback = 3, ["install -q next.upd"] = 4 } do
    it(("waits for it: %s"):format(verb), function()
      local w = world.provisioned {}
      w:pack { version = "1.0.1", sequence = 2, name = "next.upd" }
      local natives = require "update.natives"
      local held = assert(natives.device.open(assert(require("update.config").load(w:path "config.lua")), "lock"))
      w:shell(("{ %s %s -c config.lua >/dev/null 2>said.txt; echo $? >code.txt; } &"):format(
        require("update.native.host").program, verb))
      w:sleep(0.4)
      held:close()
      assert.equal(code, w:wait("its end", function() return tonumber(w:read "code.txt" or "") end), w:read "said.txt")
      w:close()
    end)
  end
end)
