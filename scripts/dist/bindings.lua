--- What the bindings say of themselves: bindings/*.c, head comments and the
-- comment above each function that Lua can call.
--
-- A documented function is a C function `static int x(lua_State *L)` under a
-- comment that begins with its Lua signature: `open(path) -> handle ...`, or
-- `handle:read() -> ...`. The tables of the file, `{"name", function}`, say
-- what there is.
--
-- @module bindings

local M = {}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- The text of a comment without its frame.
local function bare(comment)
  local text = comment:gsub("^/%*+[ \t]*", ""):gsub("%s*%*/$", ""):gsub("\n[ \t]*%*[ \t]?", "\n")
  return (text:gsub("^\n+", ""):gsub("%s+$", ""))
end

-- C function -> comment right above it.
local function comments(text)
  local found = {}
  for stop, name in text:gmatch("()%*/\nstatic int ([%w_]+)%(lua_State %*L%)") do
    local before = text:sub(1, stop + 1)
    found[name] = bare(before:match("^.*(/%*.-%*/)$"))
  end
  return found
end

-- The bodies of the tables of type luaL_Reg, but for metamethods.
local function rows(text)
  local list = {}
  for table_name, body in text:gmatch("luaL_Reg ([%w_]+)%[%] = (%b{})") do
    if not table_name:find("metamethods$") then
      for name, fn in body:gmatch("{\"([%w_]+)\",%s*([%w_]+)}") do
        if name:sub(1, 2) ~= "__" then list[#list + 1] = { name = name, fn = fn } end
      end
    end
  end
  return list
end

-- Where a name stands in a comment, so that functions are listed as in the file.
local function position(text, fn)
  return text:find("static int " .. fn .. "(", 1, true) or math.huge
end

--- Read one binding.
-- @tparam string text the C file
-- @treturn table {head = comment, functions = {{name, signature, text, method =
--   boolean, position}, ...}} in the order of the file; `signature` is nil for
--   one that is not documented
function M.parse(text)
  local found = { head = bare(text:match("^(/%*.-%*/)") or ""), functions = {} }
  local above = comments(text)
  for _, row in ipairs(rows(text)) do
    local comment = above[row.fn] or ""
    local receiver, rest = comment:match("^([%w_]*:?)" .. row.name .. "(%(.*)$")
    local arguments = rest and rest:match("^%b()")
    local method = receiver and receiver:find(":") ~= nil
    local entry = { name = row.name, position = position(text, row.fn), method = method }
    if arguments then
      entry.signature = receiver .. row.name .. arguments:gsub("%s+", " ")
      entry.text = rest:sub(#arguments + 1):gsub("^[%s:,.]+", "")
    end
    found.functions[#found.functions + 1] = entry
  end
  -- A function that no table holds but one that is set by hand, such as json.array.
  for fn, comment in pairs(above) do
    local module, name, arguments, rest = comment:match("^([%w_]+)%.([%w_]+)(%b())(.*)$")
    if module then
      table.insert(found.functions, { name = name, signature = module .. "." .. name .. arguments,
        text = rest:gsub("^%s+", ""), method = false, position = position(text, fn) })
    end
  end
  table.sort(found.functions, function(a, b) return a.position < b.position end)
  return found
end

--- Every binding of a source tree.
-- @tparam string folder bindings/
-- @tparam {string,...} names module words
-- @treturn {table,...} as parse() gives them, with `name`
function M.all(folder, names)
  local list = {}
  for _, name in ipairs(names) do
    local parsed = M.parse(read(("%s/%s.c"):format(folder, name)))
    parsed.name = name
    list[#list + 1] = parsed
  end
  return list
end

--- The words of the modules that the host has built in, in order.
function M.names(folder)
  local list = {}
  for name in read(folder .. "/preload.c"):gmatch("{\"update%.native%.([%w_]+)\"") do list[#list + 1] = name end
  return list
end

return M
