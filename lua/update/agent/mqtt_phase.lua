--- What the phase of the device means to a cloud over MQTT: when it hears of releases, and when it is only to answer.
--
-- Methods of the listener in update.agent.mqtt_listener.
--
-- @module update.agent.mqtt_phase

local REACHED_EVERY = 2     -- seconds between two questions on trial
local HURRY_EVERY = 15      -- seconds between two attempts to connect meanwhile, at most

-- In these phases nothing is reported, and nothing installed.
local UNSETTLED = { armed = true, trial = true, confirming = true, rolling_back = true }

local Phase = {}

-- The pauses of a long outage must not outlast the time for a verdict.
local function hurry(self)
  local now = self.agent.tasks.now()
  if now - (self.hurried or -math.huge) < HURRY_EVERY then return end
  self.hurried = now
  self.mqtt:hurry()
  self.agent.tasks:wake(self.task)
end

-- On trial, and for its verdict: an answer of the broker is asked for until there was one.
local function ask_on_trial(self)
  if not self.agent.trial:awaits_cloud() then return 60 end
  if self.mqtt and self.mqtt:status().connected then
    local row = self.dialect.subscriptions(self.cloud.product, self.cloud.device)[1]
    self.mqtt:subscribe(row[1], row[2])
    self.agent.tasks:wake(self.task)
  elseif self.mqtt then
    hurry(self)
  end
  return REACHED_EVERY
end

local function tell_phase(self)
  local agent, phase = self.agent, self.agent:phase()
  if UNSETTLED[phase] or agent.trial:is_judging() then
    if self.settled ~= false then self:drive { type = "unsettled" } end
    self.settled = false
    return
  end
  local release = agent.device:facts().release
  if self.settled == release then return end
  local last = agent.device:status().last or {}
  self.settled = release
  self:drive { type = "settled", release = release, code = last.code or "ok", text = last.message,
    open = phase ~= "idle" or last.verdict == "again" }
end

--- Follow it for ever.
function Phase:follow_phase()
  while true do
    tell_phase(self)
    local job = self.state.job
    if job and job.stage == "waiting" and job.busy and self.settled and not self.agent.engine:is_busy() then
      self:drive { type = "timer", what = "retry" }
    end
    self.agent.tasks:await(self.agent.stirred, ask_on_trial(self))
  end
end

return Phase
