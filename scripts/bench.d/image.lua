--- Images for the corpus: a kernel without its compression, a file system, a
-- program for a microcontroller.

local rig = require "rig"

local M = {}

local quote, run = rig.quote, rig.run

-- Compression formats of a boot image's payload, by their magic numbers.
local DECOMPRESS = {
  { "\x02\x21\x4c\x18", "lz4 -dqc" },
  { "\xfd7zXZ\0", "xz -dqc" },
  { "\x28\xb5\x2f\xfd", "zstd -dqc" },
  { "\x1f\x8b\x08", "gzip -dqc" },
}

--- The uncompressed kernel in an x86 boot image.
-- The kernel's boot protocol says where its payload lies: Documentation/arch/x86/boot.rst, setup_sects (0x1f1),
-- payload_offset (0x248) and payload_length (0x24c); the payload's last four bytes are its uncompressed size.
function M.vmlinux(path, out)
  local file <close> = assert(io.open(path, "rb"))
  local head = assert(file:read(0x260))
  assert(head:sub(0x203, 0x206) == "HdrS", path .. ": not an x86 boot image")
  local offset, length = string.unpack("<I4I4", head, 0x249)
  local from = (head:byte(0x1f2) + 1) * 512 + offset
  file:seek("set", from)
  local start = assert(file:read(8))
  for _, row in ipairs(DECOMPRESS) do
    if start:sub(1, #row[1]) == row[1] then
      run(("tail -c +%d %s | head -c %d | %s > %s"):format(from + 1, quote(path), length - 4, row[2], quote(out)))
      return
    end
  end
  error(path .. ": unknown compression of its payload")
end

local UUID = "6d6f756c-7420-6265-6e63-682064656c74"

--- A raw ext4 image of a tree, 216 MiB, without files that a device never reads.
function M.ext4(tree, out)
  run(([[cd %s && rm -rf boot usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian &&
    find . -exec touch -h -d @1700000000 {} +]]):format(quote(tree)))
  run(([[truncate -s 216M %s && E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -t ext4 -b 4096 -m 0 -O ^has_journal -U %s \
    -E hash_seed=%s,root_owner=0:0 -d %s %s]]):format(quote(out), UUID, UUID, quote(tree), quote(out)))
end

-- The source package of Lua, fetched with package lists of its own, because few machines have those of sources.
local function lua_source(packages, into)
  run(([[set -e; mkdir -p %s/source/lists/partial %s/source/archives/partial; cd %s/source
    if ! ls lua5.4_*.orig.tar.* > kept 2> /dev/null; then
      mirror=$(apt-cache policy | grep -o -E 'https?://[^ ]+/debian ' | head -n 1)
      echo "deb-src $mirror bookworm main" > sources.list
      set -- -qq -o Dir::Etc::SourceList=$PWD/sources.list -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists=$PWD/lists -o Dir::Cache=$PWD -o APT::Sandbox::User=
      apt-get "$@" update && apt-get "$@" source --download-only lua5.4
    fi
    tar -xf lua5.4_*.orig.tar.* -C %s --strip-components=1]]):format(quote(packages), quote(packages), quote(packages),
    quote(into)))
end

local FIRMWARE = [[
#include "lauxlib.h"
#include "lualib.h"

static const char program[] = "local sum = 0 for i = 1, 50 do sum = sum + #tostring(i) end return sum";

int main(void)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    if (luaL_dostring(L, program) != LUA_OK)
        return -1;
    return (int)lua_tointeger(L, -1);
}
]]

-- A small release: one more library function, two longer messages, a higher limit.
local CHANGES = {
  { "lstrlib.c", "static int str_reverse", [[
static int str_crc (lua_State *L) {
  size_t i, len;
  const char *s = luaL_checklstring(L, 1, &len);
  lua_Unsigned crc = 0xffffffffu;
  int bit;
  for (i = 0; i < len; i++)
    for (crc ^= (unsigned char)s[i], bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  lua_pushinteger(L, (lua_Integer)~crc);
  return 1;
}


static int str_reverse]] },
  { "lstrlib.c", '{"reverse", str_reverse},', '{"crc", str_crc},\n  {"reverse", str_reverse},' },
  { "lauxlib.c", '"not enough memory"', '"no memory is left for what was asked"' },
  { "ldblib.c", '"invalid option"', '"this option is not known"' },
  { "llimits.h", "#define LUAI_MAXCCALLS\t\t200", "#define LUAI_MAXCCALLS\t\t180" },
}

local function change(folder)
  for _, row in ipairs(CHANGES) do
    local path = folder .. "/" .. row[1]
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    local from, to = text:find(row[2], 1, true)
    assert(from, path .. ": what is to be changed is not there")
    rig.write(path, text:sub(1, from - 1) .. row[3] .. text:sub(to + 1))
  end
end

--- A bare-metal image for a Cortex-M4: Lua and newlib.
-- @tparam string packages where downloads are kept
-- @tparam string work empty directory
-- @tparam string out
-- @tparam string which "old", or "new" with a small change
-- @treturn string what it is
function M.bare_metal(packages, work, out, which)
  lua_source(packages, work)
  if which == "new" then change(work .. "/src") end
  rig.write(work .. "/firmware.c", FIRMWARE)
  run(([[cd %s && arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -Os -ffunction-sections -fdata-sections -DLUA_32BITS=1 \
    -Isrc firmware.c $(ls src/*.c | grep -v -E '/luac?[.]c$') -o firmware.elf --specs=nosys.specs -Wl,--gc-sections \
    -lm 2> gcc.log || { cat gcc.log; exit 1; }
    arm-none-eabi-objcopy -O binary -j .text -j .rodata -j .ARM.exidx -j .init -j .fini -j .data firmware.elf \
      %s]]):format(quote(work), quote(out)))
  local source = run(("cd %s/source && ls lua5.4_*.orig.tar.*"):format(quote(packages))):match("[^\n]+")
  return ("%s for a Cortex-M4%s"):format(source, which == "new" and " with a small change" or "")
end

return M
