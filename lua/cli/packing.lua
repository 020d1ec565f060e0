--- Makes the packages of a recipe: the full one, and a delta for each older core
-- in `from`, with the same release and sequence.
--
-- @module cli.packing

local globals = require "cli.globals"
local natives = require "update.natives"
local titles = require "cli.titles"

local M = {}

--- The default name of the full package.
function M.name(made)
  local fix = made.hotfix
  local what = fix and ("%s_%s"):format(fix.name, fix.version) or titles.release(made)
  return (("%s_%s.upd"):format(made.project, what):gsub("/", "_"))
end

--- The file name of a delta, made from that of the full package.
-- @tparam string out "METER.upd"
-- @tparam integer version of the older core
-- @treturn string "METER-from-17.upd"
function M.beside(out, version)
  local stem, ending = out:match("^(.*)%.(%l+)$")
  local known = ending == "upd" or ending == "tar"
  return known and ("%s-from-%d.%s"):format(stem, version, ending) or ("%s-from-%d"):format(out, version)
end

-- The recipe of one package as update.native.pack takes it.
local function with_source(made, old)
  local copy, core = {}, {}
  for name, value in pairs(made) do copy[name] = value end
  for name, value in pairs(made.core or {}) do core[name] = value end
  core.from, core.from_version = old and old.image, old and old.version
  copy.core = made.core and core
  return copy
end

--- All packages of a recipe, the full one first.
-- @tparam table made a recipe from cli.recipe
-- @tparam string out path of the full package
-- @treturn {table,...} {path, recipe (for write), from (version of the older core; nil: the full package)}
function M.all(made, out)
  local list = { { path = out, recipe = with_source(made) } }
  for _, old in ipairs(made.core and made.core.from or {}) do
    list[#list + 1] = { path = M.beside(out, old.version), recipe = with_source(made, old), from = old.version }
  end
  return list
end

--- Compare main.lua with the recipe.
-- @treturn true|nil nil, message, "usage"
function M.check(made)
  if not made.script then return true end
  local path = made.script.dir .. "/main.lua"
  local file, why = io.open(path, "rb")
  local text, cause
  if file then
    text, cause = file:read("a")
    file:close()
  end
  if not text then return nil, why or ("%s: %s"):format(path, cause), "usage" end
  local ok, message = globals.check(text, made)
  if not ok then return nil, ("%s: %s"):format(path, message), "usage" end
  return true
end

local SOURCE_MAX = 1 << 31 -- bytes; positions in it are 32-bit while it is sorted

--- Whether an image is too large to make a delta of.
-- @tparam string path
-- @tparam integer size bytes
-- @treturn string|nil message; nil: it is not
function M.too_large(path, size)
  if size < SOURCE_MAX then return nil end
  return ("%s: %d bytes; a delta needs an older image of less than 2 GiB, so use full packages"):format(path, size)
end

-- Checked first, because the image would be read in vain.
local function source_flaw(path)
  local file <close> = io.open(path, "rb")
  local size = file and file:seek("end")
  return size and M.too_large(path, size)
end

--- Make one package, completely or not at all.
-- @tparam table one from all()
-- @tparam string key private key file
-- @tparam function progress(done, total, label)
-- @treturn table {path, size (bytes), title, release, hotfix, sequence, digest, from, blanks (lines of
--   update.ini with a space after a / in the directory)}; or nil, message, code
function M.write(one, key, progress)
  local wrong = one.from and source_flaw(one.recipe.core.from)
  if wrong then return nil, wrong, "usage" end
  local packer <close>, message, code = natives.pack.open(one.recipe, one.path, key)
  if not packer then return nil, message, code end
  local label = one.from and ("packing, from %d"):format(one.from) or "packing"
  local word, why, failure
  repeat
    word, why, failure = packer:step()
    if not word then return nil, why, failure end
    local done, total = packer:progress()
    progress(done, total, label)
  until word == "done"
  local manifest = packer:manifest()
  return { path = one.path, size = packer:size(), release = manifest.release, title = titles.title(manifest),
    hotfix = manifest.hotfix, sequence = manifest.sequence,
    digest = manifest.digest, from = one.from, blanks = packer:blanks() }
end

return M
