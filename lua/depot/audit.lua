--- What people have changed: who, when, what, from where; each row sealed by the one before.
--
-- `methods` are those of depot.store. A row is written in the transaction of the
-- change that it tells of, so there is no change without its row. `hash` is the
-- SHA-256 of the hash before and of the row itself: who changes or removes a row
-- in the middle has to change all that follow. When old rows are removed, the
-- number and hash of the last of them are kept (depot.store.retention). Each row
-- is also an event (depot.store.events).
--
-- @module depot.audit

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, address TEXT, verb TEXT NOT NULL, object TEXT,
    product TEXT, before TEXT, after TEXT, previous TEXT NOT NULL, hash TEXT NOT NULL);
  CREATE INDEX audit_object ON audit (object, id);
]]

-- What is hashed, in order.
local FIELDS = { "id", "at", "actor", "address", "verb", "object", "product", "before", "after" }
local SLICE = 1000 -- rows that are checked at once

M.statements = {
  audit_last = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1",
  audit_add = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  audit_before = "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
  audit_after = "SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?",
  audit_row = "SELECT * FROM audit WHERE id = ?",
  audit_of = "SELECT * FROM audit WHERE object = ? ORDER BY id DESC LIMIT 1",
}

-- Each value with its length, so that no two rows give the same text.
local function seal(sha256, row)
  local parts = { row.previous }
  for i, name in ipairs(FIELDS) do
    local value = row[name]
    parts[i + 1] = value == nil and "-" or ("%d:%s"):format(#tostring(value), value)
  end
  return sha256(table.concat(parts, ","))
end

local Methods = M.methods

--- Record a change, within change().
-- @tparam table entry actor, verb; address, object, product, before, after: strings or nil
-- @tparam integer now ms
-- @treturn integer|nil its number; nil, message, code
function Methods:audit(entry, now)
  local last, message, code = self.statements.audit_last:first()
  if last == nil then return nil, message, code end
  local row = { id = last and last.id + 1 or 1, at = now, previous = last and last.hash or "" }
  for _, name in ipairs(FIELDS) do row[name] = row[name] or entry[name] end
  row.hash = seal(self.sha256, row)
  local done
  done, message, code = self.statements.audit_add:run(row.id, row.at, row.actor, row.address, row.verb, row.object,
    row.product, row.before, row.after, row.previous, row.hash)
  if done then
    done, message, code = self:note_event { at = now, what = "act", hash = row.product, actor = row.actor,
      code = row.verb, text = row.object }
  end
  return done and row.id, message, code
end

--- The newest rows before one, the newest first.
-- @tparam[opt] integer before their numbers are below it
-- @tparam integer limit
function Methods:audited(before, limit)
  return self.statements.audit_before:all(before or math.maxinteger, limit)
end

--- Rows after one, the oldest first.
function Methods:audit_since(after, limit) return self.statements.audit_after:all(after, limit) end

--- @treturn table|false|nil row; false: there is none; nil, message, code
function Methods:audit_row(id)
  return self.statements.audit_row:first(id)
end

--- The last change of an object.
-- @treturn table|false|nil row; false: there is none; nil, message, code
function Methods:last_change(object)
  return self.statements.audit_of:first(object)
end

--- Check that no row was changed, and none removed but the newest, or the oldest for their age.
-- @treturn integer|nil how many rows there are; nil, message, "corrupt" or another code
-- @treturn table the last row: id, hash
function Methods:check_audit()
  local count = 0
  local last, message, code = self:audit_kept()
  if last == nil then return nil, message, code end
  last = last or { id = 0, hash = "" }
  while true do
    local rows
    rows, message, code = self:audit_since(last.id, SLICE)
    if not rows then return nil, message, code end
    if #rows == 0 then return count, last end
    for _, row in ipairs(rows) do
      local follows = row.previous == last.hash and row.id == last.id + 1
      if not follows or row.hash ~= seal(self.sha256, row) then
        return nil, ("row %d of the audit was changed, or one before it removed"):format(row.id), "corrupt"
      end
      count, last = count + 1, row
    end
  end
end

return M
