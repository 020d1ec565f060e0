--- What the depot remembers of devices, in <folder>/depot.db.
--
-- It holds a row for each device with its job (depot.jobs); rollouts
-- (depot.rollout.records); tags and notes (depot.tags); people and what they
-- have changed (depot.accounts, depot.audit); what happened (depot.store.events);
-- which packages are verified; digests of files, so that they are not hashed at every start; and
-- settings (depot.store.settings). SQLite uses a write-ahead log, so the
-- actions of the command line can read and write while the depot runs.
--
-- change() begins a transaction if none is open, commit() ends it. Call change()
-- before reading a row that will be changed.
--
-- @module depot.store

local files = require "depot.files"
local tables = require "depot.store_tables"
local COLUMNS = tables.columns

local M = {}

local Store = {}
for _, module in ipairs(tables.modules) do
  for name, method in pairs(module.methods) do Store[name] = method end
end
Store.__index = Store

--- Open the database of a depot's folder, or make it.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] integer patience milliseconds to wait for another process that has locked it
-- @treturn table store; or nil, message, code
function M.open(natives, dir, patience) return M.open_file(natives, dir .. "/depot.db", patience) end

--- Open a database by its path.
function M.open_file(natives, path, patience)
  local db, statements, code = tables.open(natives, path, patience)
  if not db then return nil, statements, code end
  return setmetatable({ db = db, statements = statements, natives = natives, json = natives.json,
    sha256 = natives.digest.sha256, changing = false }, Store)
end

--- Begin a transaction unless one is open.
-- @treturn true|nil nil, message, code
function Store:change()
  if self.changing then return true end
  local ok, message, code = self.db:execute "BEGIN IMMEDIATE"
  self.changing = ok == true
  return ok, message, code
end

--- End the transaction, if one is open. Then the changes are durable.
-- @treturn true|nil nil, message, code: nothing was changed
function Store:commit()
  if not self.changing then return true end
  if not self.db:changing() then
    self.changing = false
    return nil, "the database has rolled the changes back, as it does on a full disk", "nospace"
  end
  local ok, message, code = self.db:execute "COMMIT"
  if not ok then self:abandon() end
  self.changing = false
  return ok, message, code
end

--- Roll back the changes since the last commit.
function Store:abandon()
  -- On a full disk SQLite has rolled back already.
  if self.changing and self.db:changing() then self.db:execute "ROLLBACK" end
  self.changing = false
end

--- Begin a part of the open transaction that can be given up alone. Parts do not nest.
-- @treturn true|nil nil, message, code
function Store:begin_part()
  local done, message, code = self.statements.begin_part:run()
  return done and true, message, code
end

--- End the part.
-- @tparam boolean keep false: give it up
-- @treturn true|nil nil, message, code: nothing is left of the transaction, as on a full disk
function Store:end_part(keep)
  local done, message, code = self.db:changing(), "the database has rolled the changes back", "nospace"
  if done and not keep then done, message, code = self.statements.give_up_part:run() end
  if done then done, message, code = self.statements.end_part:run() end
  if done then return true end
  self:abandon()
  return nil, message, code
end

--- Whether the file of the database was deleted or replaced.
function Store:has_moved()
  return self.db:has_moved()
end

--- Write everything into another file, which is replaced.
-- @treturn true|nil nil, message, code
function Store:copy(path) return tables.copy(self.natives, self.db, path) end

--- Write an open database into another file, which is replaced.
M.copy_of = tables.copy

--- Prepare a statement on the tables of another module.
function Store:prepare(sql)
  return self.db:prepare(sql)
end

--- A number that changes when another process has changed something.
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

--- The rows that are due at `now`, the oldest first.
function Store:due(now, limit)
  return self.statements.due:all(now, limit)
end

--- When the next row is due.
-- @treturn integer|nil ms
function Store:next_due()
  local row = self.statements.next_due:first()
  return row and row.due
end

--- Rows of devices that are upgrading and have been silent since `before` (ms).
-- @tparam boolean only_http of those that speak HTTP, without the broker
function Store:stale(before, limit, only_http)
  return self.statements[only_http and "stale_http" or "stale"]:all(before, before, limit)
end

--- Correct times that lie in the future, as after the clock was set back.
-- @tparam integer now ms
-- @tparam integer latest ms; no row is due later than that
-- @treturn integer|nil nil, message, code
function Store:limit_times(now, latest)
  local done, message, code = self.statements.limit_due:run(latest, latest)
  if done then done, message, code = self.statements.limit_stamps:run(now, now, now, now) end
  if done then done, message, code = self.statements.limit_rollouts:run(now) end
  return done, message, code
end

--- When a device was heard last.
-- @treturn integer|nil ms
function Store:last_heard()
  local row = self.statements.last_heard:first()
  return row and row.heard
end

local FINISHED = 600000 -- ms for a device that has all of its package to say what it runs, which may have been lost

--- Make every open job due whose package may have to be offered again.
function Store:offer_anew(now)
  return self.statements.offer_anew:run(now, now + FINISHED)
end

--- Make the devices due that a new package may be for, even those with a pending job for another package; not those
-- that are upgrading.
-- @tparam table entry of the catalog
-- @tparam integer now ms
-- @tparam[opt] string ids JSON array of the devices that it is for; nil: for all
function Store:make_due(entry, now, ids)
  local manifest = entry.manifest
  return self.statements.make_due:run(now, manifest.product_key, manifest.release, manifest.digest, ids)
end

--- Every device, sorted.
function Store:devices()
  return self.statements.every:all()
end

--- A device runs the package, so that is verified and may go to others.
function Store:verify(row, now)
  return self.statements.verify:run(row.package, row.target, row.cloud, row.product, row.device, now)
end

--- The device that verified the package no longer runs it, so that is no longer verified.
function Store:unverify(row)
  return self.statements.unverify:run(row.package, row.cloud, row.product, row.device)
end

--- Whether a device has verified the package.
function Store:is_verified(package)
  return self.statements.verified:first(package)
end

--- The MD5 of a file; false if it is not known or the file has changed since.
function Store:md5(name, tag)
  local row, message, code = self.statements.file:first(name, tag)
  if row == nil then return nil, message, code end
  return row and row.md5
end

function Store:put_md5(name, tag, md5)
  return self.statements.put_file:run(name, tag, md5)
end

--- Keep everything in the one file from now on, so that it can be renamed once it is closed.
-- @treturn true|nil nil, message, code
function Store:gather() return self.db:execute "PRAGMA journal_mode = DELETE" end

function Store:close() self.db:close() end

--- Whether the folder has a database.
function M.exists(dir)
  return files.exists(dir .. "/depot.db")
end

return M
