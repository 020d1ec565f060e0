--- What gates and policy say of a package, with the reasons.
--
-- @module update.verdict

local offers = require "update.offer"

local M = {}

local BROKEN_RETRY = 900 -- seconds

-- The gates' lines into the tree; true when all are open.
local function ask_gates(verdict, gates)
  for _, line in ipairs(gates.lines) do
    table.insert(verdict.tree, { gate = line.gate, result = line.open and "ok" or "stop", text = line.text })
  end
  if gates.open then return true end
  verdict.decision = { action = "refuse", reason = gates.code }
  verdict.code, verdict.message = gates.code, gates.message
  return false
end

-- Facts that were handed in come below those that the device knows itself.
local function device_facts(engine)
  local facts = engine.device:facts()
  for name, value in pairs(engine.facts()) do
    if facts[name] == nil then facts[name] = value end
  end
  return facts
end

--- Ask gates, then policy. Changes nothing.
-- @tparam table engine update.engine: device, facts, ask
-- @tparam table head offer, package
-- @treturn table {offer, decision = {action, reason, retry_after}, code (word
--   when it is not to be installed), message, by (name of the policy), tree =
--   {{gate|rule = word, result = "ok"|"skip"|"stop", text}, ...}}
function M.judge(engine, head)
  local verdict = { offer = head.offer, tree = {} }
  if not ask_gates(verdict, engine.device:gates(head.package)) then return verdict end
  local decision, tree, by = engine.ask(head.offer, device_facts(engine))
  if not decision then
    decision = { action = "defer", reason = "policy", retry_after = BROKEN_RETRY }
    tree, by = { { rule = "policy", result = "stop", text = tree } }, nil
  end
  table.move(tree, 1, #tree, #verdict.tree + 1, verdict.tree)
  verdict.decision, verdict.by = decision, by
  if decision.action == "install" then return verdict end
  local last = tree[#tree]
  verdict.code = decision.action == "defer" and "deferred" or "refused"
  verdict.message = ("%s: policy says %s%s%s"):format(head.offer.release, decision.action,
    decision.reason and (" (%s)"):format(decision.reason) or "", last and ": " .. last.text or "")
  return verdict
end

--- Tell a verdict to the log, a line each; once while polls bring it again.
-- @tparam table engine log; `logged` is kept there
-- @tparam table head id, offer
-- @tparam table verdict of judge()
function M.log(engine, head, verdict)
  local key = table.concat({ head.id, verdict.decision.action, tostring(verdict.decision.reason) }, " ")
  if verdict.code and key == engine.logged then return end
  engine.logged = key
  engine.log(("update %s: %s from %s: %s%s"):format(head.id, offers.describe(head.offer), head.offer.cloud,
    verdict.decision.action, verdict.code and (" (%s)"):format(verdict.code) or ""))
  for _, line in ipairs(verdict.tree) do
    engine.log(("update %s:   %s %s: %s, %s"):format(head.id, line.gate and "gate" or "rule",
      line.gate or line.rule, line.result, line.text))
  end
end

return M
