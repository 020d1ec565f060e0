--- Tells a file of `moult delta` from a package.
--
-- @module cli.bare_delta

local M = {}

local MAGIC = "MOULTPD1"
local HEAD = "<I8c32I8c32I4" -- runtime/author/patch.h: old size and digest, new size and digest, bytes of a block

--- Read the head of such a file.
-- @tparam string path
-- @treturn table|nil {old_size, new_size (bytes)}; nil: it is another kind of file
function M.head(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read(#MAGIC + string.packsize(HEAD)) or ""
  if text:sub(1, #MAGIC) ~= MAGIC or #text < #MAGIC + string.packsize(HEAD) then return nil end
  local old_size, _, new_size = string.unpack(HEAD, text, #MAGIC + 1)
  return { old_size = old_size, new_size = new_size }
end

--- Refuse such a file where a package is expected.
-- @tparam string location path or URL
-- @treturn true|nil true: it is not one; nil, message, "untrusted"
function M.refuse(location)
  if location:find("^%a[%w+.-]*://") or not M.head(location) then return true end
  return nil, location .. " was made by `moult delta` and is not signed: no device installs it. A recipe's "
    .. "core.from makes signed deltas (`moult help pack`)", "untrusted"
end

return M
