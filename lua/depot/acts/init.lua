--- What changes things in a depot, for whoever asks: the command line, a route, a page.
--
-- An act gets a `world`: natives, dir, store, packages (array of the catalog), by_digest ({[digest] = entry}), actor
-- ({name, address}). Those that change something run within change(), and record themselves.
--
-- @module depot.acts

local actor = require "depot.actor"

local M = {}

--- Milliseconds since 1970.
function M.now()
  return os.time() * 1000
end

-- Record an act, and how it is taken back.
local function finish(world, act)
  local message, code
  act.id, message, code = M.record(world, act.verb, act.object, act)
  if not act.id or not act.undo then return act.id, message, code end
  return world.store:keep_undo(act.id, act.product, act.undo, M.now())
end

--- Run work() in one transaction.
-- @tparam table world
-- @tparam function work returns a value; or nil, message, code, and then nothing was changed
-- @tparam[opt] table act what record() takes, as verb, object, more; work may complete it, and with `idle` it is not
--   recorded. Without it, work records by itself. undo: how the change is taken back (depot.acts.undo)
-- `world.along`, if it is set, is called with the result in the same transaction: -> true; or nil, message, code.
function M.change(world, work, act)
  local begun, message, code = world.store:change()
  if not begun then return nil, message, code end
  if world.top then world.top.stood = nil end -- what was counted before the change
  local result
  result, message, code = work()
  local ok = result ~= nil
  if ok and act and not act.idle then ok, message, code = finish(world, act) end
  if ok and world.along then ok, message, code = world.along(result) end
  if not ok then result = nil end
  if result == nil then
    world.store:abandon()
    return nil, message, code
  end
  ok, message, code = world.store:commit()
  if not ok then return nil, message, code end
  if act and act.id and act.undo then world.undoable = act.id end
  return result
end

--- Record who did what, in the transaction of the change.
-- @tparam table world
-- @tparam string verb
-- @tparam[opt] string object as "device aliyun/pk/name"
-- @tparam[opt] table more product (hash of its key), before, after
-- @treturn integer|nil number of the row; nil, message, code
function M.record(world, verb, object, more)
  more = more or {}
  return world.store:audit({ actor = world.actor.name, address = world.actor.address, verb = verb, object = object,
    product = more.product, before = more.before, after = more.after }, M.now())
end

--- What depot.rollout.acts needs to know.
function M.parts(world)
  return { store = world.store, by_digest = world.by_digest, now = M.now() }
end

--- Who acts on the command line: whoever can open the database may do everything.
function M.local_actor()
  return { name = actor.name() }
end

return M
