--- `moult depot events --server URL`: as a table, CSV or JSON Lines.
--
-- @module depot.remote.events

local forms = require("depot.record_forms").events
local spans = require "depot.filter"

local M = {}

-- What is asked of the route.
local function query_of(remote, context)
  local opts = context.opts
  local query = { format = opts.format or context.env.json and "jsonl" or "table", product = opts.product }
  if #(opts.device or {}) > 1 then remote:fail("events are shown of one --device, or of all", "usage") end
  query.device = opts.device and opts.device[1]
  if opts.since then
    local span, expected = spans.span(opts.since)
    if not span then remote:fail(("--since %s: expected %s"):format(opts.since, expected), "usage") end
    query.since = math.max(0, os.time() - span // 1000)
  end
  return query
end

function M.run(remote, context)
  local query = query_of(remote, context)
  local head = forms[query.format].head
  if head then context.env.out(head) end
  repeat
    local _, answer = remote:need("GET", "/events/export", query)
    local is_first = head ~= nil
    for line in answer.text:gmatch "([^\n]*)\n" do
      if not is_first then context.env.out(line) end
      is_first = false -- each page begins with the head
    end
    query.cursor = answer.next
  until not answer.next
end

return M
