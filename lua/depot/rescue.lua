--- What is done about a depot's database that is damaged or missing.
--
-- @module depot.rescue

local M = {}

local NAME = "/depot.db"
local ASIDE = ".damaged"
local COPY = "/depot.db.new"

-- The files of a database besides the main one.
local SIDES = { "-wal", "-shm" }

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Put a damaged database aside, in place of one that was there. Nobody has it open.
-- @tparam string dir
-- @tparam[opt] string name "/depot.db" when absent
-- @treturn string|nil its new path; nil: it stays where it is
function M.set_aside(dir, name)
  local path = dir .. (name or NAME)
  if not os.rename(path, path .. ASIDE) then return nil end
  for _, side in ipairs(SIDES) do
    os.remove(path .. ASIDE .. side)
    os.rename(path .. side, path .. ASIDE .. side)
  end
  return path .. ASIDE
end

--- Write a database that was deleted, and is still open, into another file of the folder.
-- @treturn boolean|nil false: there is another one by now; nil, message, code: it cannot be written
function M.write_again(natives, store, dir)
  if exists(dir .. NAME) then return false end
  os.remove(dir .. COPY)
  -- Made here, so that nobody else can read it.
  local empty, message, code = natives.database.open(dir .. COPY, { wal = false })
  if not empty then return nil, message, code end
  empty:close()
  return store:copy(dir .. COPY)
end

--- Put what was written in its place. The one that was deleted is closed: that takes its other files away, which
-- would be taken for the new one's.
function M.put_back(dir)
  for _, side in ipairs(SIDES) do
    os.remove(dir .. NAME .. side)
  end
  return os.rename(dir .. COPY, dir .. NAME)
end

return M
