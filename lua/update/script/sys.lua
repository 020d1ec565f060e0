--- Luat's `sys` over a scheduler: tasks, messages, timers; times in milliseconds.
--
-- Nothing here touches the system: the scheduler has clock and loop, so specs
-- need no real time. `require "sys"` is the instance that devices use.
--
-- Improvements over the vendor's library: functions that wait may also be called
-- outside of a task, and all tasks run meanwhile; a subscriber or timer may
-- wait; an error ends only the task in which it occurs.
--
-- @module update.script.sys

local mail = require "update.script.luat_mail"

local M = {}

local function check_function(fn, name)
  if type(fn) ~= "function" then error(("%s: a function is needed, not a %s"):format(name, type(fn)), 3) end
end

local function check_ms(ms, name)
  if type(ms) ~= "number" or ms < 0 or ms ~= ms then
    error(("%s: milliseconds are a number from 0, not %s"):format(name, tostring(ms)), 3)
  end
end

local function same_arguments(timer, n, arguments)
  if timer.arguments.n ~= n then return false end
  for i = 1, n do
    if not rawequal(timer.arguments[i], arguments[i]) then return false end
  end
  return true
end

local function add_tasks(sys, tasks)
  --- Start a task. It runs at once, until it first waits.
  -- @tparam function fn
  -- @param ... arguments
  -- @treturn thread
  function sys.taskInit(fn, ...)
    check_function(fn, "sys.taskInit")
    return tasks:start("task", fn, ...).thread
  end

  --- Wait.
  -- @tparam number ms
  function sys.wait(ms)
    check_ms(ms, "sys.wait")
    tasks:block(tasks.wait, tasks, ms / 1000)
  end

  --- Wait until the event loop has news, at most a second. Then call the function that returned "again" once more.
  function sys.idle()
    tasks:block(tasks.idle, tasks)
  end

  --- Run all tasks, for ever.
  function sys.run()
    while not tasks.stopped do tasks:step() end
  end
end

