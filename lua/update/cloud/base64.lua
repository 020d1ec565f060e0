--- Base64, for secrets that are handed out in it.
--
-- Pure.
--
-- @module update.cloud.base64

local M = {}

local value_of = {}
for i = 1, 64 do
  value_of[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i)] = i - 1
end

--- Decode; every four characters must be whole.
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

return M
