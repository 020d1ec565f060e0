-- Hotfixes on a device that runs: real processes, from `moult install` to the ledger.

local world = require "spec.support.world"

-- A script that says every moment what its module says.
local PLAIN = [[
sys.taskInit(function() while true do print("clock " .. require("clock")()) sys.wait(100) end end)]]

-- The same, but it takes hotfixes as it runs, unless they say "never".
local LIVE = [[
update.on("hotfix", function(fix)
  package.loaded.clock = nil
  print(fix.action .. " " .. fix.name .. " " .. fix.version)
  return require("clock")() ~= "never"
end)
print "begins"
sys.taskInit(function() update.status() print "the agent knows of the handler" end)
]] .. PLAIN

local function says(word) return ('return function() return %q end'):format(word) end

describe("a hotfix", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  local function device(body, policy)
    w:configure 'hotfix_time = 12,'
    w:pack { sequence = 1, version = "1.0.0", body = body,
      files = { ["clock.lua"] = says "old", ["policy.lua"] = policy } }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
    w:run()
    w:wait_log("device", "clock old")
  end

  -- The package of a hotfix; o: text or word (of its clock), and as for pack_fix()
  local function fix(sequence, o)
    return w:pack_fix { sequence = sequence, name = o.name, version = o.version, base = o.base or ">=1.0.0 <1.1",
      lua = { ["clock.lua"] = o.text or says(o.word or "new") }, test = o.test }
  end

  local function starts() return select(2, w:read("device.log"):gsub("begins\n", "")) end

  it("is applied, tested and on the ledger; then undone", function()
    device(PLAIN)
    w:install(fix(2, { test = 'return function() return require("clock")() == "new" end' }))
    assert.same({ "clock 2 fresh" }, w:ledger())
    w:wait_log("device", "clock new")
    assert.matches("hotfix +clock 2, fresh", (select(2, w:moult "status")))
    assert.equal("fresh", w:status().hotfixes[1].state)
    w:write("device.log", "")
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same({ "clock 2 undone" }, w:ledger())
    w:wait_log("device", "clock old")
    assert.matches("undone by the owner", w:install("fix2.upd", 15))
  end)

  it("that is undone while it is fresh brings the lower version back", function()
    device(PLAIN)
    w:install(fix(2, {}))
    w:install(fix(3, { word = "newer" }))
    assert.same({ "clock 2 fresh", "clock 3 fresh" }, w:ledger())
    w:wait_log("device", "clock newer")
    local status = select(2, w:moult "status")
    assert.matches("hotfix +clock 3, fresh, replaces 2\n", status)
    assert.equal(1, select(2, status:gsub("hotfix ", "")))
    assert.equal(0, (w:moult "hotfix undo clock"))
    w:write("device.log", "")
    w:wait_log("device", "clock new\n")
    assert.same({ "clock 2 fresh", "clock 3 undone" }, w:ledger())
  end)

  it("is undone and never tried again when its test fails", function()
    device(PLAIN)
    assert.matches("test.lua exited with code 1",
      w:install(fix(2, { test = "return function() return false end" }), 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    w:write("device.log", "")
    w:wait_log("device", "clock old")
    assert.matches("failed on this device", w:install("fix2.upd", 15))
    w:install(fix(3, {}))
    assert.same({ "clock 2 quarantined", "clock 3 fresh" }, w:ledger())
  end)

  it("is undone when its test ends the process instead of saying whether it is good", function()
    device(PLAIN)
    for sequence, test in pairs { [2] = "os.exit(0)", [3] = "return function() pcall(os.exit) os.exit(true) end" } do
      assert.matches("test.lua exited with code 1", w:install(fix(sequence, { test = test }), 18))
      w:wait_log("device", "test.lua: [^\n]*os.exit%(%) is called")
      w:write("device.log", "")
    end
  end)

  it("is undone when the script ends with it", function()
    device(PLAIN)
    assert.matches("the script", w:install(fix(2, { text = "os.exit(3)" }), 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    w:write("device.log", "")
    w:wait_log("device", "clock old")
  end)

  it("is undone when policy does not call the script healthy", function()
    device(PLAIN, [[return {
      decide = function() return { action = "install", reason = "newer" } end,
      healthy = function(facts) return facts.uptime < 1 and nil, "the meter stands still" end,
    }]])
    assert.matches("policy: the meter stands still", w:install(fix(2, {}), 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    w:write("device.log", "")
    w:wait_log("device", "clock old")
  end)

  it("is taken by the script's handler without a restart, and left again", function()
    device(LIVE)
    w:wait_log("device", "knows of the handler")
    w:install(fix(2, { test = 'return function() return require("clock")() == "new" end' }))
    w:wait_log("device", "apply clock 2")
    w:wait_log("device", "clock new")
    w:install(fix(3, { word = "newer" }))
    w:wait_log("device", "clock newer")
    assert.same({ "clock 2 fresh", "clock 3 fresh" }, w:ledger())
    assert.matches("handler did not take it", w:install(fix(4, { word = "never" }), 18))
    w:wait_log("device", "undo clock 4")
    w:wait("the newer one", function() return w:read("device.log"):sub(-60):find "clock newer" end)
    for _, back in ipairs { { "3", "new" }, { "2", "old" } } do
      local version, word = table.unpack(back)
      w:moult "hotfix undo clock"
      w:wait_log("device", "undo clock " .. version)
      w:wait("what was below", function() return w:read("device.log"):sub(-40):find("clock " .. word .. "\n") end)
    end
    assert.equal(1, starts())
  end)

  it("leads the script after a restart of the device, and is dropped by a release", function()
    device(PLAIN)
    w:install(fix(2, {}))
    w:stop "device"
    w:write("device.log", "")
    w:run()
    w:wait_log("device", "clock new")
    w:pack { sequence = 9, version = "1.2.0", body = PLAIN, files = { ["clock.lua"] = says "release" },
      name = "next.upd" }
    assert.equal(4, (w:moult "install -q next.upd"))
    w:wait_status { phase = "idle", release = "1.2.0" }
    w:wait_log("device", "clock release")
    assert.falsy(w:read("device.log"):match "clock release.*clock new")
    w:stop "device"
    w:run()
    assert.same({ "clock 2 dropped" }, w:ledger())
    assert.matches("it is for script", w:install(fix(10, {}), 15))
  end)

  it("is refused for another release, without an agent, and below a sequence that passed", function()
    device(PLAIN)
    assert.matches("it is for script 2.0, this device has 1.0.0", w:install(fix(2, { base = "2.0" }), 15))
    w:install(fix(5, {}))
    assert.matches("sequence 4 is not above 5", w:install(fix(4, {}), 15))
    assert.matches("is applied already", w:install("fix5.upd", 3))
    w:stop "device"
    assert.matches("while the device runs", w:install(fix(6, {}), 2))
    assert.same({ "clock 5 fresh" }, w:ledger())
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same({ "clock 5 undone" }, w:ledger())
  end)

  it("is not undone from below, unless all above go, too", function()
    device(PLAIN)
    w:install(fix(2, {}))
    w:install(fix(3, { name = "other", word = "other" }))
    local code, _, err = w:moult "hotfix undo clock"
    assert.same({ 5, true }, { code, err:find("other lies on it", 1, true) ~= nil })
    assert.equal(0, (w:moult "hotfix undo clock --all-above"))
    assert.same({ "clock 2 undone", "other 3 undone" }, w:ledger())
  end)

  it("that was cut during its test is tried once more, then given up", function()
    device(PLAIN)
    local package = fix(2, { test = "return function() while true do end end" })
    local function wait_for(state)
      w:wait(state, function() return w:ledger()[1] == "clock 2 " .. state end)
    end
    local function cut()
      wait_for "testing"
      w:stop("device", "KILL")
      w:stop("install", "KILL")
      w:shell "rm -f state/control; : >device.log"
      w:run()
    end
    w:start("install", "install -q " .. package)
    cut()
    w:wait_log("device", "hotfix clock 2: in force, and on test") -- once more, by itself
    cut()
    wait_for "quarantined"
    w:write("device.log", "")
    w:wait_log("device", "clock old")
  end)
end)
