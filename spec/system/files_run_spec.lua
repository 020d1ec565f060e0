-- Updates of files with real processes under a real root: what runs is stopped, the
-- new one is started, and wherever the program is killed the tree is old or new.

local files_world = require "spec.support.files_world"
local world = require "spec.support.world"

describe("an update of files", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = files_world.new() end)
  after_each(function()
    w:shell "chattr -i app/etc 2>/dev/null"
    w:stop("device", "KILL")
    w:end_programs()
    w:close()
  end)

  local function install(name)
    w:install(name, 4)
  end

  local function assert_runs(tree) return w:assert_runs(tree) end

  it("stops the old program and starts the new one, twice in a row", function()
    w:factory()
    w:boot_program()
    local before = w:runs("bin/meter")[1]
    w:run()
    install(w:release { sequence = 2, version = "1.0.1", body = world.TICK })
    w:wait_status { phase = "idle", release = "1.0.1" }
    local after = assert_runs "new"
    assert.not_equal(before, after)
    local folder = io.popen(("readlink /proc/%d/cwd"):format(after))
    assert.equal(w.dir .. "/app/etc\n", folder:read "a") -- where the old one was
    folder:close()
    install(w:release { sequence = 3, version = "1.0.2", body = world.TICK, tree = "old" })
    w:wait_status { phase = "idle", release = "1.0.2" }
    assert.not_equal(after, assert_runs "old")
    local _, history = w:moult "history"
    for _, changes in ipairs { "2 replaced (bin/meter, etc/conf), 2 added (data, data/table), 1 deleted (etc/gone)",
      "2 replaced (bin/meter, etc/conf), 1 added (etc/gone), 1 deleted (data)" } do
      assert.matches("files: " .. changes .. "\n", history, 1, true)
    end
    assert.matches("^confirmed; files: 2 replaced", w:status().last.message)
  end)

  it("puts the old program back when the release is bad", function()
    w:factory()
    w:boot_program()
    w:run()
    install(w:release { sequence = 2, version = "1.0.1", body = 'error("boom")' })
    w:wait_last("rolledback", 40)
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert_runs "old"
    install(w:release { sequence = 3, version = "1.0.2", body = world.TICK })
    w:wait_status { phase = "idle", release = "1.0.2" }
    assert_runs "new"
  end)

  -- As a boot would: nothing runs that was started before.
  local function cut()
    w:stop("device", "KILL")
    w:end_programs()
  end

  local function settle()
    local code, out, err = w:moult "settle"
    assert.equal(0, code, err)
    assert.matches("^files: whole, [%w ]+\n$", out)
    return out
  end

  it("is settled wherever the program is killed, and goes on", function()
    w:factory()
    local package = w:release { sequence = 2, version = "1.0.1", body = world.TICK }
    w:run()
    for pause = 0, 12 do
      w:start("install", "install -q " .. package, "install.log")
      w:sleep(pause * 0.15)
      cut()
      w:stop("install", "KILL")
      settle()
      assert.is_truthy(({ old = true, new = true })[w:tree()], w:tree())
      assert.equal(0, #w:runs "bin/meter")
      w:run()
      if w:status().release == "1.0.1" then break end
    end
    w:moult("install -q", package)
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    w:wait_tidy()
    cut()
    assert.equal("files: whole, nothing was to be done\n", settle())
    assert.equal("new", w:tree())
    assert.equal("", w:traces())
  end)

  -- The path that the status names, if it does.
  local function mixed()
    local path = w:status().mixed
    return type(path) == "string" and path or nil
  end

  it("that cannot be put back is mixed: nothing starts on it until it can be", function()
    w:factory()
    if not w:shell "chattr +i app/etc 2>/dev/null && chattr -i app/etc" then return pending("needs chattr") end
    w:boot_program()
    w:run()
    install(w:release { sequence = 2, version = "1.0.1",
      body = ('os.execute("chattr +i %s/app/etc") error("boom")'):format(w.dir) })
    w:wait_log("device", "the script does not start: the files are neither the old nor the new ones", 60)
    w:wait("the agent's word", mixed)
    assert.equal(w.dir .. "/app/etc/gone", mixed())
    w:stop("device", "TERM")
    w:end_programs()
    assert.equal(w.dir .. "/app/etc/gone", mixed())
    local _, text = w:moult "status"
    assert.matches("mixed +THE FILES ARE NEITHER THE OLD NOR THE NEW ONES, first at %S+/app/etc/gone; `moult run` or",
      text)
    assert.matches("fail +files +neither the old nor the new ones, first at %S+/app/etc/gone",
      (select(2, w:moult "doctor")))
    local code, _, err = w:moult "settle"
    assert.equal(17, code, err)
    assert.matches("app/etc", err, 1, true)
    w:run()
    w:wait("the agent's word", mixed)
    assert(w:shell "chattr -i app/etc")
    w:wait("the old tree", function() return not mixed() end, 90)
    w:wait_last "rolledback"
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert.is_nil(mixed())
    assert.equal("old", w:tree())
    w:wait("the script", function() return w:read("device.log"):match "on trial\n.*working 1%.0%.0" end)
    w:stop "device"
    assert.equal("files: whole, nothing was to be done\n", settle())
  end)

  it("goes on when its helper hangs, and kills a program that does not hear", function()
    w:factory()
    w:boot_program "trap '' TERM;"
    w:run()
    install(w:release { sequence = 2, version = "1.0.1", body = world.TICK })
    local helper = w:wait("the helper", function()
      local list = io.popen(("pgrep -P %d -f -- '--files on'"):format(w.running.device))
      local pid = list:read "n"
      list:close()
      -- Between two looks at the program: stopped in a call on the medium, it would count as waiting for that.
      local sleeps = pid and (w:read(("/proc/%d/wchan"):format(pid)) or ""):find "nanosleep"
      return sleeps and os.execute(("kill -STOP %d"):format(pid)) and pid
    end)
    assert.is_truthy(helper)
    w:wait_log("device", "files: the helper %(on%) gave no sign of life for 10 s", 60)
    w:wait_status({ phase = "idle", release = "1.0.1" }, 60)
    assert_runs "new"
  end)

  it("goes back by hand, too, with its programs", function()
    w:factory { numbers = { confirm_after = 60, deadline = 120 } }
    w:boot_program()
    w:run()
    install(w:release { sequence = 2, version = "1.0.1", body = world.TICK })
    w:wait_log("device", "on trial\n.*working 1%.0%.1")
    local new = w:runs("bin/meter")[1]
    w:stop("device", "KILL")
    assert.equal("new", w:tree())
    local code, _, err = w:moult "rollback"
    assert.equal(0, code, err)
    assert.not_equal(new, assert_runs "old")
  end)

  it("is named by the device, if nobody else did", function()
    w:factory()
    w:boot_program()
    w:run()
    local package = w:release { sequence = 2, unnamed = true }
    local code, out, err = w:moult("explain", package)
    assert.equal(0, code, err)
    assert.matches("^1%.0%.0%-F2 %(sequence 2: files 2;", out)
    for _, line in ipairs { "stop       %S+/app/bin/meter\n", "put        %S+/app/etc/conf: configuration, 4 bytes\n",
      "delete     %S+/app/etc/gone: configuration\n", "mkdir      %S+/app/data\n", "start      %S+/app/bin/meter\n" } do
      assert.matches("  files  " .. line, out)
    end
    install(package)
    w:wait_status { phase = "idle", release = "1.0.0-F2" }
    assert_runs "new"
    assert.equal(3, (w:moult("install -q", package)))
  end)

  it("needs no script", function()
    w:factory()
    w:boot_program()
    w:run()
    for i, tree in ipairs { "new", "old" } do
      install(w:release { sequence = i + 1, tree = tree })
      w:wait_status { phase = "idle", release = ("1.0.0-F%d"):format(i + 1) }
      assert_runs(tree)
    end
  end)

  it("leaves nothing to settle before the factory, and names of no plan until somebody orders it", function()
    w:configure()
    local code, _, err = w:moult "settle"
    assert.equal(2, code, err)
    w:factory()
    w:write("app/etc/.moult-0123456789abcdef-3.old", "old\n")
    assert.equal("files: whole, nothing was to be done\n", settle())
    assert.not_equal("", w:traces())
    code, _, err = w:moult "settle --clean"
    assert.equal(0, code, err)
    assert.matches("temporary names removed: 1", err, 1, true)
    assert.equal("", w:traces())
    assert.equal("old", w:tree())
  end)
end)
