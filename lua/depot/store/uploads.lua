--- Uploads that have begun, in the store.
--
-- `methods` are those of depot.store. The bytes lie in a file of their own (depot.api.incoming).
--
-- @module depot.store.uploads

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE upload (
    id TEXT PRIMARY KEY, account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE, name TEXT NOT NULL,
    size INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, file TEXT, made INTEGER NOT NULL,
    ends INTEGER NOT NULL) WITHOUT ROWID;
]]

M.statements = {
  upload_add = "INSERT INTO upload (id, account, name, size, state, made, ends, product) "
    .. "VALUES (?, ?, ?, ?, 'open', ?, ?, ?)",
  upload = "SELECT * FROM upload WHERE id = ?",
  upload_state = "UPDATE upload SET state = ?, reason = ?, file = ? WHERE id = ?",
  upload_reopen = "UPDATE upload SET state = 'open' WHERE state = 'checking'",
  upload_drop = "DELETE FROM upload WHERE id = ?",
  uploads_open = "SELECT count(*) AS n FROM upload WHERE account = ? AND state IN ('open', 'checking') AND ends > ?",
  uploads_of = "SELECT * FROM upload WHERE account = ? AND ends > ? ORDER BY made DESC, id LIMIT 100",
  uploads_ended = "SELECT * FROM upload WHERE ends <= ?",
}

local Methods = M.methods

--- @tparam table row id, account, name, size, made, ends, product (of a bare patch, or nil)
function Methods:add_upload(row)
  return self.statements.upload_add:run(row.id, row.account, row.name, row.size, row.made, row.ends,
    row.product)
end

--- @treturn table|false|nil row; false: there is none; nil, message, code
function Methods:upload(id) return self.statements.upload:first(id) end

--- Write what became of one: open, checking, done (then `file` is its name in the folder) or failed.
function Methods:set_upload(id, state, reason, file)
  return self.statements.upload_state:run(state, reason, file, id)
end

--- A server starts: what the one before was checking can be sent on, and is checked then.
function Methods:reopen_uploads() return self.statements.upload_reopen:run() end

function Methods:drop_upload(id) return self.statements.upload_drop:run(id) end

--- How many uploads of an account have begun and not ended.
function Methods:open_uploads(account, now)
  local row, message, code = self.statements.uploads_open:first(account, now)
  return row and row.n, message, code
end

--- The uploads of an account, the newest first, until their time is over.
function Methods:uploads_of(account, now) return self.statements.uploads_of:all(account, now) end

--- Those whose time is over.
function Methods:ended_uploads(now) return self.statements.uploads_ended:all(now) end

return M
