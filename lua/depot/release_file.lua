--- A set of releases in a file of the folder, besides the database (depot.withdrawn, depot.disabled).
--
-- One line a release: product_key, sequence, name, and after tabs the hardware that it is for. Without any it stands
-- for all of that name and sequence.
--
-- @module depot.release_file

local products = require "depot.products"

local M = {}

local MODE = 420 -- 0644: another user may change releases than the one who serves the folder

--- The name of a release, with the hardware that it is for: a product may have it for each of several.
-- @tparam table manifest
function M.variant(manifest)
  local hardware = products.hardware(manifest):gsub("%z", "\t")
  return hardware ~= "" and manifest.release .. "\t" .. hardware or manifest.release
end

--- A line of the file; `release`: the name of a release, or its variant().
function M.key(hash, release, sequence) return ("%s %d %s"):format(hash, sequence, release) end

--- What key() was made of.
-- @treturn string|nil hash; nil: it is no key
-- @treturn string|nil release
-- @treturn integer|nil sequence
function M.parts(key)
  local hash, sequence, release = key:match "^(%x+) (%d+) (.*)$"
  return hash, release, hash and math.tointeger(tonumber(sequence))
end

--- @tparam table natives storage
-- @tparam string path
-- @treturn table {[key] = true}
-- @treturn string|nil why the file cannot be read, though it is there
function M.read(natives, path)
  local text, message, code = natives.storage.read(path)
  if not text and code ~= "missing" then return {}, message end
  local set = {}
  for line in (text or ""):gmatch "[^\n]+" do set[line] = true end
  return set
end

--- @treturn true|nil nil, message, code
function M.write(natives, path, set)
  local lines = {}
  for key in pairs(set) do lines[#lines + 1] = key .. "\n" end
  table.sort(lines)
  local done, message, code = natives.storage.write(path, table.concat(lines), MODE)
  return done and true, message, code
end

--- The same set, as a table of the database has it.
-- @tparam table statement whose rows have hash, release, sequence
-- @treturn {[key]=true}|nil nil, message, code
function M.rows(statement)
  local rows, message, code = statement:all()
  if not rows then return nil, message, code end
  local set = {}
  for _, row in ipairs(rows) do set[M.key(row.hash, row.release, row.sequence)] = true end
  return set
end

--- Put into the table what only the file has.
-- @tparam table statement that adds hash, release, sequence, at a time
-- @tparam {[key]=true} set what the table has
-- @tparam {[key]=true} kept what the file has; what is no key() is left out
-- @treturn true|nil nil, message, code
function M.recover(statement, set, kept, now)
  for key in pairs(kept) do
    local hash, release, sequence = M.parts(key)
    if hash and not set[key] then
      local done, message, code = statement:run(hash, release, sequence, now)
      if not done then return nil, message, code end
    end
  end
  return true
end

--- Whether a set of keys has a release, by its name or its variant().
function M.has(set, manifest)
  return set[M.key(manifest.product_key, manifest.release, manifest.sequence)]
    or set[M.key(manifest.product_key, M.variant(manifest), manifest.sequence)] or false
end

return M
