--- The policy process of the model: the default policy, asked in place and
-- without walls, which have their own specs. Returns a function from the JSON
-- of a question to that of the answer.

local json = require "update.native.json"
local policy = require "update.policy"

local ask = {}

function ask.decide(question)
  return policy.decide(question.offer, question.device, question.limits)
end

function ask.choose(question)
  return { names = json.array(policy.choose(question.hotfixes, question.device)) }, {}
end

function ask.healthy(question)
  local healthy, reason = policy.healthy(question.facts, question.limits)
  if healthy == nil then healthy = json.null end
  return { healthy = healthy, reason = reason }, {}
end

return function(text)
  local question = assert(json.decode(text))
  local answer, tree = ask[question.ask](question)
  return json.encode { ok = true, answer = answer, tree = json.array(tree), by = "default" }
end
