--- The releases that are withdrawn, in <folder>/.withdrawn, besides the database.
--
-- A depot without --mqtt opens no database, and one that cannot be opened must
-- not bring a release back. So the file is written in the transaction that
-- withdraws a release, and read with the packages. If it is there and cannot be
-- read, no package is offered. Its form is that of depot.release_file.
--
-- @module depot.withdrawn

local release_file = require "depot.release_file"

local M = {}

M.NAME = ".withdrawn"

--- @tparam table natives storage
-- @tparam string dir
-- @treturn table {[key] = true}
-- @treturn string|nil why the file cannot be read, though it is there
function M.read(natives, dir) return release_file.read(natives, dir .. "/" .. M.NAME) end

--- Add releases to the file, and return all that it has.
-- @tparam table natives
-- @tparam string dir
-- @tparam {[key]=true} more
-- @treturn table|nil set; nil, message, code
function M.add(natives, dir, more)
  local set, message = M.read(natives, dir)
  if message then return nil, message, "write" end
  local changed = false
  for key in pairs(more) do
    changed = changed or not set[key]
    set[key] = true
  end
  if not changed then return set end
  local done, code
  done, message, code = release_file.write(natives, dir .. "/" .. M.NAME, set)
  if not done then return nil, message, code end
  return set
end

return M
