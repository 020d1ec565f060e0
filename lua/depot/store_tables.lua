--- The tables of depot.store, the steps that upgrade those of earlier versions, and the statements.
--
-- @module depot.store_tables

local accounts = require "depot.accounts"
local audit = require "depot.audit"
local events = require "depot.store.events"
local forgetting = require "depot.store.forgetting"
local groups = require "depot.store.groups"
local pages = require "depot.store.pages"
local products = require "depot.store.products"
local records = require "depot.rollout.records"
local releases = require "depot.releases"
local retention = require "depot.store.retention"
local settings = require "depot.store.settings"
local tags = require "depot.tags"
local uploads = require "depot.store.uploads"

local M = {}

--- What has tables in the database: statements and methods of depot.store.
M.modules = { accounts, audit, events, forgetting, groups, pages, products, records, releases, retention,
  settings, tags, uploads }

local COLUMNS = {
  "cloud", "product", "device", "hash", "release", "other", "module", "package", "target", "kind", "state", "step",
  "code", "text", "finished", "tries", "renewing", "renewals", "due", "heard", "changed", "offers",
  "ends", "dead", "deaf", "rollout", "wave", "failures", "again", "reason", "core", "hardware",
}

-- Patches for devices of the Qinglian cloud, and how far each device is with one (depot.patch_store).
local PATCHES = [[
  CREATE TABLE patch (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, about TEXT,
    stage TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, made INTEGER NOT NULL,
    UNIQUE (hash, version));
  CREATE TABLE patch_device (
    patch INTEGER NOT NULL, device TEXT NOT NULL, trial INTEGER, wait INTEGER, state TEXT, percent INTEGER,
    text TEXT, fetched INTEGER, changed INTEGER,
    PRIMARY KEY (patch, device)) WITHOUT ROWID;
]]

-- Which devices a rollout is for, if they are fixed; and how many of its jobs are in which state. Triggers keep the
-- tally in the transaction that changes the job, whoever makes it.
local ROLLOUTS = releases.schema .. [[
  CREATE TABLE rollout_member (
    rollout INTEGER NOT NULL, cloud TEXT NOT NULL, device TEXT NOT NULL,
    PRIMARY KEY (rollout, cloud, device)) WITHOUT ROWID;
  CREATE TABLE tally (
    rollout INTEGER NOT NULL, wave INTEGER NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (rollout, wave, state)) WITHOUT ROWID;
  CREATE INDEX device_rollout ON device (rollout, state, ends) WHERE rollout IS NOT NULL;
  CREATE TRIGGER tally_leave AFTER UPDATE OF rollout, wave, state ON device
    WHEN OLD.rollout IS NOT NULL
      AND (OLD.rollout IS NOT NEW.rollout OR OLD.wave IS NOT NEW.wave OR OLD.state IS NOT NEW.state) BEGIN
    UPDATE tally SET n = n - 1 WHERE rollout = OLD.rollout AND wave = OLD.wave AND state = OLD.state; END;
  CREATE TRIGGER tally_enter AFTER UPDATE OF rollout, wave, state ON device
    WHEN NEW.rollout IS NOT NULL
      AND (OLD.rollout IS NOT NEW.rollout OR OLD.wave IS NOT NEW.wave OR OLD.state IS NOT NEW.state) BEGIN
    INSERT INTO tally VALUES (NEW.rollout, NEW.wave, NEW.state, 1)
      ON CONFLICT (rollout, wave, state) DO UPDATE SET n = n + 1; END;
  CREATE TRIGGER tally_new AFTER INSERT ON device WHEN NEW.rollout IS NOT NULL BEGIN
    INSERT INTO tally VALUES (NEW.rollout, NEW.wave, NEW.state, 1)
      ON CONFLICT (rollout, wave, state) DO UPDATE SET n = n + 1; END;
  CREATE TRIGGER tally_gone AFTER DELETE ON device WHEN OLD.rollout IS NOT NULL BEGIN
    UPDATE tally SET n = n - 1 WHERE rollout = OLD.rollout AND wave = OLD.wave AND state = OLD.state; END;
  PRAGMA user_version = 6;
]]

local SCHEMA = [[
  CREATE TABLE device (
    cloud TEXT NOT NULL, product TEXT NOT NULL, device TEXT NOT NULL, hash TEXT NOT NULL,
    release TEXT, other TEXT, module TEXT,
    package TEXT, target TEXT, kind TEXT, state TEXT, step INTEGER, code INTEGER, text TEXT,
    finished INTEGER, tries INTEGER, renewing INTEGER, renewals INTEGER,
    due INTEGER, heard INTEGER, changed INTEGER, offers INTEGER, ends INTEGER, dead INTEGER, deaf INTEGER,
    rollout INTEGER, wave INTEGER, failures INTEGER, again INTEGER, reason TEXT,
    PRIMARY KEY (cloud, product, device)) WITHOUT ROWID;
  CREATE INDEX device_due ON device (due) WHERE due IS NOT NULL;
  CREATE INDEX device_open ON device (changed) WHERE state = 'upgrading';
  CREATE TABLE rollout (
    id INTEGER PRIMARY KEY, package TEXT NOT NULL, target TEXT NOT NULL, hash TEXT NOT NULL,
    cloud TEXT, product TEXT, source TEXT, made INTEGER NOT NULL, filter TEXT,
    kind TEXT NOT NULL DEFAULT 'batch', state TEXT NOT NULL DEFAULT 'running', before TEXT,
    reason TEXT, priority INTEGER NOT NULL DEFAULT 0, plan TEXT,
    wave INTEGER NOT NULL DEFAULT 1, wave_at INTEGER, soak_at INTEGER, starts_at INTEGER, limits_from INTEGER,
    verdicts INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, ended INTEGER);
  CREATE TABLE verified (
    package TEXT PRIMARY KEY, target TEXT NOT NULL, cloud TEXT, product TEXT, device TEXT, time INTEGER NOT NULL);
  CREATE TABLE file (name TEXT PRIMARY KEY, tag TEXT NOT NULL, md5 TEXT NOT NULL);
  CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
]] .. PATCHES .. ROLLOUTS .. tags.schema .. audit.schema .. accounts.schema .. events.schema
  .. groups.schema .. tags.index .. groups.index .. uploads.schema .. products.schema .. "PRAGMA user_version = 14;"

