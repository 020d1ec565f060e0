--- Luat's tasks with a name and a mailbox: taskInitEx, sendMsg, waitMsg.
--
-- A message is a table: its kind and up to three more values. A name may be any
-- value but nil. `require "sysplus"` returns the same functions as `sys`.
--
-- @module update.script.luat_mail

local M = {}

--- The functions, in this order of their making.
M.NAMES = { "taskInitEx", "taskDel", "sendMsg", "waitMsg", "cleanMsg", "taskCB" }

--- Add the functions to sys.
-- @tparam table sys update.script.sys; changed
-- @tparam table tasks update.scheduler
function M.add(sys, tasks)
  local boxes = {}

  local function box_of(name, what)
    if not boxes[name] then
      error(("%s: no task %s was started with sys.taskInitEx"):format(what, tostring(name)), 3)
    end
    return boxes[name]
  end

  --- Start a task that has a mailbox.
  -- @tparam function fn
  -- @param name of the mailbox
  -- @tparam[opt] function callback called with each message that arrives while the task waits for another
  -- @param ... arguments of fn
  -- @treturn thread
  function sys.taskInitEx(fn, name, callback, ...)
    if name == nil then error("sys.taskInitEx: a task has a name", 2) end
    boxes[name] = { queue = {}, callback = callback, arrived = {} }
    return sys.taskInit(fn, ...)
  end

  --- Remove the mailbox; the task continues.
  function sys.taskDel(name)
    boxes[name] = nil
  end

  --- Send a message to a task.
  -- @param name of its mailbox
  -- @param target kind of message, for which waitMsg waits
  -- @param ... up to three values
  -- @treturn boolean false: there is no mailbox of this name
  function sys.sendMsg(name, target, ...)
    local box = boxes[name]
    if not box then return false end
    table.insert(box.queue, { target, ... })
    tasks:set(box.arrived)
    return true
  end

  -- The first message that is wanted; the others go to the callback.
  local function take(box, target)
    while #box.queue > 0 do
      local message = table.remove(box.queue, 1)
      if target == nil or message[1] == target then return message end
      if type(box.callback) == "function" then box.callback(message) end
    end
  end

  --- Wait for a message.
  -- @param name of the mailbox
  -- @param target kind of message; nil: any
  -- @tparam[opt] number ms at most; nil or 0: for ever
  -- @treturn table|boolean the message; false: timeout
  function sys.waitMsg(name, target, ms)
    local box = box_of(name, "sys.waitMsg")
    local till = ms and ms > 0 and tasks.now() + ms / 1000
    while true do
      local message = take(box, target)
      if message then return message end
      local left = till and till - tasks.now()
      if left and left <= 0 then return false end
      tasks:block(tasks.await, tasks, box.arrived, left or nil)
    end
  end

  --- Discard all messages in the mailbox.
  -- @treturn boolean false: there is no mailbox of this name
  function sys.cleanMsg(name)
    if not boxes[name] then return false end
    boxes[name].queue = {}
    return true
  end

  --- Hand a message to the callback of a task.
  function sys.taskCB(name, message)
    local box = box_of(name, "sys.taskCB")
    if type(box.callback) == "function" then box.callback(message) end
  end
end

return M
