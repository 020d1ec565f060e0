--- examples/uboot/boot.cmd in a real U-Boot, see scripts/board: uboot.lua DIRECTORY u-boot.bin
--
-- The board is qemu's `virt` with a disk: environment, boot script, two slots.
-- The places marked `board:` are adapted as on any board; the environment is
-- saved by writing it to the disk, since this build of U-Boot keeps it in flash
-- that its emulator does not take. A kernel is a script that says what it was
-- told and then works (powers off), crashes (resets) or is none (returns).
-- What libubootenv's tools write U-Boot reads, and the other way round.

local DIR, UBOOT = ...
local ENV_AT, ENV_SIZE = 0x200000, 0x20000 -- bytes of the disk
local PART = { { at = 4, size = 4 }, { at = 8, size = 4 }, { at = 12, size = 4 } } -- MiB

local function run(command)
  local pipe = assert(io.popen(("cd '%s' && { %s; } 2>&1"):format(DIR, command)))
  local output = pipe:read "a"
  if not pipe:close() then error(("%s: %s"):format(command, output), 2) end
  return output
end

local function write(name, text)
  local file = assert(io.open(DIR .. "/" .. name, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function image(source, target)
  run(("mkimage -A arm64 -T script -C none -n moult -d %s %s"):format(source, target))
end

-- An ext4 of what is in a directory, at its place on the disk.
local function put_part(number, directory)
  local p = PART[number]
  run(("rm -f part && mke2fs -q -t ext4 -d %s part %dM && dd if=part of=disk bs=1M seek=%d conv=notrunc status=none")
    :format(directory, p.size, p.at))
end

local function read_script()
  local file = assert(io.open "examples/uboot/boot.cmd")
  local text = file:read "a"
  file:close()
  local changes
  local function adapt(from, to)
    text, changes = text:gsub(from, to)
    assert(changes > 0, "boot.cmd no longer holds " .. from)
  end
  adapt("load mmc 0:", "load virtio 0:")
  adapt("booti %${kernel_addr_r} %- %${fdt_addr_r}", "source ${kernel_addr_r}")
  adapt("if saveenv; then", "if run board_save; then")
  return ([[
setenv fdt_addr_r 0x44000000
setenv board_save 'env export -c -s 0x%x 0x45000000 && virtio write 0x45000000 0x%x 0x%x && echo board: saved'
virtio read 0x45000000 0x%x 0x%x
env import -c 0x45000000 0x%x BOOT_ORDER BOOT_a_LEFT BOOT_b_LEFT
]]):format(ENV_SIZE, ENV_AT // 512, ENV_SIZE // 512, ENV_AT // 512, ENV_SIZE // 512, ENV_SIZE) .. text
end

local ENDS = { works = "poweroff", crashes = "reset", returns = "true" }

local function make_disk()
  local entries = {}
  for i, p in ipairs(PART) do
    local bootable = i == 1 and 0x80 or 0
    entries[i] = string.pack("<I4I4I4I4", bootable, 0x83, p.at * 2048, p.size * 2048)
  end
  write("disk", ("\0"):rep(446) .. table.concat(entries) .. ("\0"):rep(16) .. "\x55\xaa"
    .. ("\0"):rep((16 << 20) - 512))
  write("env.config", ("%s/disk 0x%x 0x%x\n"):format(DIR, ENV_AT, ENV_SIZE))
  write("boot.cmd", read_script())
  run "mkdir -p boot"
  image("boot.cmd", "boot/boot.scr")
  put_part(1, "boot")
end

local function put_slot(slot, how)
  run "rm -rf slot && mkdir -p slot/boot && echo tree > slot/boot/board.dtb"
  if how ~= "missing" then
    write("kernel.cmd", ('echo "kernel %s: ${bootargs}"\n%s\n'):format(slot, ENDS[how]))
    image("kernel.cmd", "slot/boot/Image")
  end
  put_part(slot == "a" and 2 or 3, "slot")
end

-- The variables as libubootenv's tool writes and reads them.
local function set_variables(values)
  local lines = { "board=virt" } -- an environment of nothing would be none
  for name, value in pairs(values) do lines[#lines + 1] = name .. "=" .. value end
  run(("dd if=/dev/zero of=disk bs=64k seek=%d count=%d conv=notrunc status=none"):format(ENV_AT >> 16, ENV_SIZE >> 16))
  write("variables", table.concat(lines, "\n") .. "\n")
  run "fw_setenv -c env.config -f variables -s variables"
end

local function get_variable(name)
  return (run(("fw_printenv -c env.config -n %s || true"):format(name)):match "^([%d ab]*)\n$") or ""
end

-- From power-on until a kernel works: the slots whose kernels were started, and
-- whether anything was saved.
local function power_on()
  local started, saved = {}, false
  for _ = 1, 6 do
    local console = run(([[timeout 120 qemu-system-aarch64 -M virt -cpu cortex-a57 -m 256 -nographic -no-reboot \
      -nic none -bios %s -drive if=none,id=disk,format=raw,file=disk -device virtio-blk-pci,drive=disk </dev/null |
      tr -d '\r' || true]]):format(UBOOT))
    for slot, told in console:gmatch "kernel (%a): [^\n]*moult%.slot=(%a)" do
      assert(slot == told, console)
      started[#started + 1] = slot
    end
    saved = saved or console:find("board: saved", 1, true) ~= nil
    assert(console:find("moult: starting slot", 1, true), console)
    if console:find("poweroff ...", 1, true) then return table.concat(started), saved end
  end
  error "no kernel works"
end

local function trial(left) return { BOOT_ORDER = "b a", BOOT_b_LEFT = left } end

-- What the slots hold, what the environment says; what is started, and what it says then.
local WAYS = {
  { "nothing is set: slot a, and nothing is saved", "works", "works", {}, "a", false, "" },
  { "a slot on trial is counted, then started", "works", "works", trial "3", "b", true, "2" },
  { "a new core that crashes is left after its tries", "works", "crashes", trial "3", "bbba", true, "0" },
  { "one that cannot be loaded is left at once", "works", "missing", trial "3", "a", true, "2" },
  { "and so is one that returns", "works", "returns", trial "1", "ba", true, "0" },
  { "a confirmed slot is not counted", "works", "works", { BOOT_ORDER = "b a" }, "b", false, "" },
  { "what was rolled back is not started", "works", "works", { BOOT_ORDER = "a", BOOT_b_LEFT = "0" }, "a", false, "0" },
}

make_disk()
for i, way in ipairs(WAYS) do
  local name, a, b, variables, starts, saves, left = table.unpack(way)
  put_slot("a", a)
  put_slot("b", b)
  set_variables(variables)
  local started, saved = power_on()
  local got = get_variable "BOOT_b_LEFT"
  if started ~= starts or saved ~= saves or got ~= left then
    print(("board: uboot: %s: started %s, saved %s, BOOT_b_LEFT %s"):format(name, started, saved, got))
    os.exit(1)
  end
  io.stderr:write(("board: uboot %d of %d: %s\n"):format(i, #WAYS, name))
end
print(("board: uboot: %d ways of the boot script in a real U-Boot, 0 wrong"):format(#WAYS))
