--- What can be taken back for ten minutes, by the number of its row in the audit.
--
-- `methods` are those of depot.store. A row is written in the transaction of the change, so it survives what the change
-- survives; what it says is depot.acts.undo's.
--
-- @module depot.store.undo

local M = { methods = {} }

--- For depot.store.schema, since form 23.
M.schema = [[
  CREATE TABLE undo (id INTEGER PRIMARY KEY, product TEXT, at INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
]]

local SPAN = 600000 -- ms

M.statements = {
  undo_add = "INSERT INTO undo VALUES (?, ?, ?, ?, ?)",
  undo_find = "SELECT * FROM undo WHERE id = ? AND at > ? AND at <= ?",
  undo_drop = "DELETE FROM undo WHERE id = ?",
  undo_sweep = "DELETE FROM undo WHERE at <= ? OR at > ?",
  undo_clear = "DELETE FROM undo",
}

local Methods = M.methods

--- Keep how a change is taken back, within change().
-- @tparam integer id of its row in the audit
-- @tparam string|nil product hash of its key
-- @tparam table undo kind, and what depot.acts.undo needs
-- @tparam integer now ms
-- @treturn integer|nil nil, message, code
function Methods:keep_undo(id, product, undo, now)
  local done, message, code = self.statements.undo_sweep:run(now - SPAN, now)
  if not done then return nil, message, code end
  return self.statements.undo_add:run(id, product, now, undo.kind, self.json.encode(undo))
end

--- @tparam integer id
-- @tparam integer now ms
-- @treturn table|false|nil id, product, data (as it was kept); false: it cannot be taken back, or not any more; nil,
--   message, code
function Methods:find_undo(id, now)
  local row, message, code = self.statements.undo_find:first(id, now - SPAN, now)
  if not row then return row, message, code end
  return { id = id, product = row.product, data = self.json.decode(row.data) }
end

--- It was taken back.
function Methods:drop_undo(id) return self.statements.undo_drop:run(id) end

--- Nothing can be taken back any more.
function Methods:clear_undo() return self.statements.undo_clear:run() end

return M
