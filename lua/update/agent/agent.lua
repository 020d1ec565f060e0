--- What the agent does: updates, their outcome, and the events that it sends.
--
-- update.agent puts it together.
--
-- @module update.agent.agent

local places = require "update.engine.place"

local DATE_EVERY = 60   -- seconds between two dates for the supervisor, unless one changed something
local REPORT_WITHIN = 1 -- seconds for the last report before a restart

local Agent = {}
Agent.__index = Agent

function Agent:phase()
  return self.current_phase
end

--- Wake every task that waits for something to change.
function Agent:stir()
  self.tasks:set(self.stirred)
end

--- Send an event to every watcher.
function Agent:tell(event)
  if self.server then self.server:broadcast(event) end
end

--- Read the journal again and tell the phase.
function Agent:refresh()
  local ok, message, code = self.device:reload()
  if not ok then self.log(("state: %s (%s)"):format(message, code)) end
  local status = self.device:status()
  if status.phase ~= self.current_phase then
    self.current_phase = status.phase
    -- Back to idle: `last` says how it ended.
    self:tell { event = "state", phase = status.phase, release = status.release,
      last = status.phase == "idle" and status.last or nil }
  end
  self:stir()
end

--- Start what is armed: restart the script, or the device if a core came with it.
-- @tparam string why
-- @tparam[opt] number|function delay seconds, so that an answer can leave first; or what waits for that
function Agent:restart(why, delay)
  local armed = self.armed_times
  self.tasks:spawn("restart", function()
    if type(delay) == "function" then
      delay()
    elseif delay then
      self.tasks:wait(delay)
    end
    if self:phase() ~= "armed" or self.armed_times ~= armed then return end
    self.note(("starting the new release (%s)"):format(why))
    self.supervisor:send "restart"
  end)
end

--- One update. What armed it by itself also restarts, unless told otherwise.
-- @tparam table where fields of update.engine.place
-- @tparam string why "poll", "offer", "held" (an offer that a script drives), "pushed" (its cloud says when to
--   restart), "hotfix", "request", "install", "apply"
-- @return as engine:install()
function Agent:update(where, why)
  local place = places.new(where, { by_hand = why == "install", tries = why == "request" and 1 or nil,
    head_tries = why == "poll" and 1 or nil })
  if why ~= "install" then self.trial:await_verdict() end
  -- One that only asks its server yet is waited for; a transaction is not.
  while self.engine:is_busy() and not self.engine:has_begun() do
    -- A question that finds nothing must not end an update that only waits to be armed.
    if why == "poll" and self.engine:stands_by() then
      local found, message, code = self.engine:inspect(place)
      if not found or found.code then return nil, message or found.message, code or found.code, found end
    end
    self.engine:make_way()
    self.tasks:await(self.engine_free, 5)
  end
  local free = not self.engine:is_busy()
  if free then self.watcher = place.watch end
  local result, message, code, verdict, retry_after = self.engine:install(place)
  -- The gate releases the reserve; an update that did not reach the gate is begun again with it.
  if code == "nospace" and self.reserve:give_up() then
    result, message, code, verdict, retry_after = self.engine:install(place)
  end
  if free then self.watcher, self.retry = nil, nil end
  self.tasks:set(self.engine_free)
  if self:phase() ~= self.device:status().phase then self:refresh() end
  self:hand_over()
  if result and (result.already or result.hotfix) then
    if result.hotfix then self:tell { event = "done", hotfix = result.hotfix, state = result.state } end
    self:stir()
    return result
  elseif result then
    self.armed_times = self.armed_times + 1
    self.supervisor:send "armed"
    self:tell { event = "done", release = result.release, sequence = result.sequence,
      unsigned = result.unsigned }
    if self.config.restart_when == "now" then
      if why == "poll" then self:restart("poll") end
      if why == "offer" then self:restart("offer", REPORT_WITHIN) end
      -- The script was told, and decides when: but not never, or nothing else could be installed.
      if why == "request" or why == "held" then self:restart("the script did not", self.config.restart_after) end
    end
  elseif code ~= "nothing" and code ~= "deferred" then
    self:tell { event = "error", message = message, code = code }
  end
  self:stir()
  return result, message, code, verdict, retry_after
