--- Lines of readings in a file that cannot grow without end.
-- @module meter.store

local M = {}

local Store = {}
Store.__index = Store

--- Append to the file at `path`, which is made when it is missing.
-- @tparam string path its folder exists
-- @tparam {string,...} columns
-- @tparam integer keep_bytes beyond this the file becomes path.old and a new one begins
-- @treturn[1] Store
-- @treturn[2] nil, message
function M.open(path, columns, keep_bytes)
  local file, message = io.open(path, "a")
  if not file then
    return nil, message
  end
  file:setvbuf("line")
  return setmetatable({ path = path, file = file, columns = columns, keep_bytes = keep_bytes }, Store)
end

--- Append one line: time (seconds since 1970), version, then every column.
-- @treturn[1] boolean true
-- @treturn[2] nil, message
function Store:append(time, version, reading)
  local fields = { ("%d"):format(time), version }
  for _, name in ipairs(self.columns) do
    fields[#fields + 1] = reading[name] and ("%s=%g"):format(name, reading[name]) or name .. "=?"
  end
  local done, message = self.file:write(table.concat(fields, ","), "\n")
  if not done then
    return nil, message
  end
  if self.file:seek("end") > self.keep_bytes then
    return self:turn_over()
  end
  return true
end

function Store:turn_over()
  self.file:close()
  os.rename(self.path, self.path .. ".old")
  local file, message = io.open(self.path, "a")
  if not file then
    return nil, message
  end
  file:setvbuf("line")
  self.file = file
  return true
end

return M
