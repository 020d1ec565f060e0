--- The people of an admin server in the store: accounts, roles, one-time links, sessions, tokens.
--
-- `methods` are those of depot.store. What is secret is kept as a hash only:
-- passwords by scrypt with a salt, the others, which are 256 random bits, by
-- SHA-256. A role is for one product, by the hash of its key, or for all ("").
--
-- @module depot.accounts

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE account (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt TEXT, password TEXT, lang TEXT, tz TEXT,
    disabled INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL);
  CREATE TABLE role (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE, product TEXT NOT NULL, role TEXT NOT NULL,
    PRIMARY KEY (account, product)) WITHOUT ROWID;
  CREATE TABLE session (
    hash TEXT PRIMARY KEY, account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE, csrf TEXT NOT NULL,
    made INTEGER NOT NULL, seen INTEGER NOT NULL, ends INTEGER NOT NULL, address TEXT) WITHOUT ROWID;
  CREATE INDEX session_account ON session (account);
  CREATE TABLE token (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name TEXT NOT NULL, verbs TEXT, products TEXT, made INTEGER NOT NULL, ends INTEGER NOT NULL, used INTEGER);
  CREATE TABLE once (
    hash TEXT PRIMARY KEY, account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    ends INTEGER NOT NULL) WITHOUT ROWID;
]]

--- From the least to the most.
M.ROLES = { "viewer", "operator", "admin" }

M.statements = {
  account = "SELECT * FROM account WHERE name = ?",
  account_by_id = "SELECT * FROM account WHERE id = ?",
  accounts = "SELECT * FROM account ORDER BY name",
  account_add = "INSERT INTO account (name, made) VALUES (?, ?) RETURNING id",
  account_drop = "DELETE FROM account WHERE id = ?",
  account_password = "UPDATE account SET salt = ?, password = ? WHERE id = ?",
  account_set = "UPDATE account SET lang = ?, tz = ?, disabled = ? WHERE id = ?",
  roles = "SELECT product, role FROM role WHERE account = ? ORDER BY product",
  roles_drop = "DELETE FROM role WHERE account = ?",
  role_add = "INSERT INTO role VALUES (?, ?, ?)",
  once_add = "INSERT INTO once VALUES (?, ?, ?)",
  once = "SELECT * FROM once WHERE hash = ? AND ends > ?",
  once_drop = "DELETE FROM once WHERE account = ? OR ends <= ?",
  session_add = "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)",
  session = "SELECT * FROM session WHERE hash = ?",
  session_seen = "UPDATE session SET seen = ? WHERE hash = ?",
  session_drop = "DELETE FROM session WHERE hash = ?",
  sessions = "SELECT * FROM session WHERE account = ? ORDER BY made DESC",
  sessions_drop = "DELETE FROM session WHERE account = ? AND hash IS NOT ?",
  sessions_clear = "DELETE FROM session",
  sessions_ended = "DELETE FROM session WHERE ends <= ? OR seen <= ?",
  token_add = [[INSERT INTO token (hash, account, name, verbs, products, made, ends)
    VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id]],
  token = "SELECT * FROM token WHERE hash = ?",
  token_used = "UPDATE token SET used = ? WHERE id = ?",
  token_drop = "DELETE FROM token WHERE id = ? AND account = ?",
  tokens = "SELECT * FROM token WHERE account = ? ORDER BY id",
}

local Methods = M.methods

--- @treturn table|false|nil row; false: there is none; nil, message, code
function Methods:account(name) return self.statements.account:first(name) end

function Methods:account_by_id(id) return self.statements.account_by_id:first(id) end

--- Every account, by name.
function Methods:accounts() return self.statements.accounts:all() end

--- @treturn integer|nil its number; nil, message, code
function Methods:add_account(name, now)
  local row, message, code = self.statements.account_add:first(name, now)
  return row and row.id, message, code
end

--- Remove an account with its roles, sessions and tokens.
function Methods:drop_account(id) return self.statements.account_drop:run(id) end

function Methods:set_password(id, salt, hash) return self.statements.account_password:run(salt, hash, id) end

--- Write what may change of an account: lang, tz, disabled.
function Methods:save_account(row)
  return self.statements.account_set:run(row.lang, row.tz, row.disabled, row.id)
end

--- The roles of an account.
-- @treturn {[product] = role}|nil "" means all products; nil, message, code
function Methods:roles(id)
  local rows, message, code = self.statements.roles:all(id)
  if not rows then return nil, message, code end
  local roles = {}
  for _, row in ipairs(rows) do roles[row.product] = row.role end
  return roles
end

--- Replace the roles of an account.
function Methods:set_roles(id, roles)
  local ok, message, code = self.statements.roles_drop:run(id)
  for product, role in pairs(roles) do
    if ok then ok, message, code = self.statements.role_add:run(id, product, role) end
  end
  return ok, message, code
end

--- Record a one-time link; earlier ones of the account end.
function Methods:add_once(hash, id, now, ends)
  local ok, message, code = self.statements.once_drop:run(id, now)
  if not ok then return nil, message, code end
  return self.statements.once_add:run(hash, id, ends)
end

--- The link with this hash, unless it has ended.
function Methods:once(hash, now) return self.statements.once:first(hash, now) end

--- End the one-time links of an account.
function Methods:drop_once(id, now) return self.statements.once_drop:run(id, now) end

--- @tparam table row hash, account, csrf, made, ends, address
function Methods:add_session(row)
  return self.statements.session_add:run(row.hash, row.account, row.csrf, row.made, row.made, row.ends, row.address)
end

function Methods:session(hash) return self.statements.session:first(hash) end

function Methods:session_seen(hash, now) return self.statements.session_seen:run(now, hash) end

function Methods:drop_session(hash) return self.statements.session_drop:run(hash) end

--- The sessions of an account, the newest first.
function Methods:sessions(id) return self.statements.sessions:all(id) end

--- End the sessions of everybody.
function Methods:drop_all_sessions() return self.statements.sessions_clear:run() end

--- End the sessions of an account.
-- @tparam[opt] string but hash of the one that stays
function Methods:drop_sessions(id, but) return self.statements.sessions_drop:run(id, but) end

--- Remove sessions that have ended, or were not used since `idle` (ms).
function Methods:sweep_sessions(now, idle) return self.statements.sessions_ended:run(now, idle) end

--- @tparam table row hash, account, name, verbs, products (texts or nil: all), made, ends
function Methods:add_token(row)
  local made, message, code = self.statements.token_add:first(row.hash, row.account, row.name, row.verbs, row.products,
    row.made, row.ends)
  return made and made.id, message, code
end

function Methods:token(hash) return self.statements.token:first(hash) end

function Methods:token_used(id, now) return self.statements.token_used:run(now, id) end

--- @treturn integer|nil how many were removed; nil, message, code
function Methods:drop_token(id, account) return self.statements.token_drop:run(id, account) end

function Methods:tokens(account) return self.statements.tokens:all(account) end

return M
