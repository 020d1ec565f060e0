--- `moult depot events DIR`: what happened, and who did what; as a table, CSV or JSON Lines.
--
-- @module depot.actions.events

local base = require "depot.actions.base"
local forms = require("depot.record_forms").events
local spans = require "depot.filter"

local M = {}

local PAGE = 1000 -- rows read at once

local function run(context)
  local opts, env = context.opts, context.env
  local form = forms[opts.format or env.json and "jsonl" or "table"]
  local which = { product = opts.product }
  if opts.device then
    if #opts.device > 1 then return nil, "events are shown of one --device, or of all", "usage" end
    which.device = opts.device[1]
  end
  if opts.since then
    local span, expected = spans.span(opts.since)
    if not span then return nil, ("--since %s: expected %s"):format(opts.since, expected), "usage" end
    which.since = base.now() - span
  end
  if form.head then env.out(form.head) end
  repeat
    local rows, message, code = context.store:events(which, PAGE)
    if not rows then return nil, message, code end
    for _, row in ipairs(rows) do env.out(form.line(row)) end
    which.after = rows[1] and rows[#rows].id
  until #rows < PAGE
  return 0
end

function M.run(context)
  return base.within_served(context, run)
end

return M
