--- The releases in the store: those that are withdrawn, and what is known of the others.
--
-- `methods` are those of depot.store. A release is a product's: its full package
-- and its deltas share name and sequence. A withdrawn one is offered no more,
-- and there is no way back: the good content is packed under a higher sequence.
--
-- @module depot.releases

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE withdrawn (
    hash TEXT NOT NULL, release TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (hash, release, sequence)) WITHOUT ROWID;
]]

M.statements = {
  withdraw = "INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?, ?)",
  withdrawn = "SELECT * FROM withdrawn",
  end_jobs = [[UPDATE device SET state = 'cancelled', changed = ?2, due = NULL, renewing = NULL, again = NULL,
    text = 'the release was withdrawn' WHERE package = ?1 AND state IN ('pending', 'upgrading')]],
  running = "SELECT count(*) AS n FROM device WHERE hash = ? AND (release = ? OR other = ?)",
  forget_proof = "DELETE FROM verified WHERE package = ?",
}

local function key_of(hash, release, sequence) return ("%s %s %d"):format(hash, release, sequence) end

local Methods = M.methods

--- Withdraw a release.
-- @treturn true|nil nil, message, code
function Methods:withdraw(manifest, now)
  return self.statements.withdraw:run(manifest.product_key, manifest.release, manifest.sequence, now)
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
function Methods:withdrawn()
  local rows, message, code = self.statements.withdrawn:all()
  if not rows then return nil, message, code end
  local set = {}
  for _, row in ipairs(rows) do set[key_of(row.hash, row.release, row.sequence)] = true end
  return set
end

--- How many devices run a release.
function Methods:running(manifest)
  local row, message, code = self.statements.running:first(manifest.product_key, manifest.release, manifest.release)
  return row and row.n, message, code
end

--- Set `withdrawn` of the entries of a catalog.
-- @tparam {table,...} packages
-- @tparam table set of withdrawn()
function M.mark(packages, set)
  for _, entry in ipairs(packages) do
    local manifest = entry.manifest
    entry.withdrawn = set[key_of(manifest.product_key, manifest.release, manifest.sequence)]
  end
end

return M
