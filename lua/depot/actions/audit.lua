--- `moult depot audit DIR`: what people have changed; with --check whether that record is whole.
--
-- @module depot.actions.audit

local base = require "depot.actions.base"
local forms = require "depot.record_forms"
local natives = require "update.natives"
local shown = require "depot.shown"

local M = {}

local LISTED = 100 -- rows

local function check(context)
  local count, last, code = context.store:check_audit()
  if not count then return nil, last, code end
  if context.env.json then
    context.env.out(natives.json.encode { rows = count, last = last.id, hash = last.hash })
    return 0
  end
  context.env.out(("%d row%s, none changed"):format(count, count == 1 and "" or "s"))
  if count > 0 then context.env.out(("the hash of row %d is %s"):format(last.id, last.hash:sub(1, 32))) end
  return 0
end

local function list(context)
  local rows, message, code = context.store:audited(nil, LISTED)
  if not rows then return nil, message, code end
  local objects = {}
  for i, row in ipairs(rows) do objects[i] = forms.audit_row(row) end
  shown.audit(context.env, objects)
  return 0
end

--- @tparam table context of depot.actions.base
function M.run(context)
  return base.within_served(context, context.opts.check and check or list)
end

return M
