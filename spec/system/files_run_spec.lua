-- Updates of files with real processes under a real root: what runs is stopped, the
-- new one is started, and wherever the program is killed the tree is old or new.

local files_world = require "spec.support.files_world"
local world = require "spec.support.world"

describe("an update of files", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = files_world.new() end)
  after_each(function()
    w:stop("device", "KILL")
    w:end_programs()
    w:close()
  end)

  local function install(name)
    local code, _, err = w:moult("install -q", name)
    assert.equal(4, code, err)
  end

  local function assert_runs(tree)
    assert.equal(tree, w:tree())
    local pids = w:runs "bin/meter"
    assert.equal(1, #pids)
    assert.equal("", w:traces())
    return pids[1]
  end

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
end)
