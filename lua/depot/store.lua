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

local filters = require "depot.filter"
local tables = require "depot.store_tables"
local COLUMNS = tables.columns

local M = {}

local Store = {}
Store.__index = Store

--- Open the database of a depot's folder; it is made when it is absent.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] integer patience milliseconds to wait for another process that has locked it
-- @treturn table store; or nil, message, code
function M.open(natives, dir, patience)
  local db, statements, code = tables.open(natives, dir .. "/depot.db", patience)
  if not db then return nil, statements, code end
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
-- @tparam table rollout package, target, hash; cloud, product, source (release they run), filter (text) or nil: any
-- @tparam integer now ms
function Store:roll_out(rollout, now)
  return self.statements.roll_out:run(rollout.package, rollout.target, rollout.hash, rollout.cloud, rollout.product,
    rollout.source, now, rollout.filter)
end

--- The rollouts, the newest first; `means` is their filter, as depot.filter reads it.
function Store:rollouts()
  local rows, message, code = self.statements.rollouts:all()
  for _, row in ipairs(rows or {}) do row.means = row.filter and filters.parse(row.filter) end
  return rows, message, code
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
