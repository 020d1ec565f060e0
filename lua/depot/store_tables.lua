--- The statements of depot.store, and how its database is opened, or made, or upgraded (depot.store.schema).
--
-- @module depot.store_tables

local accounts = require "depot.accounts"
local audit = require "depot.audit"
local daily = require "depot.store.daily"
local disabled = require "depot.disabled"
local events = require "depot.store.events"
local forgetting = require "depot.store.forgetting"
local groups = require "depot.store.groups"
local pages = require "depot.store.pages"
local products = require "depot.store.products"
local records = require "depot.rollout.records"
local releases = require "depot.releases"
local retention = require "depot.store.retention"
local schema = require "depot.store.schema"
local secrets = require "depot.store.secrets"
local settings = require "depot.store.settings"
local standings = require "depot.store.standings"
local tags = require "depot.tags"
local tasks = require "depot.store.tasks"
local undo = require "depot.store.undo"
local uploads = require "depot.store.uploads"
local webhooks = require "depot.store.webhooks"

local M = {}

--- What has tables in the database: statements and methods of depot.store.
M.modules = { accounts, audit, daily, disabled, events, forgetting, groups, pages, products, records, releases,
  retention, secrets, settings, standings, tags, tasks, undo, uploads, webhooks }

local COLUMNS = schema.columns
local LATEST = #schema.later + 1

local function assignments(columns)
  local parts = {}
  for i, name in ipairs(columns) do parts[i] = ("%s = excluded.%s"):format(name, name) end
  return table.concat(parts, ", ")
end

--- The statements, by name.
M.sql = {
  get = "SELECT * FROM device WHERE cloud = ? AND product = ? AND device = ?",
  -- Not OR REPLACE, which would not fire the triggers of the row that it removes.
  put = ("INSERT INTO device (%s) VALUES (%s) ON CONFLICT (cloud, product, device) DO UPDATE SET %s"):format(
    table.concat(COLUMNS, ", "), ("?, "):rep(#COLUMNS - 1) .. "?", assignments(COLUMNS)),
  due = "SELECT * FROM device WHERE due <= ? ORDER BY due LIMIT ?",
  next_due = "SELECT min(due) AS due FROM device WHERE due IS NOT NULL",
  stale = "SELECT * FROM device WHERE state = 'upgrading' AND changed < ? AND coalesce(heard, 0) < ? LIMIT ?",
  stale_http = "SELECT * FROM device WHERE state = 'upgrading' AND changed < ? AND coalesce(heard, 0) < ? "
    .. "AND cloud IN ('luat', 'terminal') LIMIT ?",
  limit_stamps = "UPDATE device SET heard = min(heard, ?), changed = min(changed, ?) WHERE heard > ? OR changed > ?",
  last_heard = "SELECT max(heard) AS heard FROM device",
  limit_due = "UPDATE device SET due = ? WHERE due > ?",
  offer_anew = [[UPDATE device SET due = iif(finished IS NULL, ?1, ?2)
    WHERE state = 'pending' OR state = 'upgrading']],
  make_due = [[UPDATE device SET due = ?1 WHERE hash = ?2 AND due IS NULL AND release IS NOT ?3 AND cloud <> 'luat'
    AND (state IS NULL OR state NOT IN ('pending', 'upgrading')
      OR state = 'pending' AND kind IS NOT 'verify' AND package IS NOT ?4)
    AND (?5 IS NULL OR device IN (SELECT value FROM json_each(?5)))]],
  every = "SELECT * FROM device ORDER BY cloud, product, device",
  verify = "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?, ?)",
  unverify = "DELETE FROM verified WHERE package = ? AND cloud = ? AND product = ? AND device = ?",
  verified = "SELECT * FROM verified WHERE package = ?",
  file = "SELECT md5 FROM file WHERE name = ? AND tag = ?",
  put_file = "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
  version = "PRAGMA data_version",
  begin_part = "SAVEPOINT part",
  give_up_part = "ROLLBACK TO part",
  end_part = "RELEASE part",
}
for _, module in ipairs(M.modules) do
  for name, sql in pairs(module.statements) do M.sql[name] = sql end
end

local function prepare(db)
  local statements = {}
  for name, sql in pairs(M.sql) do
    local statement, message, code = db:prepare(sql)
    if not statement then return nil, message, code end
    statements[name] = statement
  end
  return statements
end

--- Write everything into another file, which is replaced.
-- @treturn true|nil nil, message, code
function M.copy(natives, db, path)
  os.remove(path)
  -- Create it first, so that it has mode 0600.
  local empty, message, code = natives.database.open(path, { wal = false })
  if not empty then return nil, message, code end
  empty:close()
  local done
  local statement <close>, why, word = db:prepare "VACUUM INTO ?"
  if not statement then return nil, why, word end
  done, message, code = statement:run(path)
  return done and true, message, code
end

local function version_of(db)
  local statement <close> = db:prepare "PRAGMA user_version"
  local row, message, code = statement:first()
  return row and row.user_version, message, code
end

-- Make the tables in an empty database, or upgrade those of an earlier version, within a transaction.
local function upgrade(db, path)
  local version, message, code = version_of(db)
  if not version then return nil, message, code end
  if version == 0 then return db:execute(schema.whole) end
  if version > LATEST then
    return nil, ("%s: written by a newer version of Moult; upgrade this one"):format(path), "incompatible"
  end
  for step = version, #schema.later do
    local ok
    ok, message, code = db:execute(schema.later[step])
    if not ok then return nil, message, code end
  end
  return true
end

-- Settle the tables. Before those of an earlier version are upgraded, the database is copied to PATH.N, N being its
-- version. One that needs nothing is not locked.
local function settle_schema(natives, db, path)
  local version, ok, message, code
  version, message, code = version_of(db)
  if version == LATEST then return true end
  if not version then return nil, message, code end
  if version > 0 and version < LATEST then
    ok, message, code = M.copy(natives, db, ("%s.%d"):format(path, version))
    if not ok then return nil, ("%s cannot be kept as %s.%d: %s"):format(path, path, version, message), code end
  end
  ok, message, code = db:execute "BEGIN IMMEDIATE"
  if not ok then return nil, message, code end
  ok, message, code = upgrade(db, path)
  local done, why, word = db:execute(ok and "COMMIT" or "ROLLBACK")
  if ok and not done then return nil, why, word end
  return ok, message, code
end

--- Open a database, or make it, with the tables of this version.
-- @tparam table natives update.natives
-- @tparam string path
-- @tparam[opt] integer patience milliseconds to wait for another process that has locked it
-- @treturn database|nil nil, message, code
-- @treturn {string=statement} by name
function M.open(natives, path, patience)
  local db, message, code = natives.database.open(path, { timeout = patience })
  if not db then return nil, message, code end
  -- prepare() raises if a statement does not fit the tables: somebody has changed them.
  local fits, statements
  fits, statements, message, code = pcall(function()
    local ok, why, word = settle_schema(natives, db, path)
    if not ok then return nil, why, word end
    return prepare(db)
  end)
  if not fits then
    statements, message, code = nil, ("%s: %s"):format(path, statements), "corrupt"
  end
  if not statements then
    db:close()
    return nil, message, code
  end
  return db, statements
end

--- Columns of a device's row, in order.
M.columns = COLUMNS

return M
