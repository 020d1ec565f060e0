--- The verbs of an action of `moult depot`, in a folder or at a server.
--
-- @module depot.verbs

local M = {}

--- @tparam string action
-- @tparam {[verb]=function} verbs
-- @tparam string verb the one that was asked for
-- @treturn function|nil nil, message, "usage"
function M.find(action, verbs, verb)
  if verbs[verb] then return verbs[verb] end
  local names = {}
  for name in pairs(verbs) do names[#names + 1] = name end
  table.sort(names)
  return nil, ("%s %s: expected one of %s"):format(action, verb, table.concat(names, ", ")), "usage"
end

return M
