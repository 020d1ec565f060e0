--- Finds out which file of runtime/ includes and calls which.
--
-- @module arrows

local M = {}

function M.lines_of(command)
  local pipe = assert(io.popen(command))
  local result = {}
  for line in pipe:lines() do
    result[#result + 1] = line
  end
  pipe:close()
  return result
end

function M.text(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- C without comments and the contents of strings, line breaks kept.
function M.bare(text)
  text = text:gsub("/%*.-%*/", function(comment)
    return (comment:gsub("[^\n]", ""))
  end)
  text = text:gsub("//[^\n]*", "")
  text = text:gsub('\\.', "")
  return (text:gsub('"[^"\n]*"', '""'))
end

function M.stem(path)
  return path:match("([^/]+)%.[ch]$")
end

function M.includes(text)
  return text:gmatch('#%s*include%s+(["<])([^">]+)[">]')
end

-- What each file of runtime/ includes of its own tree, and whose functions it calls.
function M.read()
  local files, defined, arrows = {}, {}, {}
  for _, path in ipairs(M.lines_of("git ls-files 'runtime/*.c' 'runtime/*.h'")) do
    local file, text = path:match("[^/]+$"), M.text(path)
    files[file] = { path = path, text = text, code = M.bare(text),
      wing = path:match("^runtime/(%w+)/"), name = M.stem(path) }
    for line in files[file].code:gmatch("[^\n]+") do
      local name = line:match("^%a[%w_ %*]-[ %*](up_[%w_]+)%(")
      if name and file:find("%.c$") and not line:find(";%s*$") and not line:find("^static") then
        defined[name] = file
      end
    end
  end
  for file, at in pairs(files) do
    arrows[file] = {}
    for kind, other in M.includes(at.text) do
      if kind == '"' and files[other] then arrows[file][other] = "includes" end
    end
    for name in at.code:gmatch("%f[%w_](up_[%w_]+)%s*%(") do
      local other = file:find("%.c$") and defined[name]
      if other and other ~= file then arrows[file][other] = "calls " .. name .. "() of" end
    end
  end
  return files, arrows
end

-- The files of one circle through each file, by depth first search.
function M.circles(arrows)
  local index, low, on, stack, count, found = {}, {}, {}, {}, 0, {}
  local function visit(file)
    count = count + 1
    index[file], low[file], on[file] = count, count, true
    stack[#stack + 1] = file
    for other in pairs(arrows[file]) do
      if not index[other] then
        visit(other)
        low[file] = math.min(low[file], low[other])
      elseif on[other] then
        low[file] = math.min(low[file], index[other])
      end
    end
    if low[file] == index[file] then
      local circle = {}
      repeat
        local other = table.remove(stack)
        on[other] = nil
        circle[#circle + 1] = other
      until other == file
      if #circle > 1 then
        table.sort(circle)
        found[#found + 1] = circle
      end
    end
  end
  for file in pairs(arrows) do
    if not index[file] then visit(file) end
  end
  return found
end

return M
