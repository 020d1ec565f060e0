--- The releases in the store: those that are withdrawn, and what is known of the others.
--
-- `methods` are those of depot.store. A release is a product's: its full package
-- and its deltas share name, sequence and list of hardware. A withdrawn one is offered no more,
-- and there is no way back: the good content is packed under a higher sequence.
--
-- @module depot.releases

local release_file = require "depot.release_file"
local withdrawn = require "depot.withdrawn"

local M = { methods = {} }

--- For depot.store_tables. The release of one that is withdrawn is its depot.release_file.variant().
M.schema = [[
  CREATE TABLE withdrawn (
    hash TEXT NOT NULL, release TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (hash, release, sequence)) WITHOUT ROWID;
]]

--- What people say of a release, for depot.store.schema.
M.notes = [[
  CREATE TABLE release_note (
    hash TEXT NOT NULL, release TEXT NOT NULL, sequence INTEGER NOT NULL, text TEXT, security INTEGER NOT NULL,
    support_until TEXT, PRIMARY KEY (hash, release, sequence)) WITHOUT ROWID;
]]

M.statements = {
  release_note = "SELECT * FROM release_note WHERE hash = ? AND release = ? AND sequence = ?",
  note_release = "INSERT OR REPLACE INTO release_note VALUES (?, ?, ?, ?, ?, ?)",
  withdraw = "INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?, ?)",
  withdrawn = "SELECT * FROM withdrawn",
  end_jobs = [[UPDATE device SET state = 'cancelled', changed = ?2, due = NULL, renewing = NULL, again = NULL,
    text = 'the release was withdrawn' WHERE package = ?1 AND state IN ('pending', 'upgrading')]],
  running = "SELECT count(*) AS n FROM device WHERE hash = ? AND (release = ? OR other = ?)",
  forget_proof = "DELETE FROM verified WHERE package = ?",
}

local Methods = M.methods

--- Withdraw a release.
-- @treturn true|nil nil, message, code
function Methods:withdraw(manifest, now)
  return self.statements.withdraw:run(manifest.product_key, release_file.variant(manifest), manifest.sequence, now)
end

--- End the open jobs of a package, and forget that a device has verified it. What has begun cannot be called back.
-- @treturn integer|nil how many jobs; nil, message, code
function Methods:end_package(digest, now)
  local ok, message, code = self.statements.forget_proof:run(digest)
  if not ok then return nil, message, code end
  return self.statements.end_jobs:run(digest, now)
end

--- Which releases are withdrawn.
-- @treturn table|nil a set for M.mark(); nil, message, code
function Methods:withdrawn() return release_file.rows(self.statements.withdrawn) end

--- Make the table and the file of depot.withdrawn say the same, within change().
-- @treturn true|nil nil, message, code
function Methods:settle_withdrawn(dir, now)
  local set, message, code = self:withdrawn()
  if not set then return nil, message, code end
  local all
  all, message, code = withdrawn.add(self.natives, dir, set)
  if not all then return nil, message, code end
  return release_file.recover(self.statements.withdraw, set, all, now)
end

--- What people say of a release.
-- @treturn table|nil text (nil: nothing), security (boolean), support_until ("YYYY-MM-DD", nil: nobody says);
--   nil, message, code
function Methods:release_note(manifest)
  local row, message, code = self.statements.release_note:first(manifest.product_key, manifest.release,
    manifest.sequence)
  if row == nil then return nil, message, code end
  row = row or {}
  return { text = row.text, security = row.security == 1, support_until = row.support_until }
end

--- Keep that.
-- @treturn integer|nil nil, message, code
function Methods:note_release(manifest, note)
  return self.statements.note_release:run(manifest.product_key, manifest.release, manifest.sequence, note.text,
    note.security, note.support_until)
end

--- How many devices run a release.
function Methods:running(manifest)
  local row, message, code = self.statements.running:first(manifest.product_key, manifest.release, manifest.release)
  return row and row.n, message, code
end

--- Set `withdrawn` of the entries of a catalog. There is no way back.
-- @tparam {table,...} packages
-- @tparam table set of withdrawn()
-- @tparam[opt] boolean untold whether it cannot be told which are withdrawn, so that all count; nil: as before
function M.mark(packages, set, untold)
  for _, entry in ipairs(packages) do
    local manifest = entry.manifest
    if manifest and release_file.has(set, manifest) then entry.ended = true end
    if untold ~= nil then entry.untold = untold end
    entry.withdrawn = entry.ended or entry.untold or nil
  end
end

return M
