--- The program on flash that a real kernel drives: nandsim, mtdram, UBI. Runs
-- inside the emulated board, see scripts/board; the argument is where the
-- kernel's modules are.
--
-- On each medium: provision, then releases that go to one slot after the other,
-- each installed under kills at random and confirmed by its script. What lies
-- on the flash is then read by mtd-utils, which skips bad blocks as U-Boot does.
-- Before, a script's update.native.flash writes an image beside the slots.

local digest = require "update.native.digest"
local flash = require "update.native.flash"
local loop = require "update.native.loop"
local world = require "spec.support.world"

local MODULES = ...
local RELEASES, KILLS = 6, 8
local IMAGE = 2 * 1024 * 1024 + 5000 -- bytes; ends within an erase block
local CHIP = 1024 * 1024 + 700 -- of the image beside the slots

local CONFIRM = [[
sys.taskInit(function()
  while not update.confirm() do sys.wait(500) end
  print("confirmed " .. VERSION)
end)
]]

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "a"
  local ok = pipe:close()
  if not ok then error(("%s: %s"):format(command, output), 2) end
  return output
end

local function load_module(name, options)
  run(("modprobe -d %s %s %s"):format(MODULES, name, options or ""))
end

local function temporary() return run "mktemp":match "%S+" end

-- The number of the MTD with that name.
local function mtd(name)
  return assert(run("cat /proc/mtd"):match('mtd(%d+): %x+ %x+ "' .. name .. '"'), name)
end

local function bad_blocks()
  local sum = 0
  for count in run("cat /sys/class/mtd/mtd?/bad_blocks"):gmatch "%d+" do sum = sum + tonumber(count) end
  return sum
end

-- 64 MiB in blocks of 128 KiB: two slots of 5 MiB, 30 MiB for UBI, and the rest. Blocks 3, 44, 45 and 321 are
-- bad from the factory; 10 and 323 can be erased once, and 50 twice.
local function load_nand()
  load_module("nandsim", "first_id_byte=0x20 second_id_byte=0xa2 third_id_byte=0x00 fourth_id_byte=0x15 "
    .. "parts=40,40,240 badblocks=3,44,45,321 weakblocks=10:1,50:2,323:1")
end

local media = {}

function media.nand()
  local a, b = mtd "NAND simulator partition 0", mtd "NAND simulator partition 1"
  return { a = "/dev/mtd" .. a, b = "/dev/mtd" .. b, chip = "/dev/mtd" .. mtd "NAND simulator partition 3" },
    function(path, size) return ("nanddump -q --bb=skipbad -l %d %s | head -c %d"):format(size, path, size) end
end

function media.nor()
  load_module("mtdram", "total_size=14336 erase_size=64")
  local whole = "/dev/mtd" .. mtd "mtdram test device"
  for i, name in ipairs { "nor_a", "nor_b", "nor_chip" } do
    run(("mtdpart add %s %s %d %d"):format(whole, name, (i - 1) * (6 << 20), i < 3 and 6 << 20 or 2 << 20))
  end
  return { a = "/dev/mtd" .. mtd "nor_a", b = "/dev/mtd" .. mtd "nor_b", chip = "/dev/mtd" .. mtd "nor_chip" },
    function(path, size) return ("head -c %d %s"):format(size, path) end
end

function media.ubi()
  load_module "ubi"
  run(("ubiattach -m %s"):format(mtd "NAND simulator partition 2"))
  run("ubimkvol /dev/ubi0 -N slot-a -s 5MiB && ubimkvol /dev/ubi0 -N slot-b -s 5MiB "
    .. "&& ubimkvol /dev/ubi0 -N chip -s 2MiB")
  return { a = "/dev/ubi0_0", b = "/dev/ubi0_1", chip = "/dev/ubi0_2" },
    function(path, size) return ("head -c %d %s"):format(size, path) end
end

