--- The program of a device on an emulated machine, see scripts/board:
-- machine.lua ARCHITECTURE WORD..., the words of a qemu that lacks disk and network.
--
-- The machine starts with release 1.0.1 on its disk and asks this one's depot.
-- It is updated; falls back from a release whose script fails, which takes two
-- restarts of the kernel; and is updated again. What it says on its console
-- tells when the next release is to be there. Its clock follows its instructions
-- (-icount), so that a slow host looks like no slow device. At last its history and the slot
-- that runs, read from the disk, are as they are to be.

local world = require "spec.support.world"

local ARCH = ...
local QEMU = table.concat({ select(2, ...) }, " ")
local IMAGE = 300 * 1024 -- bytes of a core

local WORKS = [[
sys.taskInit(function()
  while not update.confirm() do sys.wait(500) end
  print("machine: runs " .. VERSION)
end)
]]
local FAILS = 'error("machine: fails " .. VERSION)'
local RELEASES = { WORKS, WORKS, FAILS, WORKS }

local function core(n) return world.core(n, IMAGE) end

local function make_disk(w)
  w:configure(([[
  core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
  cloud = { kind = "luat", url = "http://10.0.2.2:%s/api/site/firmware_upgrade", period = 5 },
  restart = { "/bin/busybox", "reboot", "-f" },]]):format(w.url:match ":(%d+)$"),
    { heartbeat = 120, confirm_after = 1, deadline = 1200 })
  assert(w:shell(([[mkdir disk.d && cp -r config.lua keys p1.upd disk.d && echo 1.0.%d >disk.d/last &&
    head -c 1M /dev/zero | tee disk.d/slot-a.img >disk.d/slot-b.img &&
    /sbin/mke2fs -q -t ext4 -d disk.d disk 48M]]):format(#RELEASES)))
end

-- What follows on what the machine says: the releases that it is then offered.
local function script_of(w, packages)
  local left = { { "machine: runs 1.0.2", 3 }, { "machine: fails 1.0.3" }, { "sequence 3 failed its trial", 4 },
    { "machine: runs 1.0.4" } }
  local function offer(n)
    assert(w:shell(("cp %s depot/.new && mv depot/.new depot/p%d.upd"):format(packages[n], n)))
  end
  offer(2)
  return function(line)
    if not left[1] or not line:find(left[1][1], 1, true) then return end
    io.stderr:write(("board: %s: %s\n"):format(ARCH, left[1][1]))
    if left[1][2] then offer(left[1][2]) end
    table.remove(left, 1)
  end
end

local function run(w, hear)
  local boots, history, kernel = 0, nil, nil
  local pipe = assert(io.popen(([[timeout 1500 %s -icount shift=3 -m 384 -nographic \
    -drive if=none,id=disk,format=raw,file=%s -device virtio-blk-pci,drive=disk \
    -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= </dev/null 2>&1]]):format(
    QEMU, w:path "disk")))
  for line in pipe:lines() do
    line = line:gsub("\r", "")
    if os.getenv "MOULT_BOARD_CONSOLE" then io.stderr:write(line, "\n") end
    if line:find("machine: starts", 1, true) then boots = boots + 1 end
    if line:find("machine: history", 1, true) then history = {} end
    if history then history[#history + 1] = line end
    kernel = line:match "machine: kernel (.*)" or kernel
    hear(line)
  end
  pipe:close()
  return table.concat(history or {}, "\n"), kernel, boots
end

local function check(w, history)
  for _, event in ipairs { "confirmed .*1.0.2", "rolledback .*1.0.3", "confirmed .*1.0.4" } do
    assert(history:find(event), event .. " is not in its history:\n" .. history)
  end
  for _, slot in ipairs { "a", "b" } do
    w:shell(("/sbin/debugfs -R 'dump slot-%s.img got-%s' disk 2>/dev/null"):format(slot, slot))
  end
  local want = core(#RELEASES).image
  assert(w:read "got-a":sub(1, IMAGE) == want or w:read "got-b":sub(1, IMAGE) == want, "no slot holds the last core")
end

local w = world.new()
local ok, message = xpcall(function()
  local packages = {}
  for n, body in ipairs(RELEASES) do
    packages[n] = w:pack { sequence = n, version = "1.0." .. n, body = body, core = core(n) }
  end
  w:serve()
  make_disk(w)
  local history, kernel, boots = run(w, script_of(w, packages))
  check(w, history)
  return ("%d starts of kernel %s"):format(boots, kernel)
end, debug.traceback)
w:close()
print(ok and ("board: %s: provisioned, updated, fell back, updated; %s"):format(ARCH, message)
  or ("board: %s FAILED: %s"):format(ARCH, message))
os.exit(ok)
