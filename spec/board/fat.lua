--- Files below a root on FAT, which a real kernel's driver keeps. Runs inside the emulated board, see
-- scripts/board; the argument is where the kernel's modules are.
--
-- Again and again an update of files is cut: all processes are stopped, what the driver had written by
-- then becomes the medium, and dosfstools check it, as a board does when it starts. `moult settle` then
-- has to find the old files or the new ones, whole, and the device goes on.

local world = require "spec.support.world"

local MODULES = ...
local RELEASES, CUTS = 5, 2 -- and cuts of each of them
local SIZE = 300000 -- bytes of the larger file

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "a"
  local ok, _, code = pipe:close()
  return output, ok and 0 or code
end

local function must(command)
  local output, code = run(command)
  if code ~= 0 then error(("%s: %s"):format(command, output), 2) end
  return output
end

local w, boots = nil, 0

-- The kernel's own id stays: this is another boot for the program.
local function new_boot()
  boots = boots + 1
  w:write("boot_id", ("%08d-0000-4000-8000-000000000000\n"):format(boots))
  if boots > 1 then must "umount /proc/sys/kernel/random/boot_id" end
  must(("mount --bind %s/boot_id /proc/sys/kernel/random/boot_id"):format(w.dir))
end

local function mount()
  must(("losetup /dev/loop0 %s/fat.img && mount -t vfat /dev/loop0 %s/fat"):format(w.dir, w.dir))
end

local function umount() must(("umount %s/fat && losetup -d /dev/loop0"):format(w.dir)) end

local function children(pid)
  local list = {}
  for child in run(("cat /proc/%d/task/%d/children"):format(pid, pid)):gmatch "%d+" do list[#list + 1] = child end
  return list
end

-- Everybody stands still while the medium is copied, and is gone afterwards.
local function cut()
  local pids = w:alive "device" and children(w.running.device) or {}
  table.insert(pids, 1, tostring(w.running.device))
  for _ = 1, 2 do -- a helper may have been started meanwhile
    for _, pid in ipairs(pids) do run("kill -STOP " .. pid) end
  end
  must(("cp %s/fat.img %s/cut.img"):format(w.dir, w.dir))
  for _, pid in ipairs(pids) do run("kill -KILL " .. pid) end
  w:stop("device", "KILL")
  w:sleep(0.5)
  umount()
  must(("mv %s/cut.img %s/fat.img"):format(w.dir, w.dir))
  local report, code = run(("fsck.vfat -a -w %s/fat.img"):format(w.dir))
  assert(code <= 1, report)
  new_boot()
  mount()
  return code
end

local function large(n) return ("%d "):format(n):rep(SIZE // 2) end

-- Of which release the files are; nil and what they are otherwise.
local function tree()
  local found, text = {}, w:read "fat/etc/conf" or ""
  local n = tonumber(text:match "^(%d+)\n$")
  found[1] = ("conf %q"):format(text:sub(1, 20))
  found[2] = n and w:read "fat/large" == large(n) and "" or "large differs"
  found[3] = n and (w:read "fat/extra" ~= nil) == (n % 2 == 0) and "" or "extra differs"
  if n and found[2] == "" and found[3] == "" then return n end
  return nil, table.concat(found, ", ")
end

local function pack(n)
  w:shell "rm -rf update && mkdir update"
  w:write("update/conf", n .. "\n")
  w:write("update/large", large(n))
  if n % 2 == 0 then w:write("update/extra", "extra\n") end
  local lines = ("conf\t%s/fat/etc\t4\t4\nlarge\t%s/fat\t4\t4\nextra\t%s/fat\t%d\t4\n"):format(w.dir, w.dir, w.dir,
    n % 2 == 0 and 1 or 2)
  w:write("update/update.ini", lines)
  return w:pack { sequence = n, version = "1.0." .. n, body = world.TICK,
    manifest = ('files = { dir = "../update", version = "%d", encoding = "raw" },'):format(n) }
end

local function settle()
  local code, out, err = w:moult "settle"
  local n, otherwise = tree()
  assert(code == 0 and n, ("settle exits %d: %s%s: the files are %s"):format(code, out, err, n or otherwise))
  return n
end

local function is_confirmed(n)
  local status = w:status()
  return status and status.phase == "idle" and status.release == "1.0." .. n
end

-- Release n after some cuts. Three starts on trial are all that it gets, so it may go back.
-- @return how many cuts there were, after how many the check mended something, and which release is there then
local function update(n, last)
  local package, cuts, mended = pack(n), 0, 0
  for _ = 1, CUTS do
    w:start("device", "run")
    w:sleep(3)
    w:start("install", "install -q " .. package, "install.log")
    w:sleep(math.random() * 12)
    mended = mended + cut()
    w:stop("install", "KILL")
    cuts = cuts + 1
    local there = settle()
    assert(there == n or there == last, there)
    if is_confirmed(n) then break end
  end
  w:start("device", "run")
  w:wait("the agent", function() return w:status() end, 60)
  w:moult("install -q", package)
  w:wait("the end of release " .. n, function()
    local status = w:status()
    return status and status.phase == "idle"
  end, 240)
  local has = is_confirmed(n) and n or last
  w:stop "device"
  assert(settle() == has)
  assert(run(("find %s/fat -name '.moult-*'"):format(w.dir)) == "")
  return cuts, mended, has
end

local function check()
  for _, name in ipairs { "loop", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8", "vfat" } do
    must(("modprobe -d %s %s"):format(MODULES, name))
  end
  w = world.new()
  new_boot()
  must(("mkdir %s/fat && truncate -s 16M %s/fat.img && mkfs.vfat %s/fat.img"):format(w.dir, w.dir, w.dir))
  mount()
  w:shell "mkdir fat/etc"
  w:write("fat/etc/conf", "1\n")
  w:write("fat/large", large(1))
  w:configure(('files = { roots = { { path = "%s/fat", weak = true } } },'):format(w.dir),
    { heartbeat = 60, confirm_after = 2, deadline = 900 })
  w:pack { sequence = 1, version = "1.0.1", body = world.TICK }
  local code, _, err = w:moult "provision p1.upd -q"
  assert(code == 0, err)
  local cuts, mended, last, taken = 0, 0, 1, 0
  for n = 2, RELEASES do
    local more, again, has = update(n, last)
    cuts, mended, taken, last = cuts + more, mended + again, taken + (has == n and 1 or 0), has
  end
  umount()
  w:close()
  print(("board: fat: %d updates and %d taken, %d cuts, %d of them mended by the check: old or new files")
    :format(RELEASES - 1, taken, cuts, mended))
end

print() -- the firmware leaves its line open
local ok, message = xpcall(check, debug.traceback)
print(ok and "board: fat done, kernel " .. must("uname -r"):gsub("\n", "") or "board FAILED: " .. message)
