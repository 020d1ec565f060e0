-- Files that take effect with a restart of the device: nobody stops and starts their programs, so
-- `moult settle` puts them in place before these are started.

local files_world = require "spec.support.files_world"
local has_host, host = pcall(require, "update.native.host")
local world = require "spec.support.world"

local BOOT = "unshare -m sh -c 'mount --bind boot_id /proc/sys/kernel/random/boot_id && exec \"$@\"' boot"

describe("files that need a restart of the device", function()
  if not has_host then return pending("needs the host: build/moult /usr/bin/busted") end
  if not os.execute "unshare -m true 2>/dev/null" then return pending("needs a mount name space of its own") end

  local w

  before_each(function() w = files_world.new() end)
  after_each(function()
    w:stop("device", "KILL")
    w:close()
  end)

  -- From now on what is started sees another boot of the kernel.
  local function restart(n)
    w:write("boot_id", ("%08d-0000-4000-8000-000000000000\n"):format(n))
    w.under = BOOT
  end

  local function settle()
    local _, _, code = w:shell(("MOULT_CONFIG=config.lua %s %s settle >out.txt 2>err.txt"):format(
      w.under or "", host.program))
    return code == 0 and w:read "out.txt" or w:read "err.txt"
  end

  local function arm(o)
    w:factory { fields = 'restart = "exit",' }
    w:run()
    o.sequence, o.version, o.restart = 2, "1.0.1", true
    w:install(w:release(o), 4)
    w:wait("the exit", function() return not w:alive "device" end)
    assert.matches("restarting the device: new files wait for it\n", w:read "device.log", 1, true)
    assert.equal("old", w:tree())
  end

  it("are switched by settle in the next boot, and confirmed", function()
    arm { body = world.TICK }
    assert.equal("files: whole, an update waits to be tried\n", settle())
    w:start("device", "run") -- by whoever starts it again, but not the device
    w:wait("the exit", function() return not w:alive "device" end)
    assert.equal("old", w:tree())
    restart(1)
    assert.equal("files: whole, those of the release on trial\n", settle())
    assert.equal("new", w:tree())
    w:run()
    w:wait_status { phase = "idle", release = "1.0.1" }
    w:wait_tidy()
    w:stop "device"
    assert.equal("files: whole, nothing was to be done\n", settle())
    assert.same({ "new", "" }, { w:tree(), w:traces() })
  end)

  it("are put back by settle when three boots came to nothing", function()
    arm { body = world.TICK }
    for n = 1, 3 do
      restart(n)
      assert.equal("files: whole, those of the release on trial\n", settle())
    end
    restart(4)
    assert.equal("files: whole, those of the old release\n", settle())
    assert.same({ "old", "" }, { w:tree(), w:traces() })
    w:run()
    assert.same({ "idle", "1.0.0", "rolledback" },
      (function(s) return { s.phase, s.release, s.last.code } end)(w:status()))
  end)

  it("are put back when the release is bad", function()
    arm { body = 'error("boom")' }
    restart(1)
    w:run()
    w:wait_last("rolledback", 40)
    w:wait_status { phase = "idle", release = "1.0.0" }
    w:wait_tidy()
    assert.equal("old", w:tree())
  end)
end)
