--- The agent's side of a trial: facts are gathered, policy says whether the
-- release is well, and the supervisor is told.
--
-- @module update.agent_trial

local M = {}

local VERDICTS = { [true] = "well", [false] = "ill" }
local EVERY = 1 -- seconds between two questions

local Trial = {}
Trial.__index = Trial

--- @tparam table agent
function M.new(agent)
  return setmetatable({ agent = agent, errors = 0 }, Trial)
end

--- The script was started (or went away): what was learnt of it is void.
-- @tparam boolean up
-- @tparam integer start_no of the trial, 0 outside of one
function Trial:script(up, start_no)
  self.since = up and self.agent.tasks.now() or nil
  self.starts = start_no
  self.errors, self.confirm_called, self.cloud_reached = 0, false, false
end

--- Facts as lua/update/policy.lua lists them.
function Trial:facts()
  local now = self.agent.tasks.now()
  local reached = nil
  if #self.agent.config.clouds > 0 then reached = self.cloud_reached end
  return {
    uptime = self.since and math.floor(now - self.since) or 0,
    starts = self.starts or 0,
    confirm_called = self.confirm_called,
    cloud_reached = reached,
    errors = self.errors,
  }
end

-- One question, and what follows from its answer.
function Trial:look()
  local agent = self.agent
  -- A start that was not counted is none of the trial.
  if (self.starts or 0) == 0 then return end
  local healthy, why = agent.asker:healthy(self:facts())
  -- "the script ran 3 of 60 s" and "4 of 60 s" are the same news.
  local news = tostring(healthy) .. tostring(why):gsub("%d+", "")
  if news ~= self.said then agent.log(("trial: %s: %s"):format(VERDICTS[healthy] or "not yet", tostring(why))) end
  self.said = news
  if agent:phase() ~= "trial" or not self.since then return end
  if healthy == true then
    local ok, message, code = agent.supervisor:order("confirm")
    if not ok and message ~= self.unconfirmed then agent.log(("trial: confirm: %s (%s)"):format(message, code)) end
    self.unconfirmed = message
  elseif healthy == false then
    local ok, message, code = agent.supervisor:order("rollback", "policy: " .. tostring(why))
    if not ok then agent.log(("trial: rollback: %s (%s)"):format(message, code)) end
  end
end

--- Watch trials for ever.
function Trial:run()
  local agent = self.agent
  while true do
    if agent:phase() == "trial" and self.since then
      self:look()
      agent.tasks:await(agent.stirred, EVERY)
    else
      agent.tasks:await(agent.stirred, 60)
    end
  end
end

return M
