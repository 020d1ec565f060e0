--- What can be taken back for ten minutes: tags, notes, groups, lists of releases, plans of rollouts.
--
-- Kept in memory, by the number of the row in the audit. A change that was changed again meanwhile is not taken back.
--
-- @module depot.api.undo

local M = {}

local SPAN = 600  -- seconds
local KEPT = 1000 -- changes at most, the newest

local Undo = {}
Undo.__index = Undo

--- @tparam function clock -> seconds
function M.new(clock) return setmetatable({ clock = clock, known = {}, order = {} }, Undo) end

--- Keep what an act says about taking it back; the world of the call gets its number.
-- @tparam table world of a call
-- @tparam table act id, undo(world), verb, product
function Undo:keep(world, act)
  self.known[act.id] = { undo = act.undo, product = act.product, verb = act.verb, till = self.clock() + SPAN }
  self.order[#self.order + 1] = act.id
  while #self.order > KEPT do self.known[table.remove(self.order, 1)] = nil end
  world.undoable = act.id
end

--- @tparam integer id number of a row of the audit
-- @treturn table|nil undo(world), product, verb; nil: it cannot be taken back, or not any more
function Undo:find(id)
  local found = self.known[id]
  return found and self.clock() < found.till and found or nil
end

--- It was taken back.
function Undo:drop(id) self.known[id] = nil end

return M