end

--- The supervisor finishes a rollback that the agent began and could not finish.
function Agent:hand_over()
  if self:phase() == "rolling_back" then self.supervisor:send "resume" end
end

--- Drop the transaction that is not armed yet.
function Agent:drop(reason)
  local ok, message, code = true, nil, nil
  if self.engine:is_busy() then
    self.engine:cancel(reason)
    local till = self.tasks.now() + 30
    while self.engine:is_busy() and self.tasks.now() < till do self.tasks:wait(0.05) end
    if self.engine:is_busy() then return nil, "the update does not end; try again", "busy" end
  else
    ok, message, code = self.device:abandon("refused", reason)
  end
  self:refresh()
  self:hand_over()
  if not ok then return nil, message, code end
  -- It was armed before it could be told.
  if self:phase() == "armed" then return self.supervisor:order("rollback", reason) end
  return "dropped"
end

--- The status of the device, with how far the transaction is right now, and
-- what the supervisor has found wrong and tells of the script.
function Agent:status()
  local status = self.device:status()
  status.trouble = self.trouble or status.trouble
  status.mixed = self.mixed
  for name, value in pairs(status.script and self.script_ends or {}) do status.script[name] = value end
  local retry = self.retry
  if retry and retry.at > self.tasks.uptime() then
    status.retry = { message = retry.message, code = retry.code,
      time = self.natives.storage.now() + math.ceil(retry.at - self.tasks.uptime()) }
  end
  local live = self.live
  if live and status.transaction and status.transaction.sequence == live.sequence then
    status.transaction.part, status.transaction.done, status.transaction.total = live.part, live.done, live.total
  end
  return status
end

--- What the supervisor finds wrong: {updates = boolean: whether they go on, code, message}, or nil.
function Agent:met_trouble(trouble)
  self.trouble = trouble
  self:refresh()
end

--- The script has ended repeatedly: {restarts, reason, next_start}.
function Agent:script_ended(ends)
  self.script_ends = ends
end

--- The script was started, or went away.
-- @tparam integer|nil pid of it; 0: what runs has none, and the programs of its files run
-- @tparam integer|nil start_no of the trial, 0 outside of one
-- @tparam[opt] boolean vouched somebody told an earlier agent that this start is good
function Agent:script_came(pid, start_no, vouched)
  self.script_pid, self.script_ends = pid ~= 0 and pid or nil, {}
  self.trial:script(pid ~= nil, start_no, vouched)
  self:stir()
end

--- Process id of the script, or nil.
function Agent:script_process()
  return self.script_pid
end

--- The listener of a cloud that pushes; nil for one that is asked.
-- @tparam string name
function Agent:listener(name)
  return self.listeners[name]
end

--- Who serves the cloud that is called; nil: there is none.
function Agent:terminal()
  return self.called
end

--- Who talks with the Qinglian cloud; nil: there is none.
function Agent:qinglian()
  return self.qinglian_cloud
end

--- Every listener: for name, listener in agent:each_listener() do
function Agent:each_listener()
  return pairs(self.listeners)
end

function Agent:on_event(event)
  if self.watcher then self.watcher(event) end
  if event.event == "progress" then
    self.live = event
  elseif event.event == "retry" then
    self.retry = { at = self.tasks.uptime() + event.seconds, message = event.message, code = event.code }
  elseif event.event == "state" then
    self.current_phase = event.phase
    if event.phase ~= "fetching" and event.phase ~= "installing" then self.live = nil end
    self:stir()
  end
  self:tell(event)
end

--- A server with a verified certificate sent the time. The supervisor is told
-- too: it confirms releases, and has to know whether the clock is right.
-- @tparam integer|nil date seconds since 1970
function Agent:witness(date)
  if not date then return end
  local before, now = self.device:facts().time_trusted, self.tasks.now()
  self.device:witness(date)
  if before == self.device:facts().time_trusted and now - (self.dated or -math.huge) < DATE_EVERY then return end
  self.dated = now
  self.supervisor:send(("date %d"):format(date))
end

return Agent