-- Installs release n, killed some times in the `whole` seconds that it takes, when
-- that is known. @return how many kills hit, and how long the last one took
local function install(w, n, whole)
  local package, hit = w:pack { sequence = n, version = "1.0." .. n, body = CONFIRM, core = world.core(n, IMAGE) }, 0
  for _ = 1, whole and KILLS or 0 do
    w:start("install", ("install %s -q"):format(package))
    w:sleep(math.random() * whole)
    if w:alive "install" then hit = hit + 1 end
    w:stop("install", "KILL")
    if w:status().phase == "armed" then return hit, whole end
    assert(w:status().release == "1.0." .. n - 1)
  end
  local started = loop.now()
  local code, _, err = w:moult("install", package, "-q")
  assert(code == 4, err)
  return hit, loop.now() - started
end

-- What works in parts is called until it is done.
local function whole_of(step, f)
  local value, message, code
  repeat value, message, code = step(f) until code ~= "again"
  return assert(value, message)
end

local function refused(wanted, path, apart)
  local _, message, code = flash.open(path, 10, { apart = apart })
  assert(code == wanted, ("%s: %s (%s)"):format(path, message, code))
end

-- The slots cannot be written, by another node neither; the medium beside them can, as often as one likes.
local function check_chip(medium, slots, reader)
  local apart, got = { slots.a, slots.b }, temporary()
  for _, path in ipairs(apart) do
    local alias = temporary()
    run(("rm %s && mknod %s c $(stat -c '0x%%t 0x%%T' %s)"):format(alias, alias, path))
    refused("usage", path, apart)
    refused("usage", alias, apart)
  end
  if medium == "ubi" then refused("busy", "/dev/mtd" .. mtd "NAND simulator partition 2") end
  for n = 1, 3 do
    local image = world.core(n, CHIP).image
    local f <close> = assert(flash.open(slots.chip, #image, { apart = apart }))
    if n > 1 then whole_of(f.erase, f) end
    for at = 1, #image, 5000 do assert(f:write(at - 1, image:sub(at, at + 4999))) end
    assert(f:sync())
    assert(whole_of(f.digest, f) == digest.sha256(image))
    run(("%s > %s"):format(reader(slots.chip, #image), got))
    assert(digest.file(got) == digest.sha256(image))
  end
  local f <close> = assert(flash.open(slots.chip, nil, { read_only = true }))
  print(("board: %s: a chip written 3 times, %d bad blocks passed over, the slots refused"):format(medium,
    f:geometry().bad))
end

local function check(medium)
  local slots, reader = media[medium]()
  check_chip(medium, slots, reader)
  local w = world.new()
  w:configure(('core = { slots = { a = %q, b = %q }, boot = "file" },'):format(slots.a, slots.b),
    { heartbeat = 60, confirm_after = 1, deadline = 900 })
  local first = w:pack { sequence = 1, version = "1.0.1", body = CONFIRM, core = world.core(1, IMAGE) }
  local code, _, err = w:moult("provision", first, "-q")
  assert(code == 0, err)
  local whole, kills, bad = nil, 0, bad_blocks()
  for n = 1, RELEASES do
    if n > 1 then
      local hit, seconds = install(w, n, whole)
      kills, whole = kills + hit, whole or seconds
      w:start("device", "run")
      w:wait("release " .. n, function()
        local status = w:status()
        return status and status.phase == "idle" and status.release == "1.0." .. n
      end, 240)
      w:stop "device"
    end
    local slot = slots[w:status().core.running]
    w:write("want", world.core(n, IMAGE).image)
    run(("%s > %s && cmp %s %s"):format(reader(slot, IMAGE), w:path "got", w:path "want", w:path "got"))
  end
  local _, doctor = w:moult "doctor"
  print(doctor)
  w:close()
  print(("board: %s: %d releases, %d kills of their installs, %d blocks went bad, every slot reads as signed"):format(
    medium, RELEASES, kills, bad_blocks() - bad))
end

print() -- the firmware leaves its line open
load_nand()
local ok, message = xpcall(function()
  for _, medium in ipairs { "nor", "ubi", "nand" } do check(medium) end
end, debug.traceback)
print(ok and "board: flash done, kernel " .. run("uname -r"):gsub("\n", "") or "board FAILED: " .. message)
