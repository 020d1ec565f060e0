--- Rules for C files that no compiler checks: no assignment in a condition, no
-- nested ?:; each file says what it is for; a .c file has its .h, or is named in
-- the header that it implements, and functions carry the stem of either.
--
-- @module habits

local M = {}

local function line_of(code, at)
  local _, breaks = code:sub(1, at):gsub("\n", "")
  return breaks + 1
end

-- Where two ?: are in one expression. Parentheses are checked one by one, the
-- innermost first, and removed before the expression around them is checked.
local function nested_at(code)
  local inner, at
  code = code:gsub("[%[%]]", { ["["] = "(", ["]"] = ")" })
  repeat
    local first, last
    first, last, inner = code:find("%(([^()]*)%)")
    local text = inner or code
    for from, part in (text .. ";"):gmatch("()([^,;{}]*)[,;{}]") do
      if not at and part:find("%?.*%?") then at = (first or 0) + from + part:find("%?") - 1 end
    end
    if inner then code = code:sub(1, first - 1) .. code:sub(first, last):gsub("[^\n]", " ") .. code:sub(last + 1) end
  until at or not inner
  return at
end

--- Where a condition assigns, and where a ?: is an operand of another.
-- @tparam string code C without comments and strings
-- @treturn table of { line, what is wrong }
function M.wrong(code)
  local result = {}
  code = code:gsub("'\\?[^'\n]*'", "0")
  for at, word, condition in code:gmatch("()%f[%w_](%a+)%s*(%b())") do
    local asked = word == "for" and (condition:match(";([^;]*);") or "")
      or (word == "if" or word == "while" or word == "switch") and condition or ""
    if asked:gsub("%b{}", ""):gsub("[=!<>]=", ""):find("=", 1, true) then
      result[#result + 1] = { line_of(code, at), "an assignment in a condition" }
    end
  end
  local at = nested_at(code)
  if at then result[#result + 1] = { line_of(code, at), "a ?: inside another" } end
  return result
end

--- What is wrong with the head of a file of runtime/.
-- @tparam table at path, wing and text
-- @tparam table files of runtime/, by name
-- @treturn string|nil
function M.head(at, files)
  local own = at.path:match("([^/]+)%.c$")
  if own and files[own .. ".h"] then return nil end
  if not at.text:find("^/%*") then return "does not open with what it is for" end
  if not own then return nil end
  for name, other in pairs(files) do
    if name:find("%.h$") and other.wing == at.wing and other.text:find(own .. ".c", 1, true) then return nil end
  end
  return "has no header, and no header of its wing names it"
end

local function begins(name, stem)
  local rest = name:sub(4)
  return rest:sub(1, #stem) == stem or (stem:sub(-1) == "s" and rest:sub(1, #stem - 1) == stem:sub(1, -2))
end

--- The functions of a header of runtime/ that carry another stem than its own, or than one of the
-- files that it names. A plural stem may stand in the singular. The words of base/ are everybody's.
-- @tparam table at wing, name, text and code
-- @tparam table files of runtime/, by name
-- @treturn table of names
function M.strangers(at, files)
  local stems, result = { (at.name:gsub("_private$", "")) }, {}
  if at.wing == "base" then return result end
  for own in at.text:gmatch "([%w_]+)%.c%f[%W]" do
    if files[own .. ".c"] and files[own .. ".c"].wing == at.wing then stems[#stems + 1] = own end
  end
  for line in at.code:gmatch "[^\n]+" do
    local name = not line:find "^typedef" and line:match "^%a[%w_ %*]-[ %*](up_[%w_]+)%("
    local known = not name
    for _, stem in ipairs(stems) do known = known or begins(name, stem) end
    if not known then result[#result + 1] = name end
  end
  return result
end

return M
