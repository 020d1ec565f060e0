-- Updates of files on a root that fills up, and whose targets become mounts, with a real kernel.

local files_world = require "spec.support.files_world"
local world = require "spec.support.world"

describe("an update of files", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  after_each(function()
    if not w then return end
    w:stop("device", "KILL")
    w:end_programs()
    w:shell "umount -l app/etc/conf app/data/below app/etc inner 2>/dev/null; umount -l app 2>/dev/null"
    w:close()
    w = nil
  end)

  -- The root on a file system of its own; nil where this user may not mount.
  local function new(o)
    w = files_world.new()
    if not w:shell "mkdir app && mount -t tmpfs -o size=400k,nr_inodes=200 tmpfs app 2>/dev/null" then return nil end
    w:factory(o)
    return w
  end

  local function arm(o)
    w:install(w:release(o), 4)
  end

  local function release(sequence, more)
    local o = more or {}
    o.sequence, o.version, o.body = sequence, "1.0." .. sequence - 1, world.TICK
    return o
  end

  local function assert_tree(tree)
    w:wait_tidy()
    assert.equal(tree, w:tree())
  end

  -- The root has neither room nor inodes left.
  local function fill()
    w:shell [[dd if=/dev/zero of=app/full bs=1k 2>/dev/null
      for i in $(seq 300); do : >app/f$i || break; done 2>/dev/null]]
  end

  -- What the device says at last, once it is idle.
  local function last(code)
    w:wait_last(code, 30)
    w:wait_status { phase = "idle", release = "1.0.0" }
    return w:status().last.message
  end

  local function then_updates(sequence)
    arm(release(sequence))
    w:wait_log("device", "on trial\n.*working 1.0." .. sequence - 1)
    w:moult "confirm"
    w:wait_status({ phase = "idle", release = "1.0." .. sequence - 1 }, 30)
    assert_tree "new"
  end

  it("is refused where it has no room, and leaves nothing", function()
    if not new() then return pending("no mounts here") end
    w:shell "dd if=/dev/zero of=app/full bs=1k 2>/dev/null"
    local code, _, err = w:moult("install -q", w:release(release(2)))
    assert.equal(16, code)
    assert.matches("root %S+/app", err)
    assert_tree "old"
    w:shell "rm app/full"
    w:run()
    then_updates(3)
  end)

  it("goes on, or back, when its root is full before the switch", function()
    if not new() then return pending("no mounts here") end
    arm(release(2))
    fill()
    w:run()
    w:wait("an end", function()
      local status = w:status()
      return status and status.phase == "idle"
    end, 40)
    assert_tree(w:status().release == "1.0.1" and "new" or "old")
    w:shell "rm -f app/full app/f*"
    if w:status().release == "1.0.0" then then_updates(3) end
  end)

  it("is undone on a full root", function()
    if not new { fields = "confirm = 'script'" } then return pending("no mounts here") end
    w:run()
    arm(release(2))
    w:wait_log("device", "on trial\n.*working 1.0.1")
    fill()
    assert.equal(0, (w:moult "rollback"))
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert_tree "old"
    w:shell "rm -f app/full app/f*"
    then_updates(3)
  end)

  -- The file system of the root is made anew, and holds what the factory put there.
  local function make_anew()
    assert(w:shell "mkdir kept && cp -a app/. kept && rm -rf kept/.moult-* kept/*/.moult-* && umount -l app")
    assert(w:shell "mount -t tmpfs -o size=400k,nr_inodes=200 tmpfs app && cp -a kept/. app && rm -r kept")
  end

  it("does not keep the next one away when its root is made anew", function()
    if not new() then return pending("no mounts here") end
    arm(release(2))
    make_anew()
    w:run()
    assert.matches("app is not there: mount it", last "missing")
    local code, out = w:moult "doctor"
    assert.equal(11, code)
    assert.matches("\nfail  files +root %S+/app is not there: .-settle %-%-accept`", out)
    assert.equal("old", w:tree())
    then_updates(3)
  end)

  it("is given up by the owner when its root is made anew", function()
    if not new() then return pending("no mounts here") end
    arm(release(2))
    make_anew()
    local code, _, err = w:moult "settle"
    assert.equal(17, code)
    assert.matches("app is not there: mount it, or, if it was made anew, order `moult settle %-%-accept`", err)
    local out
    code, out = w:moult "settle --accept"
    assert.equal(0, code)
    assert.equal("files: taken as they are\n", out)
    assert.equal(0, (w:moult "settle"))
    w:run()
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert_tree "old"
    then_updates(3)
  end)

  it("stops before a target that became a mount", function()
    if not new() then return pending("no mounts here") end
    arm(release(2))
    w:shell "cp app/etc/conf other && mount --bind other app/etc/conf"
    w:run()
    assert.matches("etc/conf: is a mount", last "incompatible")
    w:shell "umount app/etc/conf"
    assert_tree "old"
    then_updates(3)
  end)

  it("is mixed while a mount keeps it from going back, and old when that is gone", function()
    if not new { fields = "confirm = 'script'" } then return pending("no mounts here") end
    w:run()
    arm(release(2))
    w:wait_log("device", "on trial\n.*working 1.0.1")
    w:shell "cp app/etc/conf other && mount --bind other app/etc/conf"
    w:moult "rollback"
    w:wait("the path", function() return tostring(w:status().mixed):find("app/etc/conf", 1, true) end, 30)
    local code, _, err = w:moult("install -q", w:release(release(3)))
    assert.equal(15, code, err) -- it names all paths, and cannot go there either
    assert.matches("etc/conf: is a mount", err, 1, true)
    w:wait("the path", function() return tostring(w:status().mixed):find("app/etc/conf", 1, true) end, 30)
    w:stop("device", "KILL")
    code = w:moult "settle"
    assert.equal(17, code)
    w:shell "umount app/etc/conf"
    assert.equal(0, (w:moult "settle"))
    assert.equal("old", w:tree())
    w:run()
    w:wait_status({ phase = "idle", release = "1.0.0" }, 30)
    assert_tree "old"
    then_updates(4)
  end)

  it("does not take away a directory below which there is a mount", function()
    if not new() then return pending("no mounts here") end
    w:run()
    then_updates(2)
    w:stop "device"
    arm(release(3, { tree = "old" })) -- deletes data
    w:shell "mkdir app/data/below && mount -t tmpfs tmpfs app/data/below"
    w:run()
    w:wait_last("incompatible", 30)
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.matches("app/data", w:status().last.message)
    w:shell "umount app/data/below && rmdir app/data/below"
    assert_tree "new"
  end)

  it("waits for a partition below its root, as for the root", function()
    w = files_world.new()
    w:shell "mkdir -p app/etc inner && mount -t tmpfs tmpfs app && mkdir app/etc"
    if not w:shell "mount -t tmpfs tmpfs inner && mount --bind inner app/etc 2>/dev/null" then
      return pending("no mounts here")
    end
    w:factory { fields = "confirm = 'script'" }
    w:run()
    arm(release(2))
    w:wait_log("device", "on trial\n.*working 1.0.1")
    w:stop("device", "KILL")
    for _ = 1, 4 do -- in as many boots, it would have gone back
      w:shell "umount app/etc"
      local code, _, err = w:moult "settle"
      assert.equal(17, code)
      assert.matches("app/etc is not there: mount it", err, 1, true)
      w:shell "mount --bind inner app/etc"
    end
    assert.equal(0, (w:moult "settle"))
    assert.equal("new", w:tree())
    w:run()
    w:wait_log("device", "on trial\n.*on trial\n.*working 1.0.1")
    assert.equal(0, (w:moult "rollback"))
    w:wait_status { phase = "idle", release = "1.0.0" }
    assert_tree "old"
    assert.equal("", w:traces())
    then_updates(3)
  end)
end)
