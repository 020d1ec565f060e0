-- Hotfixes with files on a device without a script, by real processes.

local files_world = require "spec.support.files_world"

describe("a hotfix on a device without a script", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = files_world.new()
    w:factory { alone = true, fields = "hotfix_time = 12," }
    w:boot_program()
    w:run()
  end)

  after_each(function()
    w:stop("device", "KILL") -- else it may start a program once more
    w:end_programs()
    w:close()
  end)

  local function install(o, expected)
    o.base_part, o.base = "files", ">=1"
    return w:install(w:files_fix(o), expected)
  end

  local function assert_has(text, version)
    assert.equal(text, w:read "app/etc/conf")
    assert.is_true(w:read "app/bin/meter" == w:program(version))
    assert.equal(1, #w:runs "bin/meter")
    w:wait_tidy()
  end

  it("is tested, applied, kept over a start, and undone", function()
    install { sequence = 2, test = ([[return function()
      return io.open "%s/app/etc/conf":read "l" == "new" end]]):format(w.dir) }
    assert.same({ "clock 2 applied" }, w:ledger())
    assert_has("new\n", "2")
    w:stop "device"
    w:run()
    assert.same({ "clock 2 applied" }, w:ledger())
    assert.equal(0, (w:moult "hotfix undo clock"))
    assert.same({ "clock 2 undone" }, w:ledger())
    assert_has("old\n", "1")
  end)

  it("is put back when its test fails", function()
    assert.matches("test.lua exited with code 1", install({ sequence = 2, test = "return function() end" }, 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    assert_has("old\n", "1")
  end)

  it("is put back when a program that it started ends", function()
    assert.matches("the program %S+/app/bin/meter has ended",
      install({ sequence = 2, files = { meter = w:program "bad" }, ini = "meter\t%s/bin\t28\t2\n" }, 18))
    assert.same({ "clock 2 quarantined" }, w:ledger())
    assert_has("old\n", "1")
  end)

  it("is refused with modules, and without files, with the reason", function()
    assert.matches("it has modules, and the configuration says that this device has no script",
      install({ sequence = 2, lua = { ["clock.lua"] = "return 1" } }, 15))
    assert.matches("gate hotfix: it has no files, and the configuration says that this device has no script",
      w:install(w:pack_fix { sequence = 3, base_part = "files", base = "1", lua = { ["clock.lua"] = "return 1" } }, 15))
    assert.same({}, w:ledger())
    assert_has("old\n", "1")
  end)

  it("ends with a release that changes the same files", function()
    install { sequence = 2 }
    w:install(w:release { sequence = 9, unnamed = true }, 4)
    w:wait_status { phase = "idle", release = "F9" }
    w:stop "device"
    w:run()
    assert.same({ "clock 2 dropped" }, w:ledger())
    assert.equal("new", w:tree())
    w:wait_tidy()
  end)
end)
