--- Backups of the store, and what follows when one is put back.
--
-- A backup is a whole database, written while a depot may run. It holds what links are signed with, so it is as secret
-- as the folder's own.
--
-- @module depot.acts.copies

local acts = require "depot.acts"
local files = require "depot.files"
local lock = require "depot.lock"
local random = require "depot.random"
local rollout_acts = require "depot.rollout.acts"
local store = require "depot.store"

local M = {}

--- Write the store into a file, which must not be there. The audit has it before the copy is made.
-- @treturn true|nil nil, message, code
function M.backup(world, path)
  if files.exists(path) then return nil, ("%s is there already"):format(path), "refused" end
  local recorded, message, code = acts.change(world, function() return true end, { verb = "store.backup",
    object = "store" })
  if not recorded then return nil, message, code end
  local temporary = path .. ".part"
  local done
  done, message, code = world.store:copy(temporary)
  if not done then
    os.remove(temporary)
    return nil, ("%s: %s"):format(path, message), code
  end
  local moved, why = os.rename(temporary, path)
  return moved, why, not moved and "write" or nil
end

--- Time has passed a restored or copied store by, and the other one may still run: its rollouts pause, its name at the
-- broker is a new one, nobody is logged in, no task goes on, nothing is taken back, and
-- webhooks are off. Within change().
-- @tparam table parts store, now (ms)
-- @treturn integer|nil how many rollouts are paused; nil, message, code
function M.settle(parts)
  local count, message, code = rollout_acts.restored(parts)
  if not count then return nil, message, code end
  local done
  done, message, code = parts.store:set_setting("fleet", random.hex())
  if done then done, message, code = parts.store:drop_all_sessions() end
  if done then done, message, code = parts.store:clear_tasks() end
  if done then done, message, code = parts.store:clear_undo() end
  if done then done, message, code = parts.store:stop_webhooks() end
  return done and count, message, code
end

-- Whether a file is a depot's database that this version can read; it is not changed.
local function check(natives, path)
  local db <close>, message, code = natives.database.open(path, { readonly = true })
  if not db then return nil, message, code end
  local fine, row = pcall(function() return db:prepare("SELECT count(*) AS n FROM device"):first() end)
  if fine and row then return true end
  return nil, ("%s is no database of a depot"):format(path), "corrupt"
end

-- The copy as it will stand in the folder, upgraded and settled.
local function prepare(world, path, temporary)
  local natives = world.natives
  local from <close>, message, code = natives.database.open(path, { readonly = true })
  if not from then return nil, message, code end
  local ok
  ok, message, code = store.copy_of(natives, from, temporary)
  if not ok then return nil, message, code end
  local kept
  kept, message, code = store.open_file(natives, temporary)
  if not kept then return nil, message, code end
  local inner = setmetatable({ store = kept }, { __index = world })
  local count
  count, message, code = acts.change(inner, function()
    local paused, why, word = M.settle { store = kept, now = acts.now() }
    if not paused then return nil, why, word end
    local done
    done, why, word = kept:forget_place()
    return done and paused, why, word
  end, { verb = "store.restore", object = "store", after = path:match "[^/]+$" })
  if count then
    local whole, why, word = kept:gather()
    if not whole then count, message, code = nil, why, word end
  end
  kept:close()
  return count, message, code
end

--- Put a backup in the place of the store; no depot may serve it. The old one is kept as depot.db.before.
-- @tparam table world natives, dir, actor
-- @tparam string path
-- @treturn integer|nil how many rollouts are paused; nil, message, code
function M.restore(world, path)
  local natives, target = world.natives, world.dir .. "/depot.db"
  if lock.is_held(natives, world.dir) then
    return nil, ("a depot serves %s; stop it before its store is replaced"):format(world.dir), "busy"
  end
  local ok, message, code = check(natives, path)
  if not ok then return nil, message, code end
  local temporary = target .. ".part"
  local count
  count, message, code = prepare(world, path, temporary)
  if not count then
    for _, side in ipairs { "", "-wal", "-shm" } do os.remove(temporary .. side) end
    return nil, message, code
  end
  for _, side in ipairs { "", "-wal", "-shm" } do
    os.remove(target .. ".before" .. side)
    os.rename(target .. side, target .. ".before" .. side)
  end
  local moved, why = os.rename(temporary, target)
  if not moved then return nil, why, "write" end
  return count
end

return M
