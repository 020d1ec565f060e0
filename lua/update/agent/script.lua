--- What the agent knows of the script and from it: its name and its facts.
--
-- @module update.agent.script

local M = {}

local FACTS_WITHIN = 2 -- seconds that the script has for its facts

local Script = {}
Script.__index = Script

--- @tparam table agent
function M.new(agent)
  return setmetatable({ agent = agent, asked = {}, asked_id = 0 }, Script)
end

-- What is wrong with the globals of main.lua, or nil. What it does not set is not wrong.
local function wrong_global(agent, given)
  local config, script = agent.config, agent.device:status().script
  if given.project and given.project ~= config.project then
    return ("PROJECT is %q, the configuration says %q"):format(tostring(given.project), config.project)
  elseif given.version and script and script.version ~= "" and given.version ~= script.version then
    return ("VERSION is %q, the package says %q"):format(tostring(given.version), script.version)
  elseif given.product_key and agent.natives.digest.sha256(tostring(given.product_key)) ~= config.product_key then
    return "PRODUCT_KEY is not the one of the configuration"
  end
end

--- Whether the script that runs is the one of its package. When not, a trial
-- start counts as failed; outside of a trial it is an error event.
-- @tparam table given project, version, product_key: globals of main.lua
-- @treturn boolean true | nil, message, "incompatible"
function Script:globals(given)
  local agent, wrong = self.agent, wrong_global(self.agent, given)
  if not wrong then return true end
  wrong = "main.lua: " .. wrong
  agent.log(("script: %s"):format(wrong))
  if agent:phase() == "trial" then
    agent.supervisor:send("failed " .. wrong)
  else
    agent:tell { event = "error", message = wrong, code = "incompatible" }
  end
  return nil, wrong, "incompatible"
end

--- The answer to {"event":"facts","id":n}.
function Script:told(peer, id, facts)
  local asked = self.asked[id]
  if not asked or asked.peer ~= peer or type(facts) ~= "table" then return end
  asked.facts = facts
  self.agent.tasks:set(asked)
end

-- Facts that only the script and programs know; unknown if none answers in time. For each fact the first answer
-- counts.
local function ask(self)
  local asked, facts, tasks = {}, {}, self.agent.tasks
  local till = tasks.now() + FACTS_WITHIN
  for i, peer in ipairs(self.agent.server:fact_peers()) do
    self.asked_id = self.asked_id + 1
    asked[i] = { peer = peer, id = self.asked_id }
    self.asked[self.asked_id] = asked[i]
    peer:send { event = "facts", id = self.asked_id }
  end
  for _, one in ipairs(asked) do
    if not one.facts then tasks:await(one, math.max(0, till - tasks.now())) end
    self.asked[one.id] = nil
    for name, value in pairs(one.facts or {}) do
      if facts[name] == nil then facts[name] = value end
    end
  end
  return facts
end

--- Whether the script may drop an update. A script that drops every update could never be replaced, so each day
-- of that is counted, as it is for a policy (device:count_kept_out()), and after `policy_days` of them it may not.
-- @treturn boolean true | nil, message, "refused"
function Script:may_drop()
  local agent = self.agent
  local days = agent.device:status().kept_out
  if days < agent.config.policy_days then return true end
  return nil, ("this release kept packages out on %d days: its script is ignored"):format(days), "refused"
end

--- The script has dropped an update.
function Script:dropped()
  local counted, why, code = self.agent.device:count_kept_out()
  if not counted then self.agent.log(("the day is not counted: %s (%s)"):format(why, code)) end
end

--- Facts for policy besides those of the device: of the system, of the link, of the script.
-- @treturn table
function Script:facts()
  local facts = require("update.engine.system_facts").system()
  facts.spent_today = self.agent.spending:today()
  for name, value in pairs(ask(self)) do
    if facts[name] == nil then facts[name] = value end
  end
  return facts
end

return M
