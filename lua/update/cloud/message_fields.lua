--- Checks fields of messages as the clouds write them: numbers or strings, in either case.
--
-- Pure. An invalid value becomes nil. Text that is too long for a cloud is cut
-- between characters.
--
-- @module update.cloud.message_fields

local M = {}

local URL_MAX = 4096 -- bytes; signed links with tokens have about 700
local SIZE_MAX = 1 << 53

--- An integer, from 12, 12.0, "12" or "-12".
-- @treturn integer|nil
function M.integer(value)
  if type(value) == "string" then
    if #value > 20 or not value:find("^%-?%d+$") then return nil end
    return math.tointeger(tonumber(value))
  end
  return math.type(value) and math.tointeger(value) or nil
end

--- A size in bytes, from 1.
-- @treturn integer|nil
function M.size(value)
  local size = M.integer(value)
  return size and size > 0 and size <= SIZE_MAX and size or nil
end

--- A version: 1 to 32 printable characters.
-- @treturn string|nil
function M.version(value)
  if type(value) ~= "string" or #value < 1 or #value > 32 or value:find("[^\32-\126]") then return nil end
  return value
end

--- A link. It may hold a signature, so it is never logged completely.
-- @treturn string|nil
function M.url(value)
  if type(value) ~= "string" or #value > URL_MAX or value:find("[^\33-\126]") then return nil end
  return value:find("^[Hh][Tt][Tt][Pp][Ss]?://[^/]") and value or nil
end

--- A message without NUL bytes at its end: some programs in C also send the terminator of their string.
-- @treturn string
-- @treturn boolean whether there were any
function M.unterminated(payload)
  local text = payload:gsub("%z+$", "")
  return text, #text < #payload
end

--- The id of a message, for the reply.
-- @treturn string|integer|nil nil: neither text of 1 to 64 characters nor an integer
function M.id(value)
  if type(value) == "string" then return #value > 0 and #value <= 64 and value or nil end
  return math.type(value) == "integer" and value or nil
end

local DIGITS = { md5 = 32, sha256 = 64 }

--- A digest in hex, of either case.
-- @tparam string kind "md5" or "sha256"
-- @treturn string|nil in lower case
function M.digest(kind, value)
  if type(value) ~= "string" or #value ~= DIGITS[kind] or value:find("%X") then return nil end
  return value:lower()
end

--- Text for people in a message: one line, at most `limit` bytes of complete characters.
-- @tparam any value
-- @tparam integer limit bytes
-- @treturn string
function M.text(value, limit)
  local text = type(value) == "string" and value or ""
  text = (utf8.len(text) and text or text:gsub("[\128-\255]", "?")):gsub("%c", " ")
  if #text <= limit then return text end
  local stop = limit
  while stop > 0 and text:byte(stop + 1) & 0xC0 == 0x80 do stop = stop - 1 end
  return text:sub(1, stop)
end

--- Whether two offers are of the same firmware, even if their links differ.
function M.same(a, b)
  for _, name in ipairs { "size", "md5", "sha256" } do
    if a[name] and b[name] and a[name] ~= b[name] then return false end
  end
  return a.version == b.version
end

return M
