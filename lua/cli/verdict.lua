--- What gates and policy say about a package, for people and as JSON.
--
-- @module cli.verdict

local files_list = require "cli.files_list"
local offers = require "update.engine.offer"

local M = {}

local SIGN = { ok = "ok  ", skip = "skip", stop = "STOP" }
local POLICY = { owner = "the owner's policy", generation = "the release's policy", default = "the default policy" }

--- Lines of the reason tree.
-- @tparam table verdict of update.engine, or the answer of the agent's check
-- @treturn {string,...}
function M.lines(verdict)
  local lines = {}
  for _, line in ipairs(verdict.tree) do
    lines[#lines + 1] = ("  %s  %s %-12s %s"):format(SIGN[line.result] or line.result,
      line.gate and "gate" or "rule", line.gate or line.rule, line.text)
  end
  local decision = verdict.decision
  local text = ("decision: %s"):format(decision.action)
  if decision.reason then text = ("%s (%s)"):format(text, decision.reason) end
  if decision.action == "defer" and decision.retry_after then
    text = ("%s, asked again in %d s"):format(text, decision.retry_after)
  end
  if verdict.code == "nothing" then text = ("%s: %s"):format(text, verdict.message) end
  if verdict.by then text = ("%s, by %s"):format(text, POLICY[verdict.by] or verdict.by) end
  lines[#lines + 1] = text
  return lines
end

--- The complete verdict as text, headed by the package. What a files part does comes last.
function M.text(verdict)
  local lines = M.lines(verdict)
  table.insert(lines, 1, offers.describe(verdict.offer))
  for _, line in ipairs(files_list.lines(verdict.files or {})) do
    lines[#lines + 1] = ("  files  %-10s %s"):format(line[1], line[2])
  end
  return table.concat(lines, "\n")
end

--- The complete verdict as a table for JSON.
function M.object(verdict)
  return {
    offer = offers.brief(verdict.offer), decision = verdict.decision, tree = verdict.tree, by = verdict.by,
    code = verdict.code, warning = verdict.warning, files = verdict.files and files_list.object(verdict.files),
  }
end

return M
