--- Everything of a device goes: its row, tags, note, lists, events; what it proved of a package stays without its name.
--
-- `methods` are those of depot.store.
--
-- @module depot.store.forgetting

local M = { methods = {} }

M.statements = {
  forget_tags = "DELETE FROM tag WHERE cloud = ?1 AND product = ?2 AND device = ?3",
  forget_note = "DELETE FROM note WHERE cloud = ?1 AND product = ?2 AND device = ?3",
  forget_events = "DELETE FROM event WHERE device = ?3 AND cloud = ?1 AND product = ?2",
  forget_verified = "UPDATE verified SET device = NULL WHERE cloud = ?1 AND product = ?2 AND device = ?3",
  forget_row = "DELETE FROM device WHERE cloud = ?1 AND product = ?2 AND device = ?3",
  forget_member = "DELETE FROM rollout_member WHERE cloud = ? AND device = ?",
  forget_in_groups = [[DELETE FROM group_member WHERE cloud IN ('', ?) AND name = ?
    AND fleet_group IN (SELECT id FROM fleet_group WHERE hash = ?)]],
  forget_patches = "DELETE FROM patch_device WHERE device = ? AND patch IN (SELECT id FROM patch WHERE hash = ?)",
}

local OF_DEVICE = { "forget_tags", "forget_note", "forget_events", "forget_verified", "forget_row" }

--- Forget a device, within change().
-- @tparam table row
-- @treturn true|nil nil, message, code
function M.methods:forget(row)
  local done, message, code
  for _, name in ipairs(OF_DEVICE) do
    done, message, code = self.statements[name]:run(row.cloud, row.product, row.device)
    if not done then return nil, message, code end
  end
  done, message, code = self.statements.forget_member:run(row.cloud, row.device)
  if done then done, message, code = self.statements.forget_in_groups:run(row.cloud, row.device, row.hash) end
  if done and row.cloud == "qinglian" then
    done, message, code = self.statements.forget_patches:run(row.device, row.hash)
  end
  return done and true, message, code
end

return M
