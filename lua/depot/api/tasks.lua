--- Long work in slices, between requests: what concerns many objects at once.
--
-- Kept in the store, where each slice writes how far it is, so a server that is started anew goes on. It ends if
-- whoever began it may no longer do it, or if no server ran for an hour: it may not be wanted any more then.
--
-- @module depot.api.tasks

local acts = require "depot.acts"
local bulk = require "depot.acts.bulk"
local may = require "depot.api.may"
local random = require "depot.random"

local M = {}

local KEPT = 3600000 -- ms for which one that has ended can be asked for, and one that runs may rest
local OPEN = 16      -- at once
local SLICE = 200    -- devices

local Tasks = {}
Tasks.__index = Tasks

--- @tparam table world of depot.api.world
-- @treturn table tasks, with those that a server before has left
function M.new(world)
  local self = setmetatable({ world = world, now = acts.now }, Tasks)
  self.list = world.store:running_tasks() or {}
  return self
end

--- Begin one.
-- @tparam table world of the call: actor
-- @tparam table task account, product (hash), verb, kind of depot.acts.bulk, data
-- @tparam {table,...} rows of the devices
-- @treturn table|nil the task: id, state ("running", "done", "failed"), done, total, changed; nil, message, code
function Tasks:begin(world, task, rows)
  if #self.list >= OPEN then return nil, ("%d tasks run"):format(#self.list), "busy" end
  local now = self.now()
  task.id, task.actor = random.hex():sub(1, 32), world.actor
  local made, message, code = acts.change(world, function()
    local ok, why, word = world.store:sweep_tasks(now - KEPT, now)
    if not ok then return nil, why, word end
    return world.store:add_task(task, rows, now)
  end)
  if not made then return nil, message, code end
  if made.state == "running" then self.list[#self.list + 1] = made end
  return made
end

--- @treturn table|nil a task of an account; nil, message, code
function Tasks:find(id, account)
  local task, message, code = self.world.store:task(id)
  if task == nil then return nil, message, code end
  if task and task.account == account then return task end
  return nil, "there is no such task of yours", "missing"
end

-- Why a task must not go on; nil: it may. nil, message, code: it cannot be told.
local function obstacle(self, task)
  local store = self.world.store
  local account, roles, message, code
  account, message, code = store:account_by_id(task.account)
  if account then roles, message, code = store:roles(task.account) end
  if not account or not roles then return account == false and "its user is gone" or nil, message, code end
  if account.disabled == 1 or not may.may({ roles = roles }, task.verb, "operator", task.product) then
    return "its user may no longer do this"
  end
  local rested = self.now() - task.stepped
  if rested > KEPT or rested < -KEPT then return "no server ran for an hour; begin it again if it is still wanted" end
end

local function go_on(self, task)
  local world = self.world:with { actor = { name = task.actor, address = task.address } }
  local most = math.min(SLICE, task.total - task.done)
  function world.along(count)
    local before = task.done
    task.changed, task.done = task.changed + count, before + most
    if task.done >= task.total then task.state = "done" end
    task.stepped = self.now()
    return world.store:step_task(task, before, task.stepped)
  end
  return bulk.kinds[task.kind](world, function() return world.store:slice_of(task, most) end, task.data, task.product)
end

-- It ends here.
local function fail(self, task, message, code)
  local store = self.world.store
  local kept = store:task(task.id) -- what a slice that failed counted was not committed
  task.state, task.message, task.code = "failed", message, code
  if not kept or code == "conflict" then return end
  task.done, task.changed = kept.done, kept.changed
  if store:change() and store:step_task(task, kept.done, self.now()) then store:commit() else store:abandon() end
end

--- Do the next slice of the oldest that runs.
-- @treturn boolean whether there is more to do
function Tasks:step()
  local task = self.list[1]
  if not task then return false end
  local why, message, code = obstacle(self, task)
  if why then message, code = why, "refused" end
  if not message then
    local done
    done, message, code = go_on(self, task)
    if done then message = nil end
  end
  if message then fail(self, task, message, code) end
  if task.state ~= "running" then table.remove(self.list, 1) end
  return true
end

return M
