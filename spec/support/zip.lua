--- Zips of files that are not compressed, as any tool can make them.
--
-- @module spec.support.zip

local M = {}

local function crc32(text)
  local crc = 0xFFFFFFFF
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xEDB88320 or crc >> 1 end
  end
  return crc ~ 0xFFFFFFFF
end

--- @tparam {{name, text},...} files
-- @treturn string the bytes of the zip
function M.of(files)
  local parts, directory, at = {}, {}, 0
  for _, file in ipairs(files) do
    local name, text = file[1], file[2]
    local common = ("<I2I2I2I2I2I4I4I4I2I2"):pack(10, 0, 0, 0, 0x21, crc32(text), #text, #text, #name, 0)
    parts[#parts + 1] = "PK\3\4" .. common .. name .. text
    directory[#directory + 1] = "PK\1\2" .. ("<I2"):pack(0x314) .. common
      .. ("<I2I2I2I4I4"):pack(0, 0, 0, 0x81A40000, at) .. name
    at = at + #parts[#parts]
  end
  local listing = table.concat(directory)
  return table.concat(parts) .. listing
    .. "PK\5\6" .. ("<I2I2I2I2I4I4I2"):pack(0, 0, #files, #files, #listing, at, 0)
end

return M
