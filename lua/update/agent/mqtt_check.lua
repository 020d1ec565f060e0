--- A query to a cloud over MQTT whose caller waits for the answer, as `moult check` does.
--
-- Methods of the listener in update.agent.mqtt_listener. An offer that arrives meanwhile is
-- kept until the caller has judged it, and only then installed: a check changes
-- nothing, and needs the engine.
--
-- @module update.agent.mqtt_check

local session = require "update.cloud.mqtt_session"

local AFTER_REPLY = 8 -- seconds: a cloud that answers a report with no more than "taken" has nothing to offer then

local Check = setmetatable({}, { __index = require "update.agent.mqtt_job" })
Check.__index = Check

-- Whether the cloud can be asked by `till`: true; nil, message, code.
local function await_turn(self, till)
  local tasks = self.agent.tasks
  while not session.may_ask(self.state) do
    local left = till - tasks.now()
    if left <= 0 then
      if self.state.online then return nil, ("cloud %s cannot be asked now"):format(self.name), "busy" end
      return nil, ("cloud %s: not connected"):format(self.name), "network"
    end
    tasks:await(self.moved, left)
  end
  return true
end

--- Ask, and wait for the answer; checked() is to follow.
-- @tparam number till seconds of tasks.now()
-- @treturn table|nil where, for engine:inspect() | nil, message, code: "nothing" when the cloud has nothing
function Check:ask(till)
  local tasks = self.agent.tasks
  self.question = self.question or { askers = 0 }
  local question = self.question
  question.askers = question.askers + 1
  local ok, message, code = await_turn(self, till)
  if not ok then return nil, message, code end
  if not question.offer then
    question.nothing, question.till = nil, till
    self:drive { type = "ask" }
  end
  while not question.offer and not question.nothing and tasks.now() < question.till do
    tasks:await(self.moved, question.till - tasks.now())
  end
  if question.offer then return self:where(question.offer) end
  if question.nothing or question.replied then
    return nil, ("cloud %s offers nothing"):format(self.name), "nothing"
  end
  return nil, ("cloud %s does not answer"):format(self.name), "network"
end

--- Who asked has seen the answer: what was offered begins.
function Check:checked()
  local question = self.question
  question.askers = question.askers - 1
  if question.askers > 0 then return end
  self.question = nil
  if not question.offer then return end
  self:drive { type = "offer", offer = question.offer, retained = false }
  self:offered_meanwhile(question.offer)
end

--- The cloud said something: whether it is kept for who asked.
-- @tparam table message of the dialect
-- @tparam boolean retained
function Check:keeps(message, retained)
  local question = self.question
  if not question or retained then return false end
  if message.kind == "offer" then
    question.offer = message.offer
  elseif message.kind == "nothing" then
    question.nothing = true
  elseif message.kind == "reply" and message.ok and question.till then
    question.replied = true
    question.till = math.min(question.till, self.agent.tasks.now() + AFTER_REPLY)
  end
  self.agent.tasks:set(self.moved)
  return message.kind == "offer"
end

return Check
