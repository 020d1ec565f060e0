-- A device without a script: files and cores alone, by real processes.

local files_world = require "spec.support.files_world"
local nothing = require("update.native.json").null

describe("a device without a script", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = files_world.new() end)
  after_each(function()
    w:stop("device", "KILL")
    w:end_programs()
    w:close()
  end)

  -- The first release is the old tree, put in place by the factory.
  local function factory(o)
    o = o or {}
    o.alone = true
    w:factory(o)
  end

  local function install(o)
    w:install(w:release(o), 4)
  end

  local function assert_runs(tree) return w:assert_runs(tree) end

  it("is provisioned with files, and shows no script", function()
    factory()
    local status = w:status()
    assert.equal("F1", status.release)
    assert.equal(nothing, status.script)
    assert.equal("1", status.files.version)
    local code, out = w:moult "doctor"
    assert.matches("\nok +script +none: ", out)
    assert.not_equal(2, code)
  end)

  it("confirms while the program lives, twice in a row", function()
    factory()
    w:boot_program()
    w:run()
    for sequence = 2, 3 do
      local tree = sequence == 2 and "new" or "old"
      local before = w:runs("bin/meter")[1]
      install { sequence = sequence, unnamed = true, tree = tree }
      w:wait_status { phase = "idle", release = "F" .. sequence }
      assert.not_equal(before, assert_runs(tree))
    end
  end)

  it("rolls back when a program ends, and takes the next release", function()
    factory { numbers = { confirm_after = 5 } }
    w:boot_program()
    w:run()
    install { sequence = 2, unnamed = true, program = "bad" }
    w:wait_last("rolledback", 20)
    w:wait_status { phase = "idle", release = "F1" }
    assert.matches("the program %S+/app/bin/meter has ended", w:status().last.message)
    assert_runs "old"
    local code, _, err = w:moult("install -q", w:path "p2.upd")
    assert.equal(15, code, err) -- in quarantine
    install { sequence = 3, unnamed = true }
    w:wait_status { phase = "idle", release = "F3" }
    assert_runs "new"
  end)

  it("confirms at once by a call, and goes back by one", function()
    factory { numbers = { confirm_after = 60 } }
    w:boot_program()
    w:run()
    install { sequence = 2, unnamed = true }
    w:wait_status { phase = "trial" }
    local code, _, err = w:moult "confirm"
    assert.equal(0, code, err)
    w:wait_status { phase = "idle", release = "F2" }
    install { sequence = 3, unnamed = true, tree = "old" }
    w:wait_status { phase = "trial" }
    code, _, err = w:moult "rollback"
    assert.equal(0, code, err)
    w:wait_status { phase = "idle", release = "F2" }
    assert_runs "new"
  end)

  -- Those on trial, as the log tells.
  local function starts()
    return select(2, w:read("device.log"):gsub("runs without a script, on trial", ""))
  end

  it("counts each start of moult run on trial, and goes back after three", function()
    factory { numbers = { confirm_after = 60 } }
    w:boot_program()
    w:run()
    install { sequence = 2, unnamed = true }
    for start = 1, 3 do
      w:wait("start " .. start, function() return starts() == start end)
      assert.equal("new", w:tree())
      w:stop("device", "KILL")
      w:run()
    end
    w:wait_last("rolledback", 20)
    w:wait_status { phase = "idle", release = "F1" }
    assert_runs "old"
  end)

  it("refuses a package with a script, and says why", function()
    factory()
    local package = w:release { sequence = 2, version = "1.0.1" }
    local code, _, err = w:moult("install -q", package)
    assert.equal(15, code)
    assert.matches("gate script: the package has a script, and the configuration says that this device has none", err)
    local out
    code, out = w:moult("explain", package)
    assert.equal(15, code)
    assert.matches("STOP +gate script ", out)
  end)

  it("is settled in the boot after a cut", function()
    factory { numbers = { confirm_after = 60 } }
    w:boot_program()
    w:run()
    install { sequence = 2, unnamed = true }
    w:wait_status { phase = "trial" }
    w:wait_log("device", "on trial")
    w:stop("device", "KILL")
    w:end_programs()
    local code, out = w:moult "settle"
    assert.equal(0, code)
    assert.matches("^files: whole", out)
    assert.equal("new", w:tree())
    w:boot_program()
    w:run()
    w:wait("the second start", function() return starts() == 2 end)
    assert.equal(0, (w:moult "confirm"))
    w:wait_status { phase = "idle", release = "F2" }
    assert_runs "new"
  end)
end)
