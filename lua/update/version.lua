--- Dotted versions: "1.10" is higher than "1.9".
--
-- Pure. The same order as up_version_compare() in runtime/manifest.h, so that
-- a gate and a policy never disagree about which of two versions is higher.
--
-- @module update.version

local M = {}

local function pieces(text)
  local list = {}
  for piece in (text .. "."):gmatch("([^.]*)%.") do
    list[#list + 1] = piece
  end
  return list
end

-- Numbers of any length: without leading zeros the longer one is the larger.
local function compare_numbers(a, b)
  a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
  if #a ~= #b then
    return #a < #b and -1 or 1
  end
  return a == b and 0 or (a < b and -1 or 1)
end

-- Byte by byte, whatever the locale says about `<`.
local function compare_texts(a, b)
  for i = 1, math.max(#a, #b) do
    local x, y = a:byte(i) or -1, b:byte(i) or -1
    if x ~= y then
      return x < y and -1 or 1
    end
  end
  return 0
end

--- Compare two dotted versions, number by number.
-- Missing numbers count as 0 ("1.0" equals "1.0.0"); where one of two pieces
-- is not a number, both compare as text.
-- @tparam string|integer a a version; an integer counts as one number
-- @tparam string|integer b
-- @treturn integer -1 when a is lower, 0 when equal, 1 when a is higher
function M.compare(a, b)
  local x, y = pieces(tostring(a)), pieces(tostring(b))
  for i = 1, math.max(#x, #y) do
    local p, q = x[i] or "0", y[i] or "0"
    local numbers = p:find("^%d+$") and q:find("^%d+$")
    local order = numbers and compare_numbers(p, q) or not numbers and compare_texts(p, q) or 0
    if order ~= 0 then
      return order
    end
  end
  return 0
end

--- The pieces of a version: numbers as integers, anything else as text.
-- @tparam string text 1 to 32 characters, for example "1.0.2"
-- @treturn {integer|string,...}|nil nil when it is empty, too long, has an
--   empty piece or a character that is not printable
-- @treturn string message
-- @treturn string "usage"
function M.parse(text)
  if type(text) ~= "string" or #text < 1 or #text > 32 then
    return nil, "version: 1 to 32 characters expected", "usage"
  end
  if text:find("[^\33-\126]") then
    return nil, "version: only printable characters without blanks are allowed", "usage"
  end
  local list = pieces(text)
  for i, piece in ipairs(list) do
    if piece == "" then
      return nil, ("version %s: piece %d is empty"):format(text, i), "usage"
    end
    list[i] = piece:find("^%d+$") and math.tointeger(piece) or piece
  end
  return list
end

return M
