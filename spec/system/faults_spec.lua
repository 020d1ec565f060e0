-- What goes wrong around a device, with the real program: a small file system
-- that fills up, one that is read-only, and a second process at every phase.

local world = require "spec.support.world"

describe("a device in trouble", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function()
    w:shell("umount small 2>/dev/null; true")
    w:close()
  end)

  -- A state directory in a tmpfs of that many KiB; false when this user may not mount.
  local function on_small_disk(kib)
    w:shell("mkdir -p small")
    return w:shell(("mount -t tmpfs -o size=%dk tmpfs small 2>/dev/null"):format(kib)) == true
  end

  local CONFIG = [[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },]]

  -- Provision with the state in small/; then the same configuration as always.
  local function provision_small()
    w:configure(CONFIG)
    w:shell("sed -i 's,state = \"state\",state = \"small/state\",' config.lua")
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17) }
    return w:moult "provision p1.upd -q"
  end

  it("says nospace on a full file system, keeps the old pair, and continues when there is room", function()
    if not on_small_disk(512) then return pending("needs root, to mount a tmpfs") end
    assert.equal(0, (provision_small()))
    w:pack { sequence = 2, version = "1.0.1", files = { ["big.txt"] = ("x"):rep(600 << 10) } }
    local code, _, err = w:moult "install p2.upd -q"
    assert.equal(16, code)
    assert.matches("gate space: .*/small/state has %d+ bytes free, the install takes %d+", err)
    assert.matches("%(nospace%)", err)
    assert.same({ "1.0.0", "idle" }, { w:status().release, w:status().phase })

    w:shell("mount -o remount,size=8192k small")
    assert.equal(4, (w:moult "install p2.upd -q"))
    assert.equal("armed", w:status().phase)
  end)

  it("fails with nospace, never worse, on every file system that is too small", function()
    if not on_small_disk(768) then return pending("needs root, to mount a tmpfs") end
    assert.equal(0, (provision_small()))
    w:pack { sequence = 2, version = "1.0.1", files = { ["big.txt"] = ("x"):rep(40 << 10) } }
    local refused, installed = 0, 0
    -- Something else fills the file system while the gate still sees room.
    for kib = 104, 304, 8 do
      w:shell(("head -c %d /dev/zero > small/ballast 2>/dev/null"):format(kib * 1024))
      local code, _, err = w:moult "install p2.upd -q"
      if code == 4 then
        installed = installed + 1
        assert.equal(0, (w:moult "rollback -q"))
      else
        refused = refused + 1
        assert.equal(16, code, err)
        assert.equal("1.0.0", w:status().release)
      end
    end
    assert.is_true(installed > 0)
    assert.is_true(refused > 0)
  end)

  it("refuses on a read-only state directory with a clear word", function()
    if not on_small_disk(2048) then return pending("needs root, to mount a tmpfs") end
    assert.equal(0, (provision_small()))
    w:pack { sequence = 2, version = "1.0.1" }
    w:shell("mount -o remount,ro small")
    local code, _, err = w:moult "install p2.upd -q"
    assert.equal(17, code)
    assert.matches("Read%-only file system", err)
    assert.matches("%(write%)", err)
    assert.equal("1.0.0", w:status().release)
    w:shell("mount -o remount,rw small")
    assert.equal(4, (w:moult "install p2.upd -q"))
  end)

  it("tells a second process at every phase, and lets the reading verbs through", function()
    w:device()
    w:run()
    local function check(phase)
      for verb, what in pairs { run = "moult run", ["provision p1.upd -q"] = "moult process" } do
        local code, _, err = w:moult(verb)
        assert.equal(5, code, ("%s in phase %s: %s"):format(verb, phase, err))
        assert.matches(("another %s is using it"):format(what), err)
      end
      assert.equal(0, (w:moult "status"))
      assert.equal(0, (w:moult "history"))
      assert.equal(0, (w:moult "doctor"))
    end
    check "idle"
    w:publish { body = "sys.taskInit(function() while true do sys.wait(1000) end end)" }
    w:wait_status({ phase = "trial" })
    check "trial"
    w:wait_status({ phase = "idle", release = "1.0.1" })
    check "idle"
    w:stop "device"
    local code, out, err = w:moult "status"
    assert.same({ 0, true }, { code, out:find("1.0.1", 1, true) ~= nil }, err)
  end)

  it("runs the application under a limit of the size of files, and says what that keeps from being written", function()
    w:device { body = world.TICK }
    w:pack { sequence = 2, version = "1.0.1" }
    w.under = [[sh -c 'ulimit -f 4; exec "$0" "$@"']]
    w:run()
    w:moult "install p2.upd -q"
    w:wait("trouble", function()
      local status = w:status()
      return status and type(status.trouble) == "table" and status.trouble.message:find "File too large"
    end)
    assert.matches("working 1.0.0", w:read "device.log")
    assert.equal("1.0.0", w:status().release)
  end)

  it("runs the application, and updates it, where nothing has filled /dev", function()
    if not w:shell "unshare -m true 2>/dev/null" then return pending("needs root, to make namespaces") end
    w:device { body = world.TICK }
    w:publish { body = world.TICK }
    w.under = [[unshare -m sh -c 'mount -t tmpfs none /dev && exec "$0" "$@"']]
    w:run()
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    assert.matches("working 1.0.1", w:read "device.log")
  end)

  it("says that a wiped state directory holds no device", function()
    w:device()
    w:shell("rm -rf state")
    for _, verb in ipairs { "status", "history", "confirm", "rollback", "install p1.upd", "run", "explain p1.upd" } do
      local code, _, err = w:moult(verb)
      assert.equal(2, code, verb .. ": " .. err)
      assert.matches("run moult provision", err)
    end
    assert.equal(0, (w:moult "provision p1.upd -q"))
  end)

  it("says statelost when both journal records are unreadable, and touches nothing", function()
    w:device()
    w:write("state/journal.0", "rubbish")
    w:write("state/journal.1", "rubbish")
    for _, verb in ipairs { "status", "install p1.upd -q", "confirm", "rollback", "provision p1.upd -q" } do
      local code, _, err = w:moult(verb)
      assert.equal(21, code, verb .. ": " .. err)
      assert.matches("%(statelost%)", err)
    end
    assert.matches("1%.0%.0", w:read "state/script/current/main.lua")
  end)
end)
