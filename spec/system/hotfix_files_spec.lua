-- Hotfixes with files on a device that runs: a program in a tree of files, a script, and what they go through.

local files_world = require "spec.support.files_world"

describe("a hotfix with files", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = files_world.new()
    w:factory { fields = "hotfix_time = 12," }
  end)

  after_each(function()
    w:stop("device", "KILL") -- else it may start a program once more
    w:end_programs()
    w:close()
  end)

  local function fix(sequence, o)
    o.sequence = sequence
    return w:files_fix(o)
  end

  local function found()
    w:wait_tidy()
    return { w:read "app/bin/meter" == w:program "2" and "new" or "old", w:read "app/etc/conf",
      w:read "app/etc/gone" or "gone" }
  end

  local OLD, NEW = { "old", "old\n", "old\n" }, { "new", "new\n", "gone" }

  it("is switched, tested and applied while the device runs; then undone", function()
    w:boot_program()
    local before = w:runs "bin/meter"[1]
    w:run()
    w:install(fix(2, { test = ([[return function()
      return io.open "%s/app/etc/conf":read "l" == "new" end]]):format(w.dir) }))
    assert.same({ "clock 2 applied" }, w:ledger())
    assert.same(NEW, found())
    local after = w:runs "bin/meter"
    assert.equal(1, #after)
    assert.not_equal(before, after[1])
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same({ "clock 2 undone" }, w:ledger())
    assert.same(OLD, found())
    assert.equal(1, #w:runs "bin/meter")
  end)

  it("is put back when its test fails, and leaves the script alone", function()
    w:boot_program()
    w:run()
    assert.matches("test.lua exited with code 1",
      w:install(fix(2, { test = "return function() return false end" }), 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    assert.same(OLD, found())
    assert.equal(1, #w:runs "bin/meter")
    assert.falsy(w:read("device.log"):find("script stopped", 1, true))
  end)

  it("gives way to a higher version, and goes with it", function()
    w:run()
    w:install(fix(2, {}))
    w:install(fix(3, { files = { conf = "newer\n" }, ini = "conf\t%s/etc\t4\t4\n" }))
    assert.same({ "clock 2 dropped", "clock 3 applied" }, w:ledger())
    assert.same({ "old", "newer\n", "old\n" }, found())
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same(OLD, found())
  end)

  it("whose record of the old files is lost goes before what lies below it, and leaves its files", function()
    w:run()
    w:install(fix(2, { files = { conf = "2\n" }, ini = "conf\t%s/etc\t4\t4\n" }))
    w:install(fix(3, { name = "other", files = { conf = "3\n" }, ini = "conf\t%s/etc\t4\t4\n" }))
    local rows = w:status().hotfixes
    for _, harm in ipairs { "truncate -s 40 %s", "rm %s" } do
      w:shell(harm:format(("state/hotfix/%s/kept/plan"):format(rows[2].id)))
      local code, _, err = w:moult "hotfix undo clock"
      assert.equal(5, code)
      assert.matches("other lies on it", err, 1, true)
    end
    assert.equal(0, (w:moult "hotfix undo other"))
    assert.equal("3\n", w:read "app/etc/conf")
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same(OLD, found())
  end)

  it("is put back by the release that ends it, before its trial", function()
    w:run()
    w:install(fix(2, { lua = { ["clock.lua"] = "return 1" } }))
    assert.same({ "clock 2 fresh" }, w:ledger())
    assert.same(NEW, found())
    w:pack { sequence = 9, version = "1.2.0", body = ([[print("trial sees " .. io.open "%s/app/etc/conf":read "l")
      update.confirm()]]):format(w.dir) }
    w:install("p9.upd", 4)
    w:wait_status { phase = "idle", release = "1.2.0" }
    w:wait_log("device", "trial sees old")
    assert.same(OLD, found())
    w:stop "device"
    w:run()
    assert.same({ "clock 2 dropped" }, w:ledger())
    assert.same(OLD, found())
  end)

  it("is there again when that release goes back", function()
    w:run()
    w:install(fix(2, {}))
    w:pack { sequence = 9, version = "1.2.0", body = [[os.exit(3)]] }
    w:install("p9.upd", 4)
    w:wait_last("rolledback", 60)
    w:wait("the files of the hotfix", function() return w:read "app/etc/conf" == "new\n" end, 30)
    assert.same(NEW, found())
    assert.same({ "clock 2 applied" }, w:ledger())
  end)

  it("is refused where the configuration has no roots, and for a name outside of them", function()
    w:run()
    assert.matches("lies below none of the roots", w:install(fix(2, { files = { conf = "x" },
      ini = "conf\t/etc\t4\t4\n" }), 15))
    assert.same(OLD, found())
    w:stop "device"
    w:configure "hotfix_time = 12,"
    w:run()
    assert.matches("has no files.roots", w:install(fix(3, {}), 15))
  end)

  it("is put back by `moult settle` after a kill in its test", function()
    w:run()
    w:start("install", "install -q " .. fix(2, { test = "return function() while true do end end" }))
    w:wait("the test", function() return w:ledger()[1] == "clock 2 testing" and w:read "app/etc/conf" == "new\n" end)
    w:stop("device", "KILL")
    w:stop("install", "KILL")
    local code, _, err = w:moult "settle"
    assert.equal(0, code, err)
    assert.same(OLD, found())
  end)
end)
