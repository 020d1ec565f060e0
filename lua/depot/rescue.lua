--- Saves a depot's database that is damaged or was deleted.
--
-- @module depot.rescue

local files = require "depot.files"

local M = {}

local NAME = "/depot.db"
local ASIDE = ".damaged"
local COPY = "/depot.db.new"

-- The files of a database besides the main one.
local SIDES = { "-wal", "-shm" }

--- Set a damaged database aside, replacing an earlier one. It must not be open.
-- @tparam string dir
-- @tparam[opt] string name "/depot.db" when absent
-- @treturn string|nil its new path; nil: it could not be renamed
function M.set_aside(dir, name)
  local path = dir .. (name or NAME)
  if not os.rename(path, path .. ASIDE) then return nil end
  for _, side in ipairs(SIDES) do
    os.remove(path .. ASIDE .. side)
    os.rename(path .. side, path .. ASIDE .. side)
  end
  return path .. ASIDE
end

--- Write a database that was deleted while it is open into a new file of the folder.
-- @treturn boolean|nil false: another one is in its place; nil, message, code: it cannot be written
function M.write_again(store, dir)
  if files.exists(dir .. NAME) then return false end
  return store:copy(dir .. COPY)
end

--- Rename the new file into place. The deleted database must be closed, and its other files are removed, because they
-- would be taken for those of the new one.
function M.put_back(dir)
  for _, side in ipairs(SIDES) do
    os.remove(dir .. NAME .. side)
  end
  return os.rename(dir .. COPY, dir .. NAME)
end

return M
