-- Updates of files on an ext4 of their own, whose targets are in the way: at the install, between arming and the
-- switch, and on trial when the release goes back. Each twice, since the first leaves something behind, and then
-- an update that succeeds.

local files_world = require "spec.support.files_world"
local nothing = require("update.native.json").null

-- What is done to the root, and undone; what the install says of it.
local TROUBLES = {
  { name = "a target that cannot be changed", make = "chattr +i app/etc/conf", mend = "chattr -i app/etc/conf",
    says = "etc/conf" },
  { name = "a target that can be appended to only", make = "chattr +a app/etc/conf", mend = "chattr -a app/etc/conf",
    says = "etc/conf" },
  { name = "a directory that cannot be changed", make = "chattr +i app/etc", mend = "chattr -i app/etc",
    says = "app/etc" },
  { name = "a directory that can be added to only", make = "chattr +a app/etc", mend = "chattr -a app/etc",
    says = "app/etc" },
  { name = "a root that cannot be changed", make = "chattr +i app", mend = "chattr -i app", says = "app" },
  { name = "a read-only root", make = "mount -o remount,ro app", mend = "mount -o remount,rw app", says = "app" },
  { name = "no room", make = "dd if=/dev/zero of=app/full bs=1k 2>/dev/null; sync", mend = "rm -f app/full",
    says = "app" },
  { name = "no inodes", make = "i=0; while touch app/many$i 2>/dev/null; do i=$((i+1)); done",
    mend = "rm -f app/many*", says = "app" },
  { name = "a folder that a link took the place of", make = "mv app/etc app/moved && ln -s moved app/etc",
    mend = "rm app/etc && mv app/moved app/etc", says = "app/etc" },
  { name = "a folder that is gone", make = "mv app/etc app/moved", mend = "mv app/moved app/etc", says = "app/etc",
    leaves = true },
  { name = "a file where a directory is to be made", make = "mv app/data kept 2>/dev/null; touch app/data",
    mend = "rm app/data; mv kept app/data 2>/dev/null; true", mend_back = "rm -r kept", says = "app/data" },
  { name = "a directory where a file is to be put", make = "mv app/etc/conf kept && mkdir -p app/etc/conf/below",
    mend = "rm -r app/etc/conf && mv kept app/etc/conf", mend_back = "rm -r kept app/etc/.moult-*.foreign",
    says = "etc/conf" },
}

describe("an update of files, with", function()
  if not files_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w, mend

  -- Loop devices and mounts take a privilege that a container may not give.
  local function new()
    w = files_world.new()
    w:shell("mkdir app && truncate -s 8M fs.img && PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -N 128 -m 0 fs.img")
    if not w:shell "mount -o loop fs.img app 2>/dev/null && rmdir app/lost+found" then return nil end
    w:factory { alone = true, numbers = { confirm_after = 60 } }
    return w
  end

  after_each(function()
    if not w then return end
    w:stop("device", "KILL")
    w:end_programs()
    if mend then w:shell(mend .. " 2>/dev/null") end
    mend = nil
    w:shell "umount -l app 2>/dev/null"
    w:close()
    w = nil
  end)

  local function make(trouble)
    if not w:shell(trouble.make) then return false end
    mend = trouble.mend
    return true
  end

  local function unmake(trouble, how)
    assert(w:shell(how or trouble.mend))
    mend = nil
  end

  -- What lay in a folder that was elsewhere belongs to no plan any more.
  local function wait_end(trouble)
    w:wait_status({ phase = "idle", release = "F1" }, 60)
    if trouble.leaves then w:shell "rm -f app/etc/.moult-*" end
    w:wait_tidy()
    assert.equal("old", w:tree())
  end

  local function trials() return select(2, w:read("device.log"):gsub("runs without a script, on trial", "")) end

  local function then_updates(sequence)
    if not w:alive "device" then w:run() end
    w:install(w:release { sequence = sequence, unnamed = true }, 4)
    w:wait_status({ phase = "trial" }, 40)
    w:moult "confirm"
    w:wait_status({ phase = "idle", release = "F" .. sequence }, 40)
    w:wait_tidy()
    assert.equal("new", w:tree())
  end

  for _, trouble in ipairs(TROUBLES) do
    it(trouble.name .. ", is refused, and the next one is taken", function()
      if not new() then return pending("no loop mounts here") end
      w:run()
      for round = 2, 3 do
        local package = w:release { sequence = round, unnamed = true }
        if not make(trouble) then return pending "no such attributes here" end
        local code, _, err = w:moult("install -q", package)
        assert.not_equal(0, code)
        assert.not_equal(4, code)
        assert.matches(trouble.says, err, 1, true)
        unmake(trouble)
        w:wait_tidy() -- what was received may stay, and go on with the next offer
        assert.equal("old", w:tree())
      end
      then_updates(4)
    end)

    it(trouble.name .. " once it is armed, goes back or on", function()
      if not new() then return pending("no loop mounts here") end
      for round = 2, 3 do
        w:install(w:release { sequence = round, unnamed = true }, 4)
        if not make(trouble) then return pending "no such attributes here" end
        w:run()
        w:wait("the agent", function() return w:status() end)
        w:sleep(0.5)
        unmake(trouble)
        w:wait("an end", function()
          local status = w:status()
          if status and status.phase == "trial" then w:moult "rollback" end
          return status and status.phase == "idle"
        end, 60)
        wait_end(trouble)
        w:stop "device"
        w:end_programs()
      end
      then_updates(4)
    end)

    it(trouble.name .. " when it goes back, is old again once that is mended", function()
      if not new() then return pending("no loop mounts here") end
      w:run()
      for round = 2, 3 do
        w:install(w:release { sequence = round, unnamed = true }, 4)
        w:wait("the switch", function() return trials() == round - 1 end, 40)
        if not make(trouble) then return pending "no such attributes here" end
        w:moult "rollback"
        w:sleep(1)
        unmake(trouble, trouble.mend_back)
        w:wait("the way back", function()
          local status = w:status()
          return status and status.phase == "idle"
        end, 90)
        if w:status().mixed ~= nothing then -- it is tried again at the next start, or in five minutes
          w:stop("device", "KILL")
          assert.equal(0, (w:moult "settle"))
          w:run()
        end
        wait_end(trouble)
      end
      then_updates(4)
    end)
  end
end)
