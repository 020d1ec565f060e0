--- The releases that are switched off, in the store and in <folder>/.disabled.
--
-- A release that is off is offered to nobody; what has begun goes on. It can be switched on again. `methods` are those
-- of depot.store. A depot without --mqtt opens no database, so the file (depot.release_file) is written in the
-- transaction that switches a release, and read with the packages. If it is there and cannot be read, no package is
-- offered.
--
-- @module depot.disabled

local release_file = require "depot.release_file"

local M = { methods = {} }

M.NAME = ".disabled"

--- For depot.store.schema, since form 22.
M.schema = [[
  CREATE TABLE disabled (
    hash TEXT NOT NULL, release TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (hash, release, sequence)) WITHOUT ROWID;
]]

M.statements = {
  disabled = "SELECT * FROM disabled",
  disable = "INSERT OR IGNORE INTO disabled VALUES (?, ?, ?, ?)",
  enable = "DELETE FROM disabled WHERE hash = ? AND release = ? AND sequence = ?",
  -- Jobs of a rollout are made due by it.
  wake_package = "UPDATE device SET due = ?2 WHERE package = ?1 AND state = 'pending' AND due IS NULL "
    .. "AND rollout IS NULL",
}

local Methods = M.methods

--- Which releases are off.
-- @treturn {[key]=true}|nil a set for M.mark(); nil, message, code
function Methods:disabled() return release_file.rows(self.statements.disabled) end

--- Switch a release on or off, and write the file, within change().
-- @treturn true|nil nil, message, code
function Methods:switch_release(dir, manifest, enabled, now)
  local done, message, code
  local key = { manifest.product_key, release_file.variant(manifest), manifest.sequence }
  if enabled then
    done, message, code = self.statements.enable:run(table.unpack(key))
  else
    done, message, code = self.statements.disable:run(key[1], key[2], key[3], now)
  end
  local set
  if done then set, message, code = self:disabled() end
  if not set then return nil, message, code end
  return release_file.write(self.natives, dir .. "/" .. M.NAME, set)
end

--- The open jobs of a package that wait for it to be switched on are handled again.
-- @treturn integer|nil nil, message, code
function Methods:wake_package(digest, now) return self.statements.wake_package:run(digest, now) end

--- Make the table and the file say the same, within change(): what either knows is off, as of a database that was lost.
-- @treturn true|nil nil, message, code
function Methods:settle_disabled(dir, now)
  local path = dir .. "/" .. M.NAME
  local set, message, code = self:disabled()
  if not set then return nil, message, code end
  local kept, fault = release_file.read(self.natives, path)
  if fault then return nil, fault, "write" end
  local done
  done, message, code = release_file.recover(self.statements.disable, set, kept, now)
  if not done then return nil, message, code end
  for key in pairs(set) do
    if not kept[key] then
      for old in pairs(kept) do set[old] = true end
      return release_file.write(self.natives, path, set)
    end
  end
  return true
end

--- @tparam table natives
-- @tparam string dir
-- @treturn table {[key] = true}
-- @treturn string|nil why the file cannot be read, though it is there
function M.read(natives, dir) return release_file.read(natives, dir .. "/" .. M.NAME) end

--- Set `disabled` of the entries of a catalog.
-- @tparam {table,...} packages
-- @tparam {[key]=true} set
-- @tparam[opt] boolean untold whether it cannot be told which are off, so that all count
function M.mark(packages, set, untold)
  for _, entry in ipairs(packages) do
    entry.disabled = entry.manifest and (untold or release_file.has(set, entry.manifest)) or nil
  end
end

return M
