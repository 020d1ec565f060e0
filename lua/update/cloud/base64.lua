--- Base64, for secrets and for bytes in JSON.
--
-- Pure.
--
-- @module update.cloud.base64

local M = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local value_of, digit_of = {}, {}
for i = 1, 64 do value_of[DIGITS:byte(i)], digit_of[i - 1] = i - 1, DIGITS:sub(i, i) end

--- Decode; the text must consist of complete groups of four characters.
-- @tparam string text
-- @treturn string|nil bytes; nil when it is not base64
function M.decode(text)
  local body, padding = text:match("^([%w+/]*)(=*)$")
  if not body or #text % 4 ~= 0 or #padding > 2 then return nil end
  local out = {}
  for i = 1, #body, 4 do
    local count, group = 0, 0
    for j = i, i + 3 do
      local value = value_of[body:byte(j) or 0]
      group = group << 6 | (value or 0)
      if value then count = count + 1 end
    end
    if count == 1 then return nil end
    out[#out + 1] = string.pack(">I3", group):sub(1, count - 1)
  end
  return table.concat(out)
end

-- Three bytes at most.
local function group_of(bytes)
  local a, b, c = bytes:byte(1, 3)
  local group = a << 16 | (b or 0) << 8 | (c or 0)
  return digit_of[group >> 18] .. digit_of[group >> 12 & 63] .. (b and digit_of[group >> 6 & 63] or "=")
    .. (c and digit_of[group & 63] or "=")
end

--- Encode.
-- @tparam string bytes
-- @treturn string
function M.encode(bytes)
  return (bytes:gsub("..?.?", group_of))
end

return M
