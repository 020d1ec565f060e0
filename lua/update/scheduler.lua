--- Tasks of the agent and of verbs: coroutines over the one loop.
--
-- A task waits for time, for descriptors, for the loop, or for an event that
-- another task sets. Only run() and step() ever wait in the kernel. Waiting
-- functions may only be called in a task. Tasks that are due together run in
-- the order of their times, then of their making.
--
-- @module update.scheduler

local M = {}

local TICK = 1e-6 -- seconds; what sums of fractions may be off by
local LOOK = 60 -- seconds at most until the clock is read that goes on while the system is suspended
local NONE = {}

local Scheduler = {}
Scheduler.__index = Scheduler

--- @tparam table o loop (update.native.loop handle), now (function: seconds,
--   monotonic), on_error (function(task name, traceback): a task failed), [opt] uptime (function: seconds of a clock
--   that goes on while the system is suspended)
function M.new(o)
  return setmetatable({
    loop = o.loop, now = o.now, uptime = o.uptime or o.now, on_error = o.on_error, tasks = {}, ready = {}, made = 0,
  }, Scheduler)
end

--- Start a task; it runs at the next turn.
-- @tparam string name for messages
-- @tparam function fn
-- @treturn table task; task.dead once it ended
function Scheduler:spawn(name, fn, ...)
  self.made = self.made + 1
  local task = { name = name, thread = coroutine.create(fn), number = self.made }
  self.tasks[#self.tasks + 1] = task
  self:wake(task, ...)
  return task
end

--- Start a task that runs at once until it first waits.
-- @treturn table as spawn()
function Scheduler:start(name, fn, ...)
  local task = self:spawn(name, fn, ...)
  local entry = table.remove(self.ready) -- it was queued last
  self:resume(entry[1], entry[2])
  return task
end

local function forget(self, task)
  task.dead = true
  for i, other in ipairs(self.tasks) do
    if other == task then table.remove(self.tasks, i) end
  end
end

--- End a task where it waits; one that runs right now goes on to its next wait.
function Scheduler:drop(task)
  if task.dead then return end
  forget(self, task)
  if coroutine.status(task.thread) == "suspended" then coroutine.close(task.thread) end
end

--- Whether the caller runs in a task, so that it may wait.
-- False in a coroutine that a task made by itself.
function Scheduler:inside()
  return self.current ~= nil and self.current.thread == coroutine.running()
end

--- Run a function that waits, from anywhere: in a task it is simply called;
-- outside of one, all tasks run on until it returned.
-- @return what fn returned
function Scheduler:block(fn, ...)
  if self:inside() then return fn(...) end
  local results
  local task = self:spawn("main", function(...) results = table.pack(fn(...)) end, ...)
  while not task.dead and not self.stopped do self:step(task) end
  if not results then error("the wait was ended by an error; see above", 2) end
  return table.unpack(results, 1, results.n)
end

-- Put the running task to sleep. `how`: at (time to wake), till (the same as an uptime), watches, loop
-- (true: whenever the loop woke).
function Scheduler:sleep(how)
  local task = assert(self.current, "not in a task")
  task.at, task.till, task.watches, task.loop = how.at, how.till, how.watches, how.loop
  return coroutine.yield()
end

--- Wait for seconds.
function Scheduler:wait(seconds)
  self:sleep { at = self.now() + seconds }
end

--- Let other tasks run.
function Scheduler:turn()
  self:sleep { at = 0 }
end

--- Wait until the loop moved something: call again what said "again".
-- @tparam[opt=1] number seconds at most
function Scheduler:idle(seconds)
  self:sleep { at = self.now() + (seconds or 1), loop = true }
end

--- Wait for descriptors.
-- @tparam {table,...} watches {fd, read, write}; `ready` is set on each
-- @tparam[opt] number seconds at most
-- @treturn boolean false when the time was over first
function Scheduler:watch(watches, seconds)
  return self:sleep { at = seconds and self.now() + seconds, watches = watches } == true
end

local function await(self, event, how)
  local task = self.current
  event[#event + 1] = task
  local values = table.pack(self:sleep(how))
  for i = #event, 1, -1 do
    if event[i] == task then table.remove(event, i) end
  end
  return table.unpack(values, 1, values.n)
end

--- Wait until another task calls set(event, ...) or the time is over.
-- @tparam table event any table used for this alone
-- @tparam[opt] number seconds at most
-- @return what set() was given, or nothing
function Scheduler:await(event, seconds)
  return await(self, event, { at = seconds and self.now() + seconds })
end

--- A long pause, between two questions to a server, say: the time in which the system is suspended counts, so that a
-- device that sleeps most of the time asks as often as one that does not. What is due meanwhile is done within a minute
-- after it woke.
-- @tparam number seconds
-- @tparam[opt] table event that ends it, as for await()
-- @return as await()
function Scheduler:rest(seconds, event)
  return await(self, event or {}, { at = self.now() + seconds, till = self.uptime() + seconds })
end

--- Wake everyone who awaits the event now.
function Scheduler:set(event, ...)
  local waiting = table.move(event, 1, #event, 1, {})
  for i = #event, 1, -1 do event[i] = nil end
  for _, task in ipairs(waiting) do
    self:wake(task, ...)
  end
end

function Scheduler:wake(task, ...)
  if task.queued or task.dead then return end
  task.at, task.till, task.watches, task.loop = nil, nil, nil, nil
  task.queued = true
  table.insert(self.ready, { task, table.pack(...) })
end

function Scheduler:resume(task, values)
  task.queued = nil
  if task.dead then return end
  local outer = self.current -- not nil when step() is called inside of a task
  self.current = task
  local ok, message = coroutine.resume(task.thread, table.unpack(values, 1, values.n))
  self.current = outer
  if coroutine.status(task.thread) == "dead" then
    if not task.dead then forget(self, task) end
    if not ok then self.on_error(task.name, debug.traceback(task.thread, tostring(message))) end
  end
end

-- Milliseconds until the next task is due; what all of them watch.
function Scheduler:survey()
  local now, due = self.now(), nil
  local watches = {}
  for _, task in ipairs(self.tasks) do
    local at = task.till and math.min(task.at, now + LOOK) or task.at
    if at and (not due or at < due) then due = at end
    for _, watch in ipairs(task.watches or NONE) do
      watch.ready = false
      watches[#watches + 1] = watch
    end
  end
  if #self.ready > 0 then return 0, watches end
  return due and math.max(0, math.ceil((due - now - TICK) * 1000)) or LOOK * 1000, watches
end

local function sooner(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.task.number < b.task.number
end

function Scheduler:wake_due()
  local now, uptime, due = self.now(), self.uptime(), {}
  for _, task in ipairs(self.tasks) do
    local hit = task.loop
    for _, watch in ipairs(task.watches or NONE) do
      hit = hit or watch.ready
    end
    local over = task.at and task.at <= now + TICK or task.till and task.till <= uptime + TICK
    if hit or over then due[#due + 1] = { task = task, at = task.at or now, hit = hit } end
  end
  if #due > 1 then table.sort(due, sooner) end
  for _, entry in ipairs(due) do
    if entry.hit then self:wake(entry.task, true) else self:wake(entry.task) end
  end
end

function Scheduler:run_ready()
  for _ = 1, #self.ready do
    local entry = table.remove(self.ready, 1)
    if not entry then break end -- a turn inside of a task took it
    self:resume(entry[1], entry[2])
  end
end

--- One turn: run what is ready, wait in the loop, see what is due.
-- @tparam[opt] table task stop before the wait when it ended
function Scheduler:step(task)
  self:run_ready()
  if self.stopped or not self.tasks[1] or task and task.dead then return end
  local timeout, watches = self:survey()
  local ok, message = self.loop:poll(timeout, watches)
  if not ok then error("the loop failed: " .. message) end
  self:wake_due()
end

--- Run until stop() or until no task is left.
function Scheduler:run()
  while not self.stopped and self.tasks[1] do self:step() end
end

--- End run() after the current turn.
function Scheduler:stop()
  self.stopped = true
end

return M
