--- Wrong lines: what a single line of C may become by one slip.
--
-- Pure text: no parser. A change that does not compile, or compiles to the
-- same code, is found out later and does not count.
--
-- @module operators

local M = {}

-- The ways of being wrong; each maps a line to what it may become.
local ways = {}

local function replace_each(line, pattern, with, found)
  local at = 1
  while true do
    local first, last = line:find(pattern, at)
    if not first then return end
    local part = line:sub(first, last)
    local changed = part:gsub(pattern, with, 1)
    if changed ~= part then found(line:sub(1, first - 1) .. changed .. line:sub(last + 1)) end
    at = last + 1
  end
end

local CALL = "%f[%w_][%a_][%w_%->%.]*%b()"

-- `a == b` turned round is what `relation` makes of it.
local function is_one_equation(condition)
  return condition:find "[=!]=" and not condition:find " [<>]=? " and not condition:find "[&|?][&|?]?" and
    select(2, condition:gsub("[=!]=", "")) == 1 and not condition:find "^%(!"
end

function ways.condition(line, found)
  local indent, condition, rest = line:match "^(%s*if) (%b())(%s*{?)$"
  if indent and not is_one_equation(condition) then found(("%s (!%s)%s"):format(indent, condition, rest)) end
end

local RELATIONS = { [" < "] = " <= ", [" <= "] = " < ", [" > "] = " >= ", [" >= "] = " > ", [" == "] = " != ",
  [" != "] = " == ", [" && "] = " || ", [" || "] = " && " }

