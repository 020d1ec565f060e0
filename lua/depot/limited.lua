--- The packages that had a list of devices once, in <folder>/.limited.
--
-- A list that goes, or that was forgotten when a folder was moved, must not give
-- its package to all that the list kept out, and a depot that was restarted
-- does not know that there was one. So the names are kept, a line each, until
-- a list says that the package is for everybody.
--
-- @module depot.limited

local M = {}

M.NAME = ".limited"

--- @tparam table natives storage
-- @tparam string dir
-- @treturn table|nil {name of a package = true}, empty without the file; nil, message, code
function M.read(natives, dir)
  local text, message, code = natives.storage.read(dir .. "/" .. M.NAME)
  if not text and code ~= "missing" then return nil, message, code end
  local names = {}
  for name in (text or ""):gmatch "[^\n]+" do names[name] = true end
  return names
end

--- The names as the file has them.
function M.text(names)
  local lines = {}
  for name in pairs(names) do lines[#lines + 1] = name .. "\n" end
  table.sort(lines)
  return table.concat(lines)
end

--- Write the file: there is the old one or the new one, at any time.
-- @treturn true|nil nil, message, code
function M.write(natives, dir, text)
  return natives.storage.replace(dir .. "/" .. M.NAME, text)
end

return M
