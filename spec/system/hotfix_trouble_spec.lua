-- Hotfixes whose test misbehaves, and kills in the middle of one: real processes.

local world = require "spec.support.world"

local PLAIN = [[
sys.taskInit(function() while true do print("clock " .. require("clock")()) sys.wait(100) end end)]]

local function says(word) return ('return function() return %q end'):format(word) end

describe("a hotfix in trouble", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = world.new()
    w:configure 'hotfix_time = 8,'
    w:pack { sequence = 1, version = "1.0.0", body = PLAIN, files = { ["clock.lua"] = says "old" } }
    assert.equal(0, (w:moult "provision p1.upd -q"))
    w:run()
    w:wait_log("device", "clock old")
  end)
  after_each(function() w:close() end)

  local function fix(sequence, test, word)
    return w:pack_fix { sequence = sequence, version = "v" .. sequence, base = ">=1.0.0 <1.1",
      lua = { ["clock.lua"] = says(word or "v" .. sequence) }, test = test }
  end

  -- The script itself, not a line about the hotfix of that name.
  local function wait_for(line)
    w:wait("the script says " .. line, function()
      return (("\n" .. w:read "device.log"):find("\n" .. line .. "\n", 1, true))
    end)
  end

  local function is_back(entry)
    assert.same({ entry }, w:ledger())
    w:write("device.log", "")
    w:wait_log("device", "clock old")
  end

  -- The processes of this device with these words.
  local function pids(words)
    local pipe = io.popen(("pgrep -f -- '%s'"):format(words))
    local out = {}
    for line in pipe:lines() do
      local cmd = io.open("/proc/" .. line .. "/cmdline", "rb")
      local text = cmd and cmd:read "a" or ""
      if cmd then cmd:close() end
      if text:find(w.dir, 1, true) and not text:find("pgrep", 1, true) then out[#out + 1] = line end
    end
    pipe:close()
    return out
  end

  it("whose test hangs is undone in time", function()
    w:install(fix(2, "return function() while true do end end"), 18)
    is_back "clock v2 quarantined"
  end)

  it("whose test leaves a daemon behind leaves none", function()
    w:install(fix(2, ([[return function()
      os.execute "setsid sh -c 'while true; do echo x >>%s/daemon; sleep 0.1; done' </dev/null >/dev/null 2>&1 &"
      os.execute "sleep 0.5"
      return true
    end]]):format(w.dir)))
    assert.same({ "clock v2 fresh" }, w:ledger())
    local before = #assert(w:read "daemon")
    w:shell "sleep 1"
    assert.equal(before, #w:read "daemon")
  end)

  it("whose test allocates without end is undone", function()
    w:install(fix(2, "return function() local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end end"), 18)
    is_back "clock v2 quarantined"
  end)

  it("is tested or undone, and never left between, when the agent is killed", function()
    fix(2, "return function() os.execute 'sleep 3' return true end")
    w:start("install", "install -q fix2.upd -c config.lua")
    w:wait_log("device", "on test")
    for _, pid in ipairs(pids "--agent") do w:shell("kill -9 " .. pid) end
    w:wait("the end of its test", function() return w:ledger()[1] ~= "clock v2 testing" end, 40)
    assert.same({ "clock v2 fresh" }, w:ledger())
    w:wait("the next one is taken", function() return (w:moult("install -q", fix(3))) == 0 end, 40)
    assert.same({ "clock v2 fresh", "clock v3 fresh" }, w:ledger())
  end)

  it("is undone, and given another try, when the supervisor is killed", function()
    fix(2, "return function() os.execute 'sleep 3' return true end")
    w:start("install", "install -q fix2.upd -c config.lua")
    w:wait_log("device", "on test")
    w:stop("device", "KILL")
    w:run()
    w:wait("its second test", function() return w:ledger()[1] == "clock v2 fresh" end, 40)
    wait_for "clock v2"
  end)

  it("is quarantined when the script is killed in its test", function()
    fix(2, "return function() os.execute 'sleep 3' return true end")
    w:start("install", "install -q fix2.upd -c config.lua")
    w:wait_log("device", "on test")
    wait_for "clock v2"
    for _, pid in ipairs(pids "--script") do w:shell("kill -9 " .. pid) end
    w:wait("its end", function() return w:ledger()[1] == "clock v2 quarantined" end, 40)
    is_back "clock v2 quarantined"
    -- A second one after a failed one, then the same version again, then a higher one.
    w:install(fix(3))
    w:install("fix3.upd", 3)
    w:install(fix(4))
    assert.same({ "clock v2 quarantined", "clock v3 fresh", "clock v4 fresh" }, w:ledger())
    w:write("device.log", "")
    wait_for "clock v4"
  end)
end)
