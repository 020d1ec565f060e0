-- A state on a file system that fails, for real: an ext4 on a loop device that
-- becomes read-only, is full, or holds what cannot be removed. The script runs
-- all the same, it is said, and updates go on when they can.

local world = require "spec.support.world"

local TICK = world.TICK

-- Loop devices and mounts take a privilege that a container may not give.
local function mount(w, percent)
  assert(w:shell("mkdir state && truncate -s 8M fs.img && PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -N 256 -m "
    .. (percent or 0) .. " fs.img"))
  return w:shell("mount -o loop fs.img state 2>/dev/null")
end

local function count(text, pattern) return #world.lines(text, pattern) end

describe("with a state", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  local function new(percent)
    w = world.new()
    if not mount(w, percent) then return nil end
    w:configure("", { heartbeat = 10 })
    w:pack { version = "1.0.0", sequence = 1, body = TICK }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
    return w
  end

  local function trouble()
    local found = w:status().trouble
    return type(found) == "table" and found or nil
  end

  local function remount(how) assert(w:shell("mount -o remount," .. how .. " state")) end

  local function updates(sequence, version)
    w:pack { version = version, sequence = sequence, body = TICK }
    w:wait("an install", function() return w:moult(("install p%d.upd -q"):format(sequence)) == 4 end, 60)
    w:wait_status({ phase = "idle", release = version }, 30)
  end

  after_each(function()
    if not w then return end
    for name in pairs(w.running) do w:stop(name, "KILL") end
    w:shell("chattr -R -i state >/dev/null 2>&1; umount state 2>/dev/null")
    w:close()
    w = nil
  end)

  it("that is read-only from the start, runs the script and heals when it can be written", function()
    if not new() then return pending("no loop mounts here") end
    remount "ro"
    w:start("device", "run")
    w:wait_log("device", "WITHOUT UPDATES: %S+/state/journal%.0: Read%-only file system %(write%)")
    w:wait_log("device", "working 1.0.0")
    w:wait_log("device", "control: socket .- the agent keeps working")
    local status = w:status()
    assert.same({ "1.0.0", "write", false }, { status.release, status.trouble.code, status.trouble.updates })
    assert.matches("updates +DO NOT WORK: %S+ Read%-only file system", select(2, w:moult "status"))
    local code, out = w:moult "doctor"
    assert.equal(17, code)
    assert.matches("fail +updates +%S+ write: Read%-only file system", out)
    remount "rw"
    w:wait_log("device", "updates work again", 30)
    updates(2, "1.0.1")
    assert.is_nil(trouble())
    assert.equal(1, count(w:read "device.log", "WITHOUT UPDATES"))
  end)

  it("that becomes read-only on trial: the confirmed release runs, and the trial continues later", function()
    if not new() then return pending("no loop mounts here") end
    w:configure('confirm = "script",', { heartbeat = 10 })
    w:run()
    w:pack { version = "1.0.1", sequence = 2, body = TICK }
    w:moult "install p2.upd -q"
    w:wait_log("device", "working 1.0.1")
    remount "ro"
    w:shell("kill -KILL " .. w:read("device.log"):match("started %(process (%d+)%), on trial"))
    w:wait_log("device", "working 1.0.1.*WITHOUT UPDATES.*working 1.0.0")
    assert.equal(20, (w:moult "confirm"))
    remount "rw"
    w:wait_log("device", "updates work again.*on trial.*working 1.0.1", 30)
    w:wait("the confirmation", function() return w:moult "confirm" == 0 end)
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("with leftovers that cannot be removed, updates all the same, twice", function()
    if not new() then return pending("no loop mounts here") end
    for _, where in ipairs { "script/9", "tx" } do
      assert(w:shell(("mkdir -p state/%s && touch state/%s/junk"):format(where, where)))
      if not w:shell(("chattr +i state/%s/junk 2>/dev/null"):format(where)) then return pending("no chattr +i here") end
    end
    w:run()
    w:wait_log("device", "not in the way of updates: %S+/junk: remove: ")
    assert.is_true(trouble().updates)
    assert(w:shell("chattr +i state/script/1/main.lua"))
    updates(2, "1.0.1")
    updates(3, "1.0.2")
    assert.equal(0, count(w:read "device.log", "WITHOUT UPDATES"))
    w:stop "device"
    w:run()
    w:wait_log("device", "working 1.0.2")
    w:shell("chattr -R -i state 2>/dev/null")
    w:wait("the end of the leftovers", function() return not w:shell("test -e state/tx -o -e state/script/9") end, 60)
    w:wait("their silence", function() return not trouble() end)
  end)

  it("whose last blocks are kept for root, updates with these", function()
    if not new(8) then return pending("no loop mounts here") end
    w:run()
    w:shell "head -c 400000 /dev/zero >state/room && sync"
    w:shell "cat /dev/zero >state/big 2>/dev/null; sync; rm state/room; sync"
    assert(w:shell "test $(stat -f -c %a state) = 0 && test $(stat -f -c %f state) -gt 0")
    updates(2, "1.0.1")
  end)

  it("without a free block or inode, runs the script, and updates when there is room", function()
    if not new() then return pending("no loop mounts here") end
    w:shell "i=0; while touch state/many$i 2>/dev/null; do i=$((i+1)); done"
    w:shell "dd if=/dev/zero of=state/big bs=4096 2>/dev/null"
    w:shell "rm state/lock && touch state/fill"
    w:start("device", "run")
    w:wait_log("device", "WITHOUT UPDATES: %S+/state/lock: No space left on device")
    w:wait_log("device", "working 1.0.0")
    local code, out = w:moult "doctor"
    assert.equal(16, code)
    assert.matches("fail +updates +%S+ .-No space left on device", out)
    w:shell("rm -rf state/big state/many* state/fill")
    w:wait_log("device", "updates work again", 30)
    updates(2, "1.0.1")
  end)
end)
