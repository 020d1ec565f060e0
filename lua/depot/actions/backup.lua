--- `moult depot backup DIR FILE`: copy the store while the depot may run.
--
-- @module depot.actions.backup

local base = require "depot.actions.base"
local copies = require "depot.acts.copies"

local M = {}

local function run(context)
  local done, message, code = copies.backup(context, context.name)
  if not done then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode { file = context.name }
    or ("%s: written; without --secret-file it is as secret as the folder itself"):format(context.name))
  return 0
end

--- @tparam table context of depot.actions.base; name is the file
function M.run(context)
  if not context.name then return nil, "usage: moult depot backup DIR FILE", "usage" end
  return base.within_served(context, run)
end

return M
