--- `moult depot audit DIR`: what people have changed; with --check whether that record is whole.
--
-- @module depot.actions.audit

local base = require "depot.actions.base"
local natives = require "update.natives"

local M = {}

local LISTED = 100 -- rows, without --limit

--- A row as an object for JSON.
function M.object(row)
  local null = natives.json.null
  return { id = row.id, at = row.at // 1000, actor = row.actor, address = row.address or null, verb = row.verb,
    object = row.object or null, product = row.product or null, before = row.before or null, after = row.after or null,
    hash = row.hash }
end

local function check(context)
  local count, message, code = context.store:check_audit()
  if not count then return nil, message, code end
  context.env.out(context.env.json and natives.json.encode { rows = count }
    or ("%d row%s, none changed"):format(count, count == 1 and "" or "s"))
  return 0
end

local function list(context)
  local env, json = context.env, natives.json
  local rows, message, code = context.store:audited(nil, LISTED)
  if not rows then return nil, message, code end
  local objects = json.array {}
  for i, row in ipairs(rows) do
    objects[i] = M.object(row)
    if not env.json then
      env.out(natives.printable.text(("%6d  %s  %-16s %-16s %s%s"):format(row.id,
        os.date("!%Y-%m-%d %H:%M:%S", row.at // 1000), row.actor, row.verb, row.object or "",
        row.after and " -> " .. row.after or "")))
    end
  end
  if env.json then env.out(json.encode { audit = objects }) end
  return 0
end

--- @tparam table context of depot.actions.base
function M.run(context)
  local served, message, code = base.needs_store(context)
  if not served then return nil, message, code end
  return base.within(context, context.opts.check and check or list)
end

return M
