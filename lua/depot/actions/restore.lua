--- `moult depot restore DIR FILE`: put a backup in the place of the store.
--
-- @module depot.actions.restore

local acts = require "depot.acts"
local copies = require "depot.acts.copies"

local M = {}

--- @tparam table context of depot.actions.base; name is the file
function M.run(context)
  if not context.name then return nil, "usage: moult depot restore DIR FILE", "usage" end
  context.actor = context.actor or acts.local_actor()
  local count, message, code = copies.restore(context, context.name)
  if not count then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode { paused = count }
    or ("restored; %d rollout%s paused; `moult depot rollout resume` lets one go on"):format(count,
      count == 1 and " is" or "s are"))
  return 0
end

return M
