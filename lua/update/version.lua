--- Which of two versions is higher.
--
-- Pure. The order is that of SemVer, for versions as people write them: any
-- number of dotted numbers, missing ones count as 0 ("1.0" equals "1.0.0",
-- "1.10" is above "1.9"), a leading v means nothing. What follows a `-` is a
-- pre-release, below the version itself, and numbers in its words count as
-- such: 1.0-rc2, 1.0-rc10, 1.0. What follows a `+` names a build and does not
-- count. runtime/base/version.h says the same in C, so that a gate and a policy
-- never disagree; spec/versions.txt is the table of cases that both are
-- checked with.
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

-- "v1.2-rc.1+b7" as "1.2", "rc.1" (nil: no pre-release) and "+b7".
local function split(value)
  local text = tostring(value):gsub("^[vV](%d)", "%1")
  local before, build = text:match("^([^+]*)(.*)$")
  local numbers, early = before:match("^([^-]*)%-(.*)$")
  return numbers or before, early, build
end

-- Numbers of any length: without leading zeros the longer one is the larger.
local function compare_numbers(a, b)
  a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
  if #a ~= #b then return #a < #b and -1 or 1 end
  return a == b and 0 or (a < b and -1 or 1)
end

-- Byte by byte, whatever the locale says about `<`, and numbers as such.
local function compare_words(a, b)
  local i, j = 1, 1
  while i <= #a and j <= #b do
    local m, n = a:match("^%d+", i), b:match("^%d+", j)
    local order
    if m and n then
      order = compare_numbers(m, n)
    else
      order = a:byte(i) - b:byte(j)
    end
    if order ~= 0 then return order < 0 and -1 or 1 end
    i, j = i + (m and n and #m or 1), j + (m and n and #n or 1)
  end
  return (i <= #a and 1 or 0) - (j <= #b and 1 or 0)
end

local function compare_releases(a, b)
  local x, y = pieces(a), pieces(b)
  for i = 1, math.max(#x, #y) do
    local order = compare_words(x[i] or "0", y[i] or "0")
    if order ~= 0 then return order end
  end
  return 0
end

-- Numbers are below words, and fewer pieces below more.
local function compare_early(a, b)
  local x, y = pieces(a), pieces(b)
  for i = 1, math.max(#x, #y) do
    if not x[i] or not y[i] then return x[i] and 1 or -1 end
    local p, q = not x[i]:find("%D"), not y[i]:find("%D")
    if p ~= q then return p and -1 or 1 end
    local order = compare_words(x[i], y[i])
    if order ~= 0 then return order end
  end
  return 0
end

--- Compare two versions.
-- @tparam string|integer a a version; an integer counts as one number
-- @tparam string|integer b
-- @treturn integer -1 when a is lower, 0 when neither is, 1 when a is higher
function M.compare(a, b)
  local numbers, early = split(a)
  local their_numbers, their_early = split(b)
  local order = compare_releases(numbers, their_numbers)
  if order ~= 0 or not early and not their_early then return order end
  if early and their_early then return compare_early(early, their_early) end
  return early and -1 or 1
end

--- Whether neither is higher, and both are of the same build.
-- @tparam string|integer a
-- @tparam string|integer b
-- @treturn boolean
function M.same(a, b)
  return M.compare(a, b) == 0 and select(3, split(a)) == select(3, split(b))
end

--- Whether a text is a version of that form, so that its order is what people expect.
-- @tparam string text
-- @treturn boolean
function M.is(text)
  local numbers, early, build = split(text)
  return (numbers .. "."):gsub("%d+%.", "") == "" and numbers ~= ""
    and (not early or early:find("^[%w.-]+$") ~= nil) and (build == "" or build:find("^%+[%w.-]+$") ~= nil)
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
    return nil, "version: only printable characters without spaces are allowed", "usage"
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
