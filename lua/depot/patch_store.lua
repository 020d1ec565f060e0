--- What the depot remembers of patches: their stages, who tries them, and how far each device is.
--
-- The tables are in the database of depot.store, whose transactions it uses: call
-- change() of that before a method that changes anything. A patch is in the stage
-- "uploaded", "verified", "trial", "released" or "deleted". A device with one is
-- "waiting" (for the depot to begin a verification), "preparing", "downloading",
-- "downloaded", "done", "failed" or "reverted" (it was done, and was undone later).
--
-- @module depot.patch_store

local M = {}

local Patches = {}
Patches.__index = Patches

local STATEMENTS = {
  add = "INSERT INTO patch (hash, name, version, about, stage, digest, size, crc, made, unsigned) "
    .. "VALUES (?, ?, ?, ?, 'uploaded', ?, ?, ?, ?, ?)",
  find = "SELECT * FROM patch WHERE version = ?1 AND (?2 IS NULL OR hash = ?2) ORDER BY id",
  every = [[SELECT patch.*, count(trial) AS trials, count(CASE WHEN state = 'done' THEN 1 END) AS done,
    count(CASE WHEN state IN ('failed', 'reverted') THEN 1 END) AS failed,
    count(CASE WHEN state NOT IN ('done', 'failed', 'reverted') THEN 1 END) AS open
    FROM patch LEFT JOIN patch_device ON patch = id GROUP BY id ORDER BY id]],
  one = "SELECT * FROM patch WHERE id = ?",
  describe = "UPDATE patch SET about = ?2 WHERE id = ?1",
  stage = "UPDATE patch SET stage = ?2 WHERE id = ?1",
  turn = "UPDATE patch SET stage = ?3 WHERE id = ?1 AND stage = ?2",
  devices = "SELECT * FROM patch_device WHERE patch = ? ORDER BY device",
  device = "SELECT * FROM patch_device WHERE patch = ? AND device = ?",
  put = "INSERT OR REPLACE INTO patch_device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  waiting = [[SELECT patch.*, device, wait FROM patch JOIN patch_device ON patch = id
    WHERE state = 'waiting' ORDER BY changed LIMIT 100]],
  open_for = [[SELECT patch.* FROM patch LEFT JOIN patch_device ON patch = id AND device = ?2
    WHERE hash = ?1 AND (stage = 'released' OR stage = 'trial' AND trial IS NOT NULL) AND fetched IS NULL
      AND (patch.unsigned IS NULL OR patch.hash IN (SELECT hash FROM product WHERE unsigned = 1))
      AND (trial IS NOT NULL OR patch.hash NOT IN (SELECT hash FROM product WHERE admit = 'listed')
        OR EXISTS (SELECT 1 FROM device AS known WHERE known.device = ?2 COLLATE NOCASE
          AND cloud = 'qinglian' AND known.hash = ?1 AND admitted = 1))
    ORDER BY id LIMIT 255]],
}

--- @tparam table store depot.store
-- @treturn table|nil nil, message, code: the tables are not what they should be
function M.new(store)
  local statements = {}
  for name, sql in pairs(STATEMENTS) do
    local fine, statement, message, code = pcall(store.prepare, store, sql)
    if not fine then return nil, ("the tables of patches: %s"):format(statement), "corrupt" end
    if not statement then return nil, message, code end
    statements[name] = statement
  end
  return setmetatable({ store = store, statements = statements }, Patches)
end

--- Where the bytes of a patch are.
-- @tparam table item digest (of its manifest)
function M.path(dir, item) return dir .. "/" .. M.file(item) end

--- The name of that file in the folder: not one of a package, for no other cloud offers it.
function M.file(item) return ("patch-%s.hotfix"):format(item.digest:sub(1, 32)) end

--- @tparam table patch hash, name, version, about, digest, size, crc, unsigned (1: nobody signed it; or nil)
-- @treturn table|nil its row; nil, message, code
function Patches:add(patch, now)
  local done, message, code = self.statements.add:run(patch.hash, patch.name, patch.version, patch.about, patch.digest,
    patch.size, patch.crc, now, patch.unsigned)
  if not done then return nil, message, code end
  return self.statements.find:first(patch.version, patch.hash)
end

--- The patches of a version: one for each product that has it.
-- @tparam[opt] string hash of the product; nil: any
function Patches:find(version, hash)
  return self.statements.find:all(version, hash)
end

--- Every patch, with the numbers of its devices: trials, done, failed, open.
function Patches:every()
  return self.statements.every:all()
end

--- The patch of a number.
-- @treturn table|false|nil false: there is none; nil, message, code
function Patches:one(id) return self.statements.one:first(id) end

function Patches:describe(id, about) return self.statements.describe:run(id, about) end

function Patches:stage(id, stage)
  return self.statements.stage:run(id, stage)
end

function Patches:devices(id)
  return self.statements.devices:all(id)
end

--- How far a device is with a patch; an empty row if it never had to do with it.
-- @treturn table|nil nil, message, code
function Patches:device(id, device)
  local row, message, code = self.statements.device:first(id, device)
  if row == nil then return nil, message, code end
  return row or { patch = id, device = device }
end

function Patches:put(row)
  return self.statements.put:run(row.patch, row.device, row.trial, row.wait, row.state, row.percent, row.text,
    row.fetched, row.changed)
end

--- The verifications that the depot has to begin: rows of patches with device and wait.
function Patches:waiting()
  return self.statements.waiting:all()
end

--- What a device of a product may have now, the oldest first. One that nobody signed only while its product takes such.
-- Where a product offers to admitted devices only, others have those that they try.
function Patches:open_for(hash, device)
  return self.statements.open_for:all(hash, device)
end

--- A device is further, or its test has ended.
-- @tparam table item row of the patch
-- @tparam string device
-- @tparam table step state, percent, text
-- @tparam integer now ms
-- @treturn boolean|nil nil, message, code
function Patches:note(item, device, step, now)
  local row, message, code = self:device(item.id, device)
  if not row then return nil, message, code end
  local was = row.state
  row.state, row.percent, row.text, row.changed = step.state, step.percent or row.percent, step.text, now
  if step.state == "downloaded" or step.state == "done" then row.fetched = row.fetched or now end
  if was == "done" and step.state == "failed" then row.state = "reverted" end
  local done
  done, message, code = self:put(row)
  if not done then return nil, message, code end
  if row.wait and row.state == "done" then return self.statements.turn:run(item.id, "uploaded", "verified") end
  if row.wait and row.state == "reverted" then return self.statements.turn:run(item.id, "verified", "uploaded") end
  return true
end

return M