-- The step from each earlier version to the next.
local LATER = {
  [1] = "ALTER TABLE device ADD COLUMN offers INTEGER; PRAGMA user_version = 2;",
  [2] = "ALTER TABLE device ADD COLUMN ends INTEGER; ALTER TABLE device ADD COLUMN dead INTEGER; "
    .. "ALTER TABLE device ADD COLUMN deaf INTEGER; PRAGMA user_version = 3;",
  [3] = "ALTER TABLE rollout ADD COLUMN filter TEXT; PRAGMA user_version = 4;",
  [4] = PATCHES .. "PRAGMA user_version = 5;",
  -- A batch of earlier versions becomes a rollout that is running: one wave, without a plan.
  [5] = [[
    ALTER TABLE device ADD COLUMN rollout INTEGER; ALTER TABLE device ADD COLUMN wave INTEGER;
    ALTER TABLE device ADD COLUMN failures INTEGER; ALTER TABLE device ADD COLUMN again INTEGER;
    ALTER TABLE rollout ADD COLUMN kind TEXT NOT NULL DEFAULT 'batch';
    ALTER TABLE rollout ADD COLUMN state TEXT NOT NULL DEFAULT 'running';
    ALTER TABLE rollout ADD COLUMN before TEXT; ALTER TABLE rollout ADD COLUMN reason TEXT;
    ALTER TABLE rollout ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; ALTER TABLE rollout ADD COLUMN plan TEXT;
    ALTER TABLE rollout ADD COLUMN wave INTEGER NOT NULL DEFAULT 1; ALTER TABLE rollout ADD COLUMN wave_at INTEGER;
    ALTER TABLE rollout ADD COLUMN soak_at INTEGER; ALTER TABLE rollout ADD COLUMN starts_at INTEGER;
    ALTER TABLE rollout ADD COLUMN limits_from INTEGER;
    ALTER TABLE rollout ADD COLUMN verdicts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rollout ADD COLUMN failed INTEGER NOT NULL DEFAULT 0; ALTER TABLE rollout ADD COLUMN ended INTEGER;
  ]] .. ROLLOUTS,
  [6] = "ALTER TABLE device ADD COLUMN reason TEXT; PRAGMA user_version = 7;",
  [7] = tags.schema .. "PRAGMA user_version = 8;",
  [8] = audit.schema .. accounts.schema .. "PRAGMA user_version = 9;",
  [9] = events.schema .. "PRAGMA user_version = 10;",
  [10] = groups.schema .. "PRAGMA user_version = 11;",
  [11] = tags.index .. groups.index .. "PRAGMA user_version = 12;",
  [12] = uploads.schema .. "PRAGMA user_version = 13;",
  [13] = products.schema .. "PRAGMA user_version = 14;",
}
local LATEST = #LATER + 1

local function assignments(columns)
  local parts = {}
  for i, name in ipairs(columns) do parts[i] = ("%s = excluded.%s"):format(name, name) end
  return table.concat(parts, ", ")
end

local STATEMENTS = {
  get = "SELECT * FROM device WHERE cloud = ? AND product = ? AND device = ?",
  -- Not OR REPLACE, which would not fire the triggers of the row that it removes.
  put = ("INSERT INTO device (%s) VALUES (%s) ON CONFLICT (cloud, product, device) DO UPDATE SET %s"):format(
    table.concat(COLUMNS, ", "), ("?, "):rep(#COLUMNS - 1) .. "?", assignments(COLUMNS)),
  due = "SELECT * FROM device WHERE due <= ? ORDER BY due LIMIT ?",
  next_due = "SELECT min(due) AS due FROM device WHERE due IS NOT NULL",
  stale = "SELECT * FROM device WHERE state = 'upgrading' AND changed < ? AND coalesce(heard, 0) < ? LIMIT ?",
  limit_stamps = "UPDATE device SET heard = min(heard, ?), changed = min(changed, ?) WHERE heard > ? OR changed > ?",
  last_heard = "SELECT max(heard) AS heard FROM device",
  limit_due = "UPDATE device SET due = ? WHERE due > ?",
  offer_anew = "UPDATE device SET due = ? WHERE state = 'pending' OR state = 'upgrading' AND finished IS NULL",
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
}
for _, module in ipairs(M.modules) do
  for name, sql in pairs(module.statements) do STATEMENTS[name] = sql end
end

local function prepare(db)
  local statements = {}
  for name, sql in pairs(STATEMENTS) do
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
  if version == 0 then return db:execute(SCHEMA) end
  if version > LATEST then
    return nil, ("%s: written by a newer version of Moult; upgrade this one"):format(path), "incompatible"
  end
  for step = version, #LATER do
    local ok
    ok, message, code = db:execute(LATER[step])
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
