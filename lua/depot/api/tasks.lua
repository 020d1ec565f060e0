--- Long work in slices, between requests: what concerns many objects at once.
--
-- Kept in memory: a task that ends with the server is gone, and the audit says how far it came, because each slice
-- records itself.
--
-- @module depot.api.tasks

local random = require "depot.random"

local M = {}

local KEPT = 3600 -- seconds for which one that has ended can be asked for
local OPEN = 16   -- at once

local Tasks = {}
Tasks.__index = Tasks

--- @tparam function clock -> seconds
function M.new(clock) return setmetatable({ clock = clock, list = {} }, Tasks) end

--- Begin one.
-- @tparam integer account whose it is
-- @tparam integer total objects
-- @tparam function slice function(done) -> objects of the next slice; or nil, message, code: it ends there
-- @treturn table|nil the task: id, state ("running", "done", "failed"), done, total, changed; nil, message, code
function Tasks:begin(account, total, slice)
  local now, open, kept = self.clock(), 0, {}
  for _, task in ipairs(self.list) do
    if task.state == "running" then open = open + 1 end
    if task.state == "running" or now < task.till then kept[#kept + 1] = task end
  end
  self.list = kept
  if open >= OPEN then return nil, ("%d tasks run"):format(open), "busy" end
  local task = { id = random.hex():sub(1, 32), account = account, total = total, done = 0, slice = slice,
    state = total > 0 and "running" or "done", till = now + KEPT }
  kept[#kept + 1] = task
  return task
end

--- @treturn table|nil a task of an account
function Tasks:find(id, account)
  for _, task in ipairs(self.list) do
    if task.id == id and task.account == account then return task end
  end
end

--- Do the next slice of the oldest that runs.
-- @treturn boolean whether there is more to do
function Tasks:step()
  for _, task in ipairs(self.list) do
    if task.state == "running" then
      local count, message, code = task.slice(task.done)
      if not count then
        task.state, task.message, task.code = "failed", message, code
      else
        task.done = task.done + count
        if task.done >= task.total then task.state = "done" end
      end
      task.till = self.clock() + KEPT
      return true
    end
  end
  return false
end

return M
