local compressed = require "cli.compressed"

local path

local function with(text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return compressed.find(path)
end

-- A flattened tree: tokens, then names.
local function tree(...)
  local body = {}
  for _, token in ipairs { ... } do
    if token.node then
      body[#body + 1] = string.pack(">I4z!4Xi4", 1, token.node)
    elseif token.value then
      body[#body + 1] = string.pack(">!4I4I4I4", 3, #token.value, token.name) .. token.value
        .. ("\0"):rep(-#token.value % 4)
    else
      body[#body + 1] = string.pack(">I4", token.word)
    end
  end
  local text = table.concat(body)
  return string.pack(">I4I4I4I4", 0xd00dfeed, 56 + #text + 24, 56, 56 + #text) .. ("\0"):rep(40) .. text
    .. "data\0compression\0description\0"
end

local function squashfs(codec, flags)
  return "hsqs" .. ("\0"):rep(16) .. string.pack("<I2I2I2", codec, 17, flags) .. ("\0"):rep(100)
end

local function x86(payload)
  local text = ("\0"):rep(0x1f1) .. "\1" .. ("\0"):rep(0x10) .. "HdrS" .. ("\0"):rep(0x42)
    .. string.pack("<I4I4", 8, 99)
  return text .. ("\0"):rep(1024 - #text + 8) .. payload
end

describe("cli.compressed", function()
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local found = {
    { "gzip", "\x1f\x8b\x08\0rest", "compressed with gzip" },
    { "xz", "\xfd7zXZ\0rest", "compressed with xz" },
    { "zstd", "\x28\xb5\x2f\xfdrest", "compressed with zstd" },
    { "an LZ4 kernel", "\x02\x21\x4c\x18rest", "compressed with LZ4" },
    { "squashfs", squashfs(6, 0xc0), "squashfs, compressed with zstd" },
    { "squashfs of a codec to come", squashfs(9, 0xc0), "squashfs, compressed with a codec of its own" },
    { "erofs", ("\0"):rep(1024) .. "\xe2\xe1\xf5\xe0" .. ("\0"):rep(76) .. "\1\0\0\0", "erofs, compressed" },
    { "an x86 kernel", x86("\xfd7zXZ\0"), "an x86 kernel, compressed with xz" },
    { "an ARM zImage", ("\0"):rep(36) .. "\x18\x28\x6f\x01" .. ("\0"):rep(64), "an ARM zImage" },
    { "EFI's zboot", "MZ\0\0zimg" .. ("\0"):rep(16) .. "gzip" .. ("\0"):rep(64), "a kernel, compressed with gzip" },
    { "a U-Boot image", "\x27\x05\x19\x56" .. ("\0"):rep(27) .. "\3" .. ("\0"):rep(64),
      "a U-Boot image, compressed with lzma" },
    { "a FIT image", tree({ node = "" }, { name = 17, value = "a kernel\0" }, { node = "kernel-1" },
      { name = 5, value = "lz4\0" }, { word = 2 }, { word = 2 }, { word = 9 }), "a FIT image, compressed with lz4" },
  }
  for _, case in ipairs(found) do
    it("finds " .. case[1], function()
      assert.truthy((with(case[2]) or ""):find(case[3], 1, true), with(case[2]))
      for length = 0, #case[2] - 1 do with(case[2]:sub(1, length)) end -- nothing cut short raises
    end)
  end

  local not_found = {
    { "nothing at all", "" },
    { "zeros", ("\0"):rep(4096) },
    { "an ELF file", "\x7fELF" .. ("\0"):rep(4096) },
    { "squashfs whose data are not compressed", squashfs(1, 0x02) },
    { "erofs without compression", ("\0"):rep(1024) .. "\xe2\xe1\xf5\xe0" .. ("\0"):rep(80) },
    { "an x86 kernel with a bare payload", x86("\x7fELF") },
    { "a U-Boot image of a bare kernel", "\x27\x05\x19\x56" .. ("\0"):rep(64) },
    { "a FIT image of a bare kernel", tree({ node = "" }, { node = "kernel-1" }, { name = 5, value = "none\0" },
      { name = 0, value = "compression\0" }, { word = 2 }, { word = 2 }, { word = 9 }) },
    { "a FIT image that never ends", "\xd0\x0d\xfe\xed" .. ("\0"):rep(4) .. "\0\0\0\x28\0\0\0\x28" .. ("\0"):rep(24)
      .. ("\0\0\0\4"):rep(20000) },
  }
  for _, case in ipairs(not_found) do
    it("leaves " .. case[1] .. " alone", function() assert.is_nil(with(case[2])) end)
  end

  it("recognises the formats that common tools make", function()
    local sample = path .. ".sample"
    os.execute(("head -c 300000 /dev/zero > %s"):format(sample))
    local known = 0
    for _, row in ipairs {
      { "gzip", "gzip -c %s > %s", "gzip" }, { "xz", "xz -c %s > %s", "xz" }, { "zstd", "zstd -qfc %s > %s", "zstd" },
      { "mkimage", "mkimage -A arm -T kernel -C gzip -d %s %s >/dev/null", "U-Boot image, compressed with gzip" },
      { "mksquashfs", "mksquashfs %s %s -comp xz -noappend -quiet >/dev/null", "squashfs, compressed with xz" },
      { "mksquashfs", "mksquashfs %s %s -noI -noD -noF -noX -noappend -quiet >/dev/null", nil },
    } do
      if os.execute(("command -v %s >/dev/null"):format(row[1])) then
        known = known + 1
        assert.is_true(os.execute((row[2]):format(sample, path)))
        assert.matches(row[3] or "^nil$", tostring(compressed.find(path)))
      end
    end
    os.remove(sample)
    assert.is_true(known >= 1)
  end)

  it("gives advice", function()
    with("\x1f\x8b\x08rest")
    assert.matches("hardly be smaller than the full package; store it uncompressed", compressed.warning(path))
    with("plain")
    assert.is_nil(compressed.warning(path))
    assert.is_nil(compressed.warning(path .. ".absent"))
  end)
end)
