--- Copying a file into a depot's folder.
--
-- @module depot.into_folder

local trusted = require "depot.trusted"

local M = {}

local PIECE = 256 * 1024

--- Copy a file.
-- @tparam string from
-- @tparam string to
-- @tparam[opt] function each function(piece) for each piece
-- @treturn boolean|nil nil, message
function M.copy(from, to, each)
  local source <close>, why = io.open(from, "rb")
  if not source then return nil, why end
  local file <close>, wrong = io.open(to, "wb")
  if not file then return nil, wrong end
  for piece in function() return source:read(PIECE) end do
    local ok
    ok, wrong = file:write(piece)
    if not ok then return nil, ("%s: %s"):format(to, wrong) end
    if each then each(piece) end
  end
  return file:close()
end

--- Put what fill(path) writes into the folder as `name`, completely or not at all.
-- @treturn boolean|nil nil, message, code
function M.put(dir, name, fill)
  local unfinished = ("%s/.%s.new"):format(dir, name)
  local ok, why = fill(unfinished)
  if ok then ok, why = os.rename(unfinished, dir .. "/" .. name) end
  if ok then return true end
  os.remove(unfinished)
  return nil, why, "write"
end

--- The manifest of a package, if the keys of the folder verify it.
-- @tparam table context dir, opts, natives
-- @tparam string path
-- @treturn table|nil nil, message, code
function M.manifest(context, path)
  local listing, message, code = context.natives.folder.list(context.dir)
  if not listing then return nil, message, code end
  local files = {}
  for _, found in ipairs(listing) do files[found.name] = found end
  local manifest
  manifest, message, code = trusted.manifest(context.natives, path,
    (trusted.keys(context.natives, context.dir, context.opts.keys, files)))
  if not manifest then return nil, ("%s: %s"):format(path, message), code or "corrupt" end
  return manifest
end

return M
