--- Takes changes back: tags, notes, groups, lists of releases, plans of rollouts.
--
-- An act that can be taken back says how as data, with the name of one of the `kinds`. It is kept in the store with the
-- row of the audit (depot.store.undo). A change that was changed again meanwhile is not taken back.
--
-- @module depot.acts.undo

local acts = require "depot.acts"
local devices = require "depot.acts.devices"
local groups = require "depot.acts.groups"
local lists = require "depot.acts.release_lists"
local rollouts = require "depot.acts.rollouts"

local M = {}

--- {[kind] = function(world, data) -> value; or nil, message, code}
M.kinds = { tags = devices.tags_back, note = devices.note_back, ["release.list"] = lists.put_back,
  ["group.list"] = groups.list_back, ["group.filter"] = groups.filter_back, plan = rollouts.plan_back }

--- The change of a number.
-- @treturn table|nil id, product, data; nil, message, code
function M.find(world, id)
  local found, message, code = world.store:find_undo(id, acts.now())
  if found == false then return nil, "this cannot be undone, or not any more", "missing" end
  return found, message, code
end

--- Take a change back; that it was is in the transaction that does so.
-- @tparam table world of one call
-- @tparam table change of find()
-- @treturn value|nil nil, message, code
function M.take_back(world, change)
  world.along = function() return world.store:drop_undo(change.id) end
  return M.kinds[change.data.kind](world, change.data)
end

return M
