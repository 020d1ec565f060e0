--- The releases that are withdrawn, in <folder>/.withdrawn, besides the database.
--
-- A depot without --mqtt opens no database, and one that cannot be opened must
-- not bring a release back. So the file is written in the transaction that
-- withdraws a release, and read with the packages. If it is there and cannot be
-- read, no package is offered. One line a release: product_key, sequence, name,
-- and after tabs the hardware that it is for. Without any it stands for all of
-- that name and sequence.
--
-- @module depot.withdrawn

local products = require "depot.products"

local M = {}

M.NAME = ".withdrawn"

local MODE = 420 -- 0644: another user may withdraw a release than the one who serves the folder

--- The name of a release, with the hardware that it is for: a product may have it for each of several.
-- @tparam table manifest
function M.variant(manifest)
  local hardware = products.hardware(manifest):gsub("%z", "\t")
  return hardware ~= "" and manifest.release .. "\t" .. hardware or manifest.release
end

--- A release as the file and depot.releases know it; `release`: its name, or its variant().
function M.key(hash, release, sequence) return ("%s %d %s"):format(hash, sequence, release) end

--- @tparam table natives storage
-- @tparam string dir
-- @treturn table {[key] = true}
-- @treturn string|nil why the file cannot be read, though it is there
function M.read(natives, dir)
  local text, message, code = natives.storage.read(dir .. "/" .. M.NAME)
  if not text and code ~= "missing" then return {}, message end
  local set = {}
  for line in (text or ""):gmatch "[^\n]+" do set[line] = true end
  return set
end

--- Add releases to the file, and return all that it has.
-- @tparam table natives
-- @tparam string dir
-- @tparam {[key]=true} more
-- @treturn table|nil set; nil, message, code
function M.add(natives, dir, more)
  local set, message = M.read(natives, dir)
  if message then return nil, message, "write" end
  local lines, changed = {}, false
  for key in pairs(more) do
    changed = changed or not set[key]
    set[key] = true
  end
  if not changed then return set end
  for key in pairs(set) do lines[#lines + 1] = key .. "\n" end
  table.sort(lines)
  local done, code
  done, message, code = natives.storage.write(dir .. "/" .. M.NAME, table.concat(lines), MODE)
  if not done then return nil, message, code end
  return set
end

return M
