--- The mode of each product, in <folder>/.products, besides the database.
--
-- A depot without --mqtt opens no database, and one that cannot be opened must
-- not give packages of a staged product away. So the file is written in the
-- transaction that changes a mode, and read with the packages. If it is there
-- and cannot be read, every product counts as staged. One line a product: hash
-- of its key, mode.
--
-- A mode: auto (every device is offered the newest package), staged (only what
-- jobs and rollouts grant), off (nothing).
--
-- @module depot.modes

local M = {}

M.NAME = ".products"

local PERMISSIONS = 420 -- 0644: another user may change a product than the one who serves the folder
local WORDS = { auto = true, staged = true, off = true }

--- @tparam table natives storage
-- @tparam string dir
-- @treturn table {[hash] = mode}
-- @treturn string|nil why the file cannot be read, though it is there
function M.read(natives, dir)
  local text, message, code = natives.storage.read(dir .. "/" .. M.NAME)
  if not text and code ~= "missing" then return {}, message end
  local modes = {}
  for line in (text or ""):gmatch "[^\n]+" do
    local hash, mode = line:match "^(%x+) (%l+)$"
    if not hash or not WORDS[mode] then return {}, ("%q is no line of it"):format(line:sub(1, 80)) end
    modes[hash] = mode
  end
  return modes
end

--- Write the file, unless it says that already.
-- @treturn true|nil nil, message, code
function M.write(natives, dir, modes)
  local lines = {}
  for hash, mode in pairs(modes) do lines[#lines + 1] = ("%s %s\n"):format(hash, mode) end
  table.sort(lines)
  local text, path = table.concat(lines), dir .. "/" .. M.NAME
  local before = natives.storage.read(path)
  if (before or "") == text then return true end
  local done, message, code = natives.storage.write(path, text, PERMISSIONS)
  return done and true, message, code
end

--- The mode of the product of an entry.
-- @tparam table entry of a catalog, after mark()
-- @tparam boolean|nil auto false: one that is not known is staged
function M.of(entry, auto) return entry.mode or auto == false and "staged" or "auto" end

--- Set `mode` of the entries of a catalog; nil: the product is not known.
-- @tparam {table,...} packages
-- @tparam {[hash]=mode} modes
-- @tparam[opt] boolean untold whether the modes cannot be told, so that every product counts as staged
function M.mark(packages, modes, untold)
  for _, entry in ipairs(packages) do
    if entry.manifest then entry.mode = untold and "staged" or modes[entry.manifest.product_key] end
  end
end

return M
