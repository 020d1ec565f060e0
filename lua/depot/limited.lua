--- The packages that ever had a list of devices, in <folder>/.limited.
--
-- If a list is removed, or forgotten when a folder is moved, its package must
-- not reach the devices that the list excluded. A depot that is restarted would
-- not know that there was a list. So the names of these packages are kept, one
-- on each line, until a list says that the package is for every device.
--
-- @module depot.limited

local M = {}

M.NAME = ".limited"

--- @tparam table natives storage
-- @tparam string dir
-- @treturn table|nil {[name of a package] = true}, empty if there is no such file; nil, message, code
function M.read(natives, dir)
  local text, message, code = natives.storage.read(dir .. "/" .. M.NAME)
  if not text and code ~= "missing" then return nil, message, code end
  local names = {}
  for name in (text or ""):gmatch "[^\n]+" do names[name] = true end
  return names
end

--- The names in the form of the file.
function M.text(names)
  local lines = {}
  for name in pairs(names) do lines[#lines + 1] = name .. "\n" end
  table.sort(lines)
  return table.concat(lines)
end

--- Write the file. At any time there is the old one or the new one.
-- @treturn true|nil nil, message, code
function M.write(natives, dir, text)
  return natives.storage.replace(dir .. "/" .. M.NAME, text)
end

return M
