--- What gates and policy say about a package, with the reasons.
--
-- @module update.engine.verdict

local offers = require "update.engine.offer"

local M = {}

local BROKEN_RETRY = 900 -- seconds

--- Call method(device, package) with the head's permit, if there is one. The
-- permit is verified anew and dropped afterwards, so that it never applies to
-- another package.
-- @treturn any what the method returned | nil, message, code
function M.with_permit(device, head, method)
  if not head.permit then return method(device, head.package) end
  local ok, message, code = device:permit(head.permit)
  if not ok then return nil, message, code end
  local result
  result, message, code = method(device, head.package)
  device:permit(nil)
  return result, message, code
end

-- The result of the gates. An invalid permit leaves the gate `floor` closed.
local function gates_of(device, head)
  local gates, message, code = M.with_permit(device, head, device.gates)
  return gates or { open = false, code = code, message = message,
    lines = { { gate = "floor", open = false, text = message } } }
end

-- Add the gates' lines to the tree. Returns true if all are open.
local function ask_gates(verdict, gates)
  for _, line in ipairs(gates.lines) do
    table.insert(verdict.tree, { gate = line.gate, result = line.open and "ok" or "stop", text = line.text })
  end
  if gates.open then return true end
  verdict.decision = { action = "refuse", reason = gates.code }
  verdict.code, verdict.message = gates.code, gates.message
  return false
end

-- A release that the medium did not keep rests, unless a person asks for it.
local function ask_medium(engine, head, verdict)
  local rest = not head.by_hand and engine.unkept and engine.unkept:rest(head.manifest.digest)
  if not rest then return true end
  local text = ("the medium did not return what was written; Moult tries again in %d s, `moult install` at once")
    :format(rest)
  table.insert(verdict.tree, { rule = "medium", result = "stop", text = text })
  verdict.decision = { action = "defer", reason = "medium", retry_after = rest }
  verdict.code, verdict.message = "deferred", ("%s: %s"):format(offers.name_of(head.offer), text)
  return false
end

-- The device's own facts take precedence over those of the caller.
local function device_facts(engine)
  local facts = engine.device:facts()
  for name, value in pairs(engine.facts()) do
    if facts[name] == nil then facts[name] = value end
  end
  return facts
end

-- Whether the package is the running release: then there is nothing to do, rather than "sequence too low".
local function runs_already(device, head, gates)
  local facts = device:facts()
  if not head.manifest.release or head.manifest.release ~= facts.release then return false end
  for _, line in ipairs(gates.lines) do
    if not line.open and line.gate ~= "floor" then return false end
  end
  for _, part in ipairs(head.manifest.parts) do
    if not facts.floor or facts.floor[part.kind] ~= head.manifest.sequence then return false end
  end
  return true
end

--- Ask gates, then policy. Changes nothing.
-- @tparam table engine update.engine: device, facts, ask, unkept (or nil)
-- @tparam table head offer, package
-- @treturn table {offer, decision = {action, reason, retry_after}, code (word,
--   if it will not be installed), message, by (name of the policy), facts (given to policy), tree =
--   {{gate|rule = word, result = "ok"|"skip"|"stop", text}, ...}}
function M.judge(engine, head)
  local verdict = { offer = head.offer, tree = {} }
  local gates = gates_of(engine.device, head)
  if not gates.open and gates.code == "nospace" and engine.reserve and engine.reserve:give_up() then
    gates = gates_of(engine.device, head)
  end
  if not ask_gates(verdict, gates) then
    -- With a permit the user wants it again, so a fault of the permit is reported.
    if not head.permit and runs_already(engine.device, head, gates) then
      verdict.code, verdict.message = "nothing", ("release %s runs already"):format(head.manifest.release)
      verdict.decision.reason = "same"
    end
    return verdict
  end
  if not ask_medium(engine, head, verdict) then return verdict end
  head.offer.permit = gates.permitted == true
  head.offer.repair = gates.repairs == true
  verdict.facts = device_facts(engine)
  local decision, tree, by = engine.ask(head.offer, verdict.facts, head.left_out)
  if not decision then
    decision = { action = "defer", reason = "policy", retry_after = BROKEN_RETRY }
    tree, by = { { rule = "policy", result = "stop", text = tree } }, nil
  end
  table.move(tree, 1, #tree, #verdict.tree + 1, verdict.tree)
  verdict.decision, verdict.by = decision, by
  if decision.action == "install" then return verdict end
  local last = tree[#tree]
  verdict.code = decision.action == "defer" and "deferred" or "refused"
  verdict.message = ("%s: policy says %s%s%s"):format(offers.name_of(head.offer), decision.action,
    decision.reason and (" (%s)"):format(decision.reason) or "", last and ": " .. last.text or "")
  return verdict
end

--- Count the days on which the release's own policy kept out a package that the
-- default policy would install. After `policy_days` of them the release's policy
-- is ignored. Writes at most once a day.
-- @tparam table engine device, ask, log
-- @tparam table head offer, id
-- @tparam table verdict of judge()
function M.count(engine, head, verdict)
  local device = engine.device
  if not verdict.code then return device:let_in(verdict.by == "generation") end
  if verdict.by ~= "generation" or not device:kept_out_due() then return end
  local alone = engine.ask(head.offer, verdict.facts, "only the default policy is asked")
  if not alone or alone.action ~= "install" then return end
  local days, message, code = device:count_kept_out()
  if days then
    engine.log(("update %s: the release's policy keeps out what the default policy would install: day %d; "
      .. "`moult install --default-policy` ignores it"):format(head.id, days))
  else
    engine.log(("update %s: this day could not be counted: %s (%s)"):format(head.id, message, code))
  end
end

--- Log a verdict, with the reasons if it is against the package. The same verdict in later polls is logged only once.
-- @tparam table engine update.engine
-- @tparam table head id, offer
-- @tparam table verdict of judge()
function M.log(engine, head, verdict)
  local key = table.concat({ head.id, verdict.decision.action, tostring(verdict.decision.reason) }, " ")
  if not engine:is_news(key) and verdict.code then return end
  local stopped = verdict.code and verdict.code ~= "nothing"
  local say, tell = stopped and engine.log or engine.note, stopped and engine.log or engine.detail
  say(("update %s: %s from %s: %s%s"):format(head.id, offers.describe(head.offer), head.offer.cloud,
    verdict.decision.action, verdict.code and (" (%s)"):format(verdict.code) or ""))
  for _, line in ipairs(verdict.tree) do
    tell(("update %s:   %s %s: %s, %s"):format(head.id, line.gate and "gate" or "rule",
      line.gate or line.rule, line.result, line.text))
  end
end

return M
