--- The secrets of a depot: sealed by a vault (depot.vault) if there is one, else as they are.
--
-- `methods` are those of depot.store.
--
-- @module depot.store.secrets

local M = { methods = {} }

local LINKS = "links" -- what links are signed with

--- For depot.store.schema.
M.schema = "CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;\n"

M.statements = {
  secret = "SELECT sealed FROM secret WHERE name = ?",
  secret_put = "INSERT INTO secret VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
  secret_drop = "DELETE FROM secret WHERE name = ?",
  secrets = "SELECT count(*) AS n FROM secret",
}

local Methods = M.methods

--- Whether a secret is sealed already.
-- @treturn boolean|nil nil, message, code
function Methods:has_sealed()
  local row, message, code = self.statements.secrets:first()
  if not row then return nil, message, code end
  return row.n > 0
end

-- Seal what stood in the clear, and leave nothing of it in the file or its log.
local function seal(self, name, text)
  local sealed, message, code = self.vault:seal(name, text)
  local ok = sealed ~= nil
  if ok then ok, message, code = self:change() end
  if not ok then return nil, message, code end
  ok, message, code = self.statements.secret_put:run(name, sealed)
  if ok then ok, message, code = self.statements.unset:run "secret" end
  if not ok then
    self:abandon()
    return nil, message, code
  end
  ok, message, code = self:commit()
  if ok then ok, message, code = self.db:execute "PRAGMA wal_checkpoint(TRUNCATE)" end
  return ok and text, message, code
end

--- Keep another secret, sealed, within change().
-- @treturn integer|nil nil, message, code
function Methods:seal_secret(name, text, vault)
  local sealed, message, code = vault:seal(name, text)
  if not sealed then return nil, message, code end
  return self.statements.secret_put:run(name, sealed)
end

--- A secret of seal_secret().
-- @treturn string|nil nil, message, code
function Methods:sealed_secret(name, vault)
  local row, message, code = self.statements.secret:first(name)
  if row == false then return nil, ("the store has no secret %s"):format(name), "missing" end
  if not row then return nil, message, code end
  return vault:unseal(name, row.sealed)
end

function Methods:drop_secret(name) return self.statements.secret_drop:run(name) end

--- The secret that links are signed with, made on the first call; outside of change().
-- @tparam function random function() -> unpredictable string
-- @tparam[opt] table vault depot.vault: the secret is sealed, one that was not from now on
-- @treturn string|nil nil, message, code
function Methods:secret(random, vault)
  self.vault = vault
  local row, message, code = self.statements.secret:first(LINKS)
  if row == nil then return nil, message, code end
  if row and not vault then
    return nil, "the secrets of the store are sealed; give --secret-file with the file of their key", "usage"
  end
  if row then return vault:unseal(LINKS, row.sealed) end
  local done
  done, message, code = self.statements.set:run("secret", random())
  if not done then return nil, message, code end
  local text
  text, message, code = self:setting "secret"
  if not text or not vault then return text, message, code end
  return seal(self, LINKS, text)
end

return M
