--- Whether an image is compressed inside, so that a delta of it hardly helps.
--
-- Looks at the magic numbers of documented formats: squashfs, cramfs and erofs,
-- gzip, bzip2, xz, lzma, lzop, LZ4 and zstd, self-extracting x86 and ARM
-- kernels, EFI's zboot, and U-Boot's legacy and FIT images. An unknown format
-- counts as not compressed.
--
-- @module cli.compressed

local M = {}

--- How to get small deltas of such an image.
M.ADVICE = "store it uncompressed (mksquashfs -noI -noD -noF -noX, a plain kernel Image); the package compresses it"

local STREAMS = {
  { "\x1f\x8b\x08", "gzip" },
  { "BZh", "bzip2" },
  { "\xfd7zXZ\0", "xz" },
  { "\x5d\0\0", "lzma" },
  { "\x89LZO\0\r\n\x1a\n", "lzop" },
  { "\x04\x22\x4d\x18", "LZ4" },
  { "\x02\x21\x4c\x18", "LZ4" },
  { "\x28\xb5\x2f\xfd", "zstd" },
}

local function stream(text)
  for _, row in ipairs(STREAMS) do
    if text:sub(1, #row[1]) == row[1] then return row[2] end
  end
end

-- Bytes of the file, fewer at its end.
local function bytes(file, offset, count)
  return file:seek("set", offset) and file:read(count) or ""
end

local SQUASHFS = { "gzip", "lzma", "lzo", "xz", "lz4", "zstd" }
local SQUASHFS_DATA_UNCOMPRESSED = 0x0002

local function squashfs(head)
  if head:sub(1, 4) ~= "hsqs" or #head < 28 then return nil end
  local id, _, flags = string.unpack("<I2I2I2", head, 21)
  if flags & SQUASHFS_DATA_UNCOMPRESSED ~= 0 then return nil end
  return "squashfs, compressed with " .. (SQUASHFS[id] or "a codec of its own")
end

local function other_filesystem(head)
  if head:sub(1, 4) == "\x45\x3d\xcd\x28" then return "cramfs, which is compressed" end
  if head:sub(1025, 1028) == "\xe2\xe1\xf5\xe0" and #head >= 1108 and string.unpack("<I4", head, 1105) & 1 ~= 0 then
    return "erofs, compressed"
  end
end

-- Kernels with a compressed payload, by the boot protocols of x86 and ARM and by EFI's zboot.
local function kernel(file, head)
  if head:sub(0x203, 0x206) == "HdrS" and #head >= 0x250 then
    local setup, offset = head:byte(0x1f2), string.unpack("<I4", head, 0x249)
    local codec = stream(bytes(file, ((setup == 0 and 4 or setup) + 1) * 512 + offset, 16))
    return codec and "an x86 kernel, compressed with " .. codec
  elseif head:sub(5, 8) == "zimg" then
    return "a kernel, compressed with " .. (head:sub(25, 56):match("^%w+") or "a codec of its own")
  elseif head:sub(0x25, 0x28) == "\x18\x28\x6f\x01" then
    return "an ARM zImage, which is compressed"
  end
end

local LEGACY = { "gzip", "bzip2", "lzma", "lzo", "lz4", "zstd" }

local function legacy(head)
  local codec = head:sub(1, 4) == "\x27\x05\x19\x56" and LEGACY[head:byte(32) or 0]
  return codec and "a U-Boot image, compressed with " .. codec or nil
end

-- The first property `compression` of a flattened image tree that is not "none".
local function fit(file, head)
  if head:sub(1, 4) ~= "\xd0\x0d\xfe\xed" or #head < 40 then return nil end
  local at, strings = string.unpack(">I4I4", head, 9)
  for _ = 1, 10000 do
    local text = bytes(file, at, 12)
    if #text < 4 then return nil end
    local token = string.unpack(">I4", text)
    at = at + 4
    if token == 1 then -- a node, with its name
      local name = bytes(file, at, 256):match("^[^\0]*")
      at = at + (#name + 1 + 3) // 4 * 4
    elseif token == 3 and #text == 12 then -- a property: its length, its name's place, its value
      local length, name = string.unpack(">I4I4", text, 5)
      if bytes(file, strings + name, 12) == "compression\0" then
        local codec = bytes(file, at + 8, math.min(length, 32)):match("^[%w_%-]+")
        if codec and codec ~= "none" then return "a FIT image, compressed with " .. codec end
      end
      at = at + 8 + (length + 3) // 4 * 4
    elseif token ~= 2 and token ~= 4 then
      return nil
    end
  end
end

--- The format of an image that is compressed inside.
-- @tparam string path
-- @treturn string|nil "squashfs, compressed with zstd"; nil: not compressed, or it cannot be read
function M.find(path)
  local file <close> = io.open(path, "rb")
  if not file then return nil end
  local head = bytes(file, 0, 2048)
  local codec = stream(head)
  if codec then return "compressed with " .. codec end
  return squashfs(head) or other_filesystem(head) or kernel(file, head) or legacy(head) or fit(file, head)
end

--- A warning for people.
-- @tparam string path
-- @treturn string|nil
function M.warning(path)
  local what = M.find(path)
  return what and ("%s is %s: a delta will hardly be smaller than the full package; %s"):format(path, what, M.ADVICE)
end

return M