local function add_messages(sys, tasks)
  local queue, published = {}, {}
  local events, subscribers = {}, {}

  local function event_of(id)
    events[id] = events[id] or {}
    return events[id]
  end

  local function dispatch()
    while true do
      while #queue > 0 do
        local batch = queue
        queue = {}
        for _, message in ipairs(batch) do
          local id = message[1]
          for _, fn in ipairs(table.move(subscribers[id] or {}, 1, #(subscribers[id] or {}), 1, {})) do
            tasks:start(("subscriber of %s"):format(tostring(id)), fn, table.unpack(message, 2, message.n))
          end
          if events[id] then tasks:set(events[id], true, table.unpack(message, 2, message.n)) end
        end
        tasks:turn() -- whoever publishes in answer must not keep the others waiting
      end
      tasks:await(published)
    end
  end
  tasks:spawn("messages", dispatch)

  --- Wait for a message.
  -- @param id any value but nil
  -- @tparam[opt] number ms at most; default: for ever
  -- @treturn boolean true and the published values; false: timeout
  function sys.waitUntil(id, ms)
    if id == nil then error("sys.waitUntil: a message has an id", 2) end
    if ms ~= nil then check_ms(ms, "sys.waitUntil") end
    local results = table.pack(tasks:block(tasks.await, tasks, event_of(id), ms and ms / 1000))
    if not results[1] then return false end
    return table.unpack(results, 1, results.n)
  end

  --- Like waitUntil, but the result begins with the id.
  -- @param id any value but nil
  -- @tparam[opt] number ms at most; default: for ever
  -- @return id and the published values; false: timeout
  function sys.waitUntilExt(id, ms)
    local results = table.pack(sys.waitUntil(id, ms))
    if not results[1] then return false end
    return id, table.unpack(results, 2, results.n)
  end

  --- Wait for a message, for ever.
  -- @return the published values
  function sys.waitUntilMsg(id)
    return select(2, sys.waitUntil(id))
  end

  --- Send a message to its subscribers and to the tasks that wait for it. The event loop delivers it.
  -- @param id any value but nil
  -- @param ... values
  function sys.publish(id, ...)
    if id == nil then error("sys.publish: a message has an id", 2) end
    queue[#queue + 1] = table.pack(id, ...)
    tasks:set(published)
  end

  --- Call fn with the values that are published under id, each time in a new task.
  -- @param id any value but nil; a table: each of the ids in it
  function sys.subscribe(id, fn)
    if id == nil then error("sys.subscribe: a message has an id", 2) end
    check_function(fn, "sys.subscribe")
    if type(id) == "table" then
      for _, each in pairs(id) do sys.subscribe(each, fn) end
      return
    end
    sys.unsubscribe(id, fn)
    subscribers[id] = subscribers[id] or {}
    table.insert(subscribers[id], fn)
  end

  --- Stop calling fn for id.
  -- @param id as given to subscribe
  function sys.unsubscribe(id, fn)
    if type(id) == "table" then
      for _, each in pairs(id) do sys.unsubscribe(each, fn) end
      return
    end
    for i, known in ipairs(id ~= nil and subscribers[id] or {}) do
      if known == fn then
        table.remove(subscribers[id], i)
        return
      end
    end
  end
end

local function add_timers(sys, tasks)
  local timers, next_id = {}, 1

  local function stop(timer)
    timers[timer.id] = nil
    timer.stopped = true
    tasks:drop(timer.task)
  end

  -- By the number that timerStart returned, or by the function and its arguments.
  local function find(what, ...)
    if type(what) == "number" then return timers[what] end
    local n, arguments = select("#", ...), { ... }
    for _, timer in pairs(timers) do
      if timer.fn == what and same_arguments(timer, n, arguments) then return timer end
    end
  end

  local function start(loops, fn, ms, ...)
    local old = find(fn, ...)
    if old then stop(old) end
    local timer = { id = next_id, fn = fn, arguments = table.pack(...) }
    next_id = next_id + 1
    timers[timer.id] = timer
    timer.task = tasks:spawn("timer", function()
      local due = tasks.now()
      repeat
        due = math.max(due + ms / 1000, tasks.now()) -- an hour asleep is not made up for
        tasks:wait(due - tasks.now())
        if not loops then timers[timer.id] = nil end
        fn(table.unpack(timer.arguments, 1, timer.arguments.n))
      until not loops or timer.stopped
    end)
    return timer.id
  end

  --- Call fn(...) once, after ms. If a timer with the same function and arguments exists, it is started again.
  -- @treturn integer number of the timer
  function sys.timerStart(fn, ms, ...)
    check_function(fn, "sys.timerStart")
    check_ms(ms, "sys.timerStart")
    return start(false, fn, ms, ...)
  end

  --- Call fn(...) every ms, until the timer is stopped or fn fails.
  -- @treturn integer number of the timer
  function sys.timerLoopStart(fn, ms, ...)
    check_function(fn, "sys.timerLoopStart")
    check_ms(ms, "sys.timerLoopStart")
    if ms < 1 then error("sys.timerLoopStart: at least 1 millisecond", 2) end
    return start(true, fn, ms, ...)
  end

  --- Stop a timer, by its number or by its function and arguments. If there is none, this does nothing.
  function sys.timerStop(what, ...)
    local timer = find(what, ...)
    if timer then stop(timer) end
  end

  --- Stop all timers of a function, whatever their arguments.
  function sys.timerStopAll(fn)
    for _, timer in pairs(timers) do
      if timer.fn == fn then stop(timer) end
    end
  end

  --- Whether the timer has still to fire.
  function sys.timerIsActive(what, ...)
    return find(what, ...) ~= nil
  end
end

--- Make one.
-- @tparam table tasks update.scheduler
-- @treturn table taskInit, wait, idle, waitUntil, waitUntilExt, waitUntilMsg, publish, subscribe, unsubscribe,
--   timerStart, timerLoopStart, timerStop, timerStopAll, timerIsActive, run, and those of update.script.luat_mail
function M.new(tasks)
  local sys = {}
  add_tasks(sys, tasks)
  add_messages(sys, tasks)
  add_timers(sys, tasks)
  mail.add(sys, tasks)
  return sys
end

return M
