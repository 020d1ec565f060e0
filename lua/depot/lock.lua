--- Allows one depot with --mqtt for each folder: two would fight for one session at the broker.
--
-- The lock is the system's, on <folder>/depot.lock. It ends with the process
-- that holds it, however that ends.
--
-- @module depot.lock

local M = {}

local NAME = "depot.lock"

local function path_of(dir) return dir .. "/" .. NAME end

-- The file is not opened for this: closing it would release the locks that this process holds on it.
local function exists(natives, dir)
  for _, found in ipairs(natives.folder.list(dir) or {}) do
    if found.name == NAME then return true end
  end
  return false
end

local function hold(natives, dir)
  -- The timeout is for is_held() in another process, which locks it for a moment.
  local db, message, code = natives.database.open(path_of(dir), { wal = false, timeout = 1000 })
  local ok
  if db then
    ok, message, code = db:execute "BEGIN EXCLUSIVE"
    if ok then return db end
    db:close()
  end
  if code == "busy" then message = "another depot serves " .. dir end
  return nil, message, code
end

--- Be the only depot of a folder until the process ends.
-- @treturn table|nil lock, with close(); nil, message, code: "busy" when another is
function M.hold(natives, dir)
  local held, message, code = hold(natives, dir)
  -- It holds no data, and a file that is no database cannot be locked by another depot, so it can be removed.
  if code == "corrupt" and os.remove(path_of(dir)) then return hold(natives, dir) end
  return held, message, code
end

--- Whether a depot holds the lock.
function M.is_held(natives, dir)
  if not exists(natives, dir) then return false end
  local db, _, code = natives.database.open(path_of(dir), { wal = false, timeout = 0 })
  if db then
    -- A read lock, so that two processes that ask do not take each other for a depot.
    _, _, code = db:execute "SELECT count(*) FROM sqlite_schema"
    db:close()
  end
  return code == "busy"
end

return M
