--- What the depot remembers of devices, in <folder>/depot.db.
--
-- A row a device, with its job (depot.jobs); rollouts, which give a job to
-- devices that are first heard of later; the packages that a device has
-- verified; digests of files, so that they are not hashed at every start; the
-- secret that links are signed with. SQLite with a write-ahead log, so the
-- actions of the command line read and write while the depot runs.
--
-- change() begins a transaction when none is open, commit() ends it: whoever
-- reads a row in order to change it calls change() first.
--
-- @module depot.store

local M = {}

local Store = {}
Store.__index = Store

local COLUMNS = {
  "cloud", "product", "device", "hash", "release", "other", "module", "package", "target", "kind", "state", "step",
  "code", "text", "finished", "tries", "renewing", "renewals", "due", "heard", "changed", "offers",
  "ends", "dead", "deaf",
}

local SCHEMA = [[
  CREATE TABLE device (
    cloud TEXT NOT NULL, product TEXT NOT NULL, device TEXT NOT NULL, hash TEXT NOT NULL,
    release TEXT, other TEXT, module TEXT,
    package TEXT, target TEXT, kind TEXT, state TEXT, step INTEGER, code INTEGER, text TEXT,
    finished INTEGER, tries INTEGER, renewing INTEGER, renewals INTEGER,
    due INTEGER, heard INTEGER, changed INTEGER, offers INTEGER, ends INTEGER, dead INTEGER, deaf INTEGER,
    PRIMARY KEY (cloud, product, device)) WITHOUT ROWID;
  CREATE INDEX device_due ON device (due) WHERE due IS NOT NULL;
  CREATE INDEX device_open ON device (changed) WHERE state = 'upgrading';
  CREATE TABLE rollout (
    id INTEGER PRIMARY KEY, package TEXT NOT NULL, target TEXT NOT NULL, hash TEXT NOT NULL,
    cloud TEXT, product TEXT, source TEXT, made INTEGER NOT NULL);
  CREATE TABLE verified (
    package TEXT PRIMARY KEY, target TEXT NOT NULL, cloud TEXT, product TEXT, device TEXT, time INTEGER NOT NULL);
  CREATE TABLE file (name TEXT PRIMARY KEY, tag TEXT NOT NULL, md5 TEXT NOT NULL);
  CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
  PRAGMA user_version = 3;
]]

-- What a database of an earlier version lacks, by that version.
local LATER = {
  [1] = "ALTER TABLE device ADD COLUMN offers INTEGER; PRAGMA user_version = 2;",
  [2] = "ALTER TABLE device ADD COLUMN ends INTEGER; ALTER TABLE device ADD COLUMN dead INTEGER; "
    .. "ALTER TABLE device ADD COLUMN deaf INTEGER; PRAGMA user_version = 3;",
}
local LATEST = #LATER + 1