-- Relations that no check turns round: a signal at the very moment of a call, a
-- name one byte shorter than those that are cut (each has its own limit, and
-- the kernel's is not above it), a descriptor that is 0 (a program has its three), a
-- counter that is full, one of several texts of a message, and, of pointers
-- alone, which of several allocations failed.
local BEYOND = { "errno [=!]= EINTR", "snprintf%(", "%f[%w]file >= 0", "%f[%w]fd >= 0", "%f[%w]folder >= 0",
  "%f[%w]claim >= 0", "%f[%w]waits >= 0", "%f[%w]out >= 0",
  "UINT%d+_MAX", '%? "',
  "^%s*if %(![%w_%->%.]+ || ![%w_%->%.| !]+%)" }

-- The smaller or the larger of two, or what one has more: of two that are equal it is either way the same.
local function is_one_of_both(line)
  local a, b, yes, no = line:match "([%w_%->%.]+) [<>]=? ([%w_%->%.]+) %? ([^:]+) : ([^:,;)]+)[,;)]"
  if not a then return false end
  yes, no = yes:gsub("^%b()", ""), no:gsub("^%b()", "")
  return yes == a and no == b or yes == b and no == a or yes == a .. " - " .. b and no == "0"
end

local function is_beyond_checks(line)
  if is_one_of_both(line) then return true end
  for _, pattern in ipairs(BEYOND) do
    if line:find(pattern) then return true end
  end
  return false
end

-- How much is done in one call.
local function is_a_choice(right_side)
  local name = right_side:match "^[A-Z][A-Z0-9_]+" or ""
  return name:find "_A_CALL$" or name:find "_AT_ONCE$"
end

function ways.relation(line, found)
  if is_beyond_checks(line) then return end
  for from, to in pairs(RELATIONS) do
    local at = 1
    while true do
      local first, last = line:find(from, at, true)
      if not first then break end
      -- A call's success taken for a failure never goes unnoticed.
      if not (from == " < " and line:find("^ < 0[%s%);]", first)) and not is_a_choice(line:sub(last + 1)) then
        found(line:sub(1, first - 1) .. to .. line:sub(last + 1))
      end
      at = last
    end
  end
end

-- What is not given back to the system is for the sanitizers and valgrind; that
-- a secret is wiped, and that what cannot be ends the program, is for whoever reads it.
local function gives_back(line)
  local name = line:match "^%s*([%w_]+)%(" or ""
  return name:find "free$" or name:find "close$" or name:find "_free_" or name:find "_close_" or
    name:find "^ZSTD_free" or name:find "^close_" or name:find "decref$" or name:find "cleanse$" or name == "abort"
end

-- A call that is left out, and one whose failure nobody looks at.
function ways.call(line, found)
  if line:find "^%s+[%a_][%w_%->%.]*%b();$" and not line:find "^%s*return" and not gives_back(line) then
    found "    ;"
  end
  replace_each(line, CALL .. " < 0", function() return "false" end, found)
  -- A state with so long a path that others do not fit behind it is refused as it is opened.
  replace_each(line, "(" .. CALL .. ") < 0", function(call)
    local beyond = call:find "^[%w_]+_path%(" or call:find "^path_of%(folder," or line:find(BEYOND[1])
    return not beyond and ("(%s < 0 && false)"):format(call) or nil
  end, found)
end

function ways.assignment(line, found)
  if line:find "^%s+[%a_][%w_%->%.%[%]]* [|&%+%-]?= .*;$" or line:find "^%s+[%a_][%w_%->%.%[%]]*[%+%-][%+%-];$" then
    found "    ;"
  end
end

local function declares_an_array(line)
  return line:find "^%s+%l[%w_ ]* %*?[%w_]+%[[^=]*%]" and not line:find "^%s+return " and not line:find "^%s+else "
end

-- Bounds by one.
function ways.bound(line, found)
  -- A byte too few is for the sanitizers.
  if line:find "alloc%(" or line:find "memcpy%(" or declares_an_array(line) then return end
  if line:find '"%%%.%*s", [A-Z_]+ %- 1,' then return end -- snprintf() cuts there, too
  replace_each(line, " ([%+%-]) 1([^%w%.])", function(_, after) return after end, found)
  if line:find "snprintf%(" or is_one_of_both(line) then return end -- see is_beyond_checks
  replace_each(line, " ([<>]=?) ([A-Z][A-Z0-9_]+)([^%w_%(])", function(relation, name, after)
    if is_a_choice(name) then return end
    return (" %s (%s + 1)%s"):format(relation, name, after)
  end, found)
end

-- Steps whose order can be durable, or seen by others: not the filling of two places in memory.
local STEPS = { "write", "put", "sync", "rename", "link", "remove", "erase", "save", "store", "commit", "set", "clear",
  "truncate", "drop", "punch", "arm", "confirm", "retire", "forget", "fork", "kill", "begin", "end", "send" }

local function is_step(line)
  local name = line:match "([%w_]+)%b()" or ""
  local fillings = { "^mem", "^json_", "^put_[siov]", "^sig", "^up_put%d", "printf$", "_set_text$", "^posix_spawn" }
  for _, filled in ipairs(fillings) do
    if name:find(filled) then return false end
  end
  if gives_back(line) then return false end
  for _, word in ipairs(STEPS) do
    if name:find(word, 1, true) then return true end
  end
  return false
end

-- Two steps in the other order.
function ways.order(line, found)
  local before, one, two, after = line:match("^(%s*if %()(" .. CALL .. " < 0) || (" .. CALL .. " < 0)(.*)$")
  if one and one ~= two and is_step(one) and is_step(two) then
    found(("%s%s || %s%s"):format(before, two, one, after))
  end
end

function ways.answer(line, found)
  replace_each(line, "return true;", "return false;", found)
  replace_each(line, "return false;", "return true;", found)
end

-- What is code, line by line, with the function that it belongs to.
local function code_lines(text)
  local result, number, comment, inside = {}, 0, false, nil
  local opened
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if not comment and line:find "^[%a_]" then opened = line:match "([%w_]+)%(" or opened end
    if line == "{" then inside = opened elseif line:find "^}" then inside = nil end
    local code = not comment and inside and line:find "^    " and not line:find "^%s*[/%*#]"
    if line:find("/*", 1, true) and not line:find("*/", 1, true) then comment = true end
    if comment and line:find("*/", 1, true) then comment = false end
    result[number] = { text = line, code = code and true or false, inside = inside }
  end
  return result
end

local NAMES = { "answer", "assignment", "bound", "call", "condition", "order", "relation" }

--- The one wrong line that somebody chose.
-- @tparam string text
-- @tparam string from the line, without its indent
-- @tparam string to
-- @tparam integer nth of such lines
-- @treturn table|nil as M.of() gives them
function M.exactly(text, from, to, nth)
  for number, l in ipairs(code_lines(text)) do
    local indent = l.text:match "^%s*"
    if l.code and l.text == indent .. from then
      nth = nth - 1
      if nth == 0 then return { line = number, way = "known", inside = l.inside, from = l.text, to = indent .. to } end
    end
  end
end

--- Every wrong line of a C file.
-- @tparam string text
-- @treturn table array of {line = number, way, inside = function's name, from, to}; `swap` = true: from and the
--   line after it change places
function M.of(text)
  local lines, result, known = code_lines(text), {}, {}
  local function simple(at)
    local l = lines[at]
    return l and l.code and l.text:find "^%s+[%a_][%w_%->%.]*%b();$" and not l.text:find "^%s*return"
  end
  for number, l in ipairs(lines) do
    if l.code then
      for _, way in ipairs(NAMES) do
        ways[way](l.text, function(to)
          if known[number .. to] then return end
          known[number .. to] = true
          result[#result + 1] = { line = number, way = way, inside = l.inside, from = l.text, to = to }
        end)
      end
      local after = lines[number + 1]
      if simple(number) and simple(number + 1) and is_step(l.text) and is_step(after.text) and l.text ~= after.text then
        result[#result + 1] = { line = number, way = "order", inside = l.inside, from = l.text,
          to = after.text, swap = true }
      end
    end
  end
  return result
end

return M
