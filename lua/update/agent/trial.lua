--- The agent's side of a trial: facts are gathered, policy says whether the
-- release is well, and the supervisor is told.
--
-- Also when nothing is missing but an answer of a cloud. A trial that ended so is
-- judged by the release that runs next: a cloud that answers it soon would have
-- answered the other, too, so that one broke the network. Until then no cloud
-- is asked for more than a sign of life, and none is told of a failure.
--
-- @module update.agent.trial

local registry = require "update.cloud.registry"

local M = {}

local VERDICTS = { [true] = "well", [false] = "ill" }
local UP_WITHIN = 60 -- seconds, for a script to be started
local EVERY = 1 -- seconds between two questions
local JUDGED_AFTER = 60 -- seconds that the old release has to reach a cloud, but no more than a trial has

-- In these phases the state is the supervisor's.
local NOT_OURS = { armed = true, trial = true, confirming = true, rolling_back = true }

local Trial = {}
Trial.__index = Trial

--- @tparam table agent
function M.new(agent)
  return setmetatable({ agent = agent, errors = 0 }, Trial)
end

--- The script was started (or went away): what was learnt of it is void.
-- @tparam boolean up
-- @tparam integer start_no of the trial, 0 outside of one
-- @tparam[opt] boolean vouched confirm() was called of this start already
function Trial:script(up, start_no, vouched)
  self.since = up and self.agent.tasks.now() or nil
  self.starts = start_no
  self.errors, self.confirm_called, self.cloud_reached, self.told = 0, vouched == true, false, false
end

--- A task of the script failed.
function Trial:count_error()
  self.errors = self.errors + 1
end

--- Somebody calls the release good. The word is for the start that is under way: before its script
-- is up, it is waited for.
-- @treturn boolean true | nil, message, code
function Trial:confirm()
  local tasks = self.agent.tasks
  local till = tasks.now() + UP_WITHIN
  while self.agent:phase() == "trial" and not self:is_up() do
    if tasks.now() >= till then return nil, "the script of the trial is not up; confirm again", "busy" end
    tasks:await(self.agent.stirred, EVERY)
  end
  if self.agent:phase() ~= "trial" then return nil, "no release is on trial", "nothing" end
  self.confirm_called = true
  self.agent.supervisor:send "vouched" -- before the caller is told: it counts, whatever becomes of us
  self.agent:stir()
  return true
end

--- Whether the script runs, at a start that is counted.
function Trial:is_up()
  return self.since ~= nil and (self.starts or 0) > 0
end

--- Whether a release waits for the one that runs to find out about the network.
function Trial:is_judging()
  return not NOT_OURS[self.agent:phase()] and self.agent.device:unjudged()
end

--- Whether all that is wanted of clouds now is a sign that one can be reached.
function Trial:probes()
  return self.agent:phase() == "trial" or self:is_judging()
end

--- Whether that is still to come.
function Trial:awaits_cloud()
  return self.since ~= nil and not self.cloud_reached and self:probes()
end

--- A cloud answered in the way of its dialect.
-- @tparam string name
function Trial:reached(name)
  if not self:awaits_cloud() then return end
  self.agent.note(("cloud %s: reached"):format(name))
  self.cloud_reached = true
  -- What an agent before this one said of the same start is over, too.
  if self.agent:phase() == "trial" then self.agent.supervisor:send "lacks more" end
  self.told = false
  self.agent:stir()
end

--- Wait until what went back last is judged.
function Trial:await_verdict()
  while self:is_judging() do self.agent.tasks:await(self.agent.stirred, 5) end
end

--- Facts as lua/update/policy.lua lists them.
function Trial:facts()
  local now = self.agent.tasks.now()
  local reached = nil
  for _, cloud in ipairs(self.agent.config.clouds) do
    if not registry.is_called(cloud) then reached = self.cloud_reached end -- a call proves nothing
  end
  return {
    uptime = self.since and math.floor(now - self.since) or 0,
    starts = self.starts or 0,
    confirm_called = self.confirm_called,
    cloud_reached = reached,
    errors = self.errors,
  }
end

-- Whether policy would confirm it, had a cloud answered.
function Trial:lacks_only_cloud(facts, healthy)
  if healthy or facts.cloud_reached ~= false then return false end
  facts.cloud_reached = true
  return (self.agent.asker:healthy(facts)) == true
end

-- The supervisor has to know when it comes to the deadline. It keeps what an agent
-- said that was killed since.
function Trial:tell_lack(only_cloud)
  if only_cloud == (self.told or false) then return end
  self.told = only_cloud
  self.agent.supervisor:send(only_cloud and "lacks cloud" or "lacks more")
end

-- Say why something was not done; what stays the same, such as a state that cannot be written, is said once.
function Trial:report(what, ok, message, code)
  local text = not ok and ("trial: %s: %s (%s)"):format(what, message, code) or nil
  if text and text ~= self.reported then self.agent.log(text) end
  self.reported = text
end

-- One question, and what follows from its answer.
function Trial:look()
  local agent = self.agent
  -- A start that was not counted does not belong to the trial.
  if (self.starts or 0) == 0 then return end
  local facts = self:facts()
  local healthy, why = agent.asker:healthy(facts)
  local only_cloud = self:lacks_only_cloud(facts, healthy)
  self:tell_lack(only_cloud)
  -- "it ran 3 of 60 s" and "4 of 60 s" are the same news.
  local news = tostring(healthy) .. tostring(why):gsub("%d+", "")
  if news ~= self.said then agent.note(("trial: %s: %s"):format(VERDICTS[healthy] or "not yet", tostring(why))) end
  self.said = news
  if agent:phase() ~= "trial" or not self.since then return end
  if healthy == true then
    self:report("confirm", agent.supervisor:order("confirm"))
  elseif healthy == false and only_cloud then
    agent.supervisor:send("unreached policy: " .. tostring(why))
  elseif healthy == false then
    self:report("rollback", agent.supervisor:order("rollback", "policy: " .. tostring(why)))
  end
end

-- The verdict, when a cloud answered or the time is over. The time begins when
-- the old release runs; one that ends again and again has no more of it.
function Trial:judge()
  local agent = self.agent
  local now = agent.tasks.now()
  self.judges_till = self.judges_till or self.since and now + math.min(JUDGED_AFTER, agent.config.deadline)
  if not self.cloud_reached and now < (self.judges_till or math.huge) then return end
  local ok, message, code = agent.device:judge(self.cloud_reached)
  self:report("verdict", ok, message, code)
  if not ok then return end
  agent.log(("trial: verdict: %s"):format(agent.device:status().last.message))
  self.judges_till = nil
  agent:stir()
end

--- Watch trials for ever.
function Trial:run()
  local agent = self.agent
  while true do
    if agent:phase() == "trial" and self.since then
      self.judges_till = nil
      self:look()
      agent.tasks:await(agent.stirred, EVERY)
    elseif self:is_judging() then
      self:judge()
      agent.tasks:await(agent.stirred, EVERY)
    else
      agent.tasks:await(agent.stirred, 60)
    end
  end
end

return M