local STATEMENTS = {
  get = "SELECT * FROM device WHERE cloud = ? AND product = ? AND device = ?",
  put = ("INSERT OR REPLACE INTO device (%s) VALUES (%s)"):format(table.concat(COLUMNS, ", "),
    ("?, "):rep(#COLUMNS - 1) .. "?"),
  due = "SELECT * FROM device WHERE due <= ? ORDER BY due LIMIT ?",
  next_due = "SELECT min(due) AS due FROM device WHERE due IS NOT NULL",
  stale = "SELECT * FROM device WHERE state = 'upgrading' AND changed < ? AND coalesce(heard, 0) < ? LIMIT ?",
  tame = "UPDATE device SET heard = min(heard, ?), changed = min(changed, ?) WHERE heard > ? OR changed > ?",
  last_heard = "SELECT max(heard) AS heard FROM device",
  postpone = "UPDATE device SET due = ? WHERE due > ?",
  hasten = "UPDATE device SET due = ? WHERE state = 'pending' OR state = 'upgrading' AND finished IS NULL",
  rouse = [[UPDATE device SET due = ?1 WHERE hash = ?2 AND due IS NULL AND release IS NOT ?3
    AND (state IS NULL OR state NOT IN ('pending', 'upgrading')
      OR state = 'pending' AND kind IS NOT 'verify' AND package IS NOT ?4)
    AND (?5 IS NULL OR device IN (SELECT value FROM json_each(?5)))]],
  every = "SELECT * FROM device ORDER BY cloud, product, device",
  rollouts = "SELECT * FROM rollout ORDER BY id DESC",
  roll_out = "INSERT INTO rollout (package, target, hash, cloud, product, source, made) VALUES (?, ?, ?, ?, ?, ?, ?)",
  end_rollout = "DELETE FROM rollout WHERE id = ?",
  verify = "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?, ?)",
  unverify = "DELETE FROM verified WHERE package = ? AND cloud = ? AND product = ? AND device = ?",
  verified = "SELECT * FROM verified WHERE package = ?",
  file = "SELECT md5 FROM file WHERE name = ? AND tag = ?",
  put_file = "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
  setting = "SELECT value FROM setting WHERE name = ?",
  set = "INSERT OR IGNORE INTO setting VALUES (?, ?)",
  unset = "DELETE FROM setting WHERE name = ?",
  version = "PRAGMA data_version",
}

local function prepare(db)
  local statements = {}
  for name, sql in pairs(STATEMENTS) do
    local statement, message, code = db:prepare(sql)
    if not statement then return nil, message, code end
    statements[name] = statement
  end
  return statements
end

-- Make the tables in an empty database.
local function settle_schema(db, path)
  local version, ok, message, code
  ok, message, code = db:execute "BEGIN IMMEDIATE"
  if not ok then return nil, message, code end
  version, message, code = db:prepare("PRAGMA user_version"):first()
  if not version then return nil, message, code end
  if version.user_version == 0 then
    ok, message, code = db:execute(SCHEMA)
  elseif version.user_version > LATEST then
    ok, message, code = nil, ("%s: written by a later moult"):format(path), "incompatible"
  end
  for step = math.max(1, version.user_version), version.user_version > 0 and ok and #LATER or 0 do
    if ok then ok, message, code = db:execute(LATER[step]) end
  end
  local done, why, word = db:execute(ok and "COMMIT" or "ROLLBACK")
  if ok and not done then return nil, why, word end
  return ok, message, code
end

--- Open the database of a depot's folder; it is made when it is absent.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] integer patience milliseconds to wait for another process that has locked it
-- @treturn table store; or nil, message, code
function M.open(natives, dir, patience)
  local path = dir .. "/depot.db"
  local db, message, code = natives.database.open(path, { timeout = patience })
  if not db then return nil, message, code end
  -- Statements that do not fit raise: somebody has changed the tables.
  local fits, statements
  fits, statements, message, code = pcall(function()
    local ok, why, word = settle_schema(db, path)
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
  return setmetatable({ db = db, statements = statements, changing = false }, Store)
end

--- Begin a transaction unless one is open.
-- @treturn true|nil nil, message, code
function Store:change()
  if self.changing then return true end
  local ok, message, code = self.db:execute "BEGIN IMMEDIATE"
  self.changing = ok == true
  return ok, message, code
end

--- End the transaction, when one is open: what was changed is durable.
-- @treturn true|nil nil, message, code: nothing was changed
function Store:commit()
  if not self.changing then return true end
  if not self.db:changing() then
    self.changing = false
    return nil, "the database has taken the changes back, as on a full disk", "nospace"
  end
  local ok, message, code = self.db:execute "COMMIT"
  if not ok then self:abandon() end
  self.changing = false
  return ok, message, code
end

--- Take back what was changed since the last commit.
function Store:abandon()
  -- On a full disk SQLite has rolled back already.
  if self.changing and self.db:changing() then self.db:execute "ROLLBACK" end
  self.changing = false
end

--- Whether the file of the database is gone, or another one is in its place.
function Store:has_moved()
  return self.db:has_moved()
end

--- Write everything into another file, which is absent or empty.
-- @treturn true|nil nil, message, code
function Store:copy(path)
  local statement, message, code = self.db:prepare "VACUUM INTO ?"
  local done
  if statement then done, message, code = statement:run(path) end
  return done and true, message, code
end

--- A number that differs once another process has changed something.
function Store:version()
  local row = self.statements.version:first()
  return row and row.data_version
end

--- The row of a device.
-- @treturn table|false|nil false: never heard of; nil, message, code
function Store:get(cloud, product, device)
  return self.statements.get:first(cloud, product, device)
end

--- Write a device's row.
-- @treturn integer|nil nil, message, code
function Store:put(row)
  local values = {}
  for i, name in ipairs(COLUMNS) do
    values[i] = row[name]
  end
  return self.statements.put:run(table.unpack(values, 1, #COLUMNS))
end

--- The rows whose time has come by `now`, the oldest first.
function Store:due(now, limit)
  return self.statements.due:all(now, limit)
end

--- When the next row is due.
-- @treturn integer|nil ms
function Store:next_due()
  local row = self.statements.next_due:first()
  return row and row.due
end

--- Rows that are upgrading and have said nothing since `before` (ms).
function Store:stale(before, limit)
  return self.statements.stale:all(before, before, limit)
end

--- Take times back that are not over yet, as after a clock that was set back.
-- @tparam integer now ms
-- @tparam integer latest ms for what is to be done
-- @treturn integer|nil nil, message, code
function Store:tame(now, latest)
  local done, message, code = self.statements.postpone:run(latest, latest)
  if done then done, message, code = self.statements.tame:run(now, now, now, now) end
  return done, message, code
end

--- When a device was heard last.
-- @treturn integer|nil ms
function Store:last_heard()
  local row = self.statements.last_heard:first()
  return row and row.heard
end

--- Make every open job due whose firmware may still have to be offered.
function Store:offer_anew(now)
  return self.statements.hasten:run(now)
end

--- Make every device due that a package may be for which has just come, also those that wait with another; not those
-- that are at work.
-- @tparam table entry of the catalog
-- @tparam integer now ms
-- @tparam[opt] string ids JSON array of the devices that it is for; nil: for all
function Store:rouse(entry, now, ids)
  local manifest = entry.manifest
  return self.statements.rouse:run(now, manifest.product_key, manifest.release, manifest.digest, ids)
end

--- Every device, sorted.
function Store:devices()
  return self.statements.every:all()
end

--- Give `package` to devices of a product that are first heard of later.
-- @tparam table rollout package, target, hash; cloud, product, source (release they run) or nil: any
-- @tparam integer now ms
function Store:roll_out(rollout, now)
  return self.statements.roll_out:run(rollout.package, rollout.target, rollout.hash, rollout.cloud, rollout.product,
    rollout.source, now)
end

--- The rollouts, the newest first.
function Store:rollouts()
  return self.statements.rollouts:all()
end

function Store:end_rollout(id)
  return self.statements.end_rollout:run(id)
end

--- A device runs the package: it may go to others.
function Store:verify(row, now)
  return self.statements.verify:run(row.package, row.target, row.cloud, row.product, row.device, now)
end

--- The device no longer runs the package: what it showed no longer holds.
function Store:unverify(row)
  return self.statements.unverify:run(row.package, row.cloud, row.product, row.device)
end

--- Whether a device has shown that the package works.
function Store:is_verified(package)
  return self.statements.verified:first(package)
end

--- The MD5 of a file that has not changed since it was hashed; false when it is not known.
function Store:md5(name, tag)
  local row, message, code = self.statements.file:first(name, tag)
  if row == nil then return nil, message, code end
  return row and row.md5
end

function Store:put_md5(name, tag, md5)
  return self.statements.put_file:run(name, tag, md5)
end

--- The secret that links are signed with, made on the first call.
-- @tparam function random function() -> string that nobody can guess
-- @treturn string|nil nil, message, code
function Store:secret(random)
  local done, message, code = self.statements.set:run("secret", random())
  if not done then return nil, message, code end
  local row
  row, message, code = self.statements.setting:first "secret"
  if not row then return nil, message, code end
  return row.value
end

--- Whether this database is where it was written first, and not a copy of it.
-- @tparam string place what tells the folder from a copy
-- @tparam boolean adopt from now on it belongs here
-- @treturn boolean|nil nil, message, code
function Store:belongs(place, adopt)
  local ok, message, code = true, nil, nil
  if adopt then ok, message, code = self.statements.unset:run "place" end
  if ok then ok, message, code = self.statements.set:run("place", place) end
  local row
  if ok then row, message, code = self.statements.setting:first "place" end
  if not row then return nil, message, code end
  return row.value == place
end

--- Keep in mind whether a depot runs: one that finds the mark was not ended in order.
-- @treturn boolean|nil whether this changed anything; nil, message, code
function Store:set_running(running)
  local changed, message, code
  if running then
    changed, message, code = self.statements.set:run("running", "1")
  else
    changed, message, code = self.statements.unset:run "running"
  end
  if not changed then return nil, message, code end
  return changed > 0
end

function Store:close()
  self.db:close()
end

--- Whether a depot ever kept something in this folder.
function M.exists(dir)
  local file = io.open(dir .. "/depot.db", "rb")
  if file then file:close() end
  return file ~= nil
end

return M
