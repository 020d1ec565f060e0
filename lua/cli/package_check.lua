--- Checks a complete package, for `verify` and `info`.
--
-- @module cli.package_check

local natives = require "update.natives"

local M = {}

--- Check every byte.
-- @tparam string path
-- @tparam string keys a public key file or a directory of them
-- @tparam function progress(done, total, label)
-- @treturn table {manifest, size (bytes), blocks (count by encoding), files (the entries of its files part, as from
--   update.native.verify; nil without one)}
-- @treturn nil,string,string message, code word
function M.whole(path, keys, progress)
  local source <close>, message, code = natives.source.file(path)
  if not source then return nil, message, code end
  local check <close>, why, word = natives.verify.open(source, keys)
  if not check then return nil, why, word end
  repeat
    local step
    step, message, code = check:step()
    if not step then return nil, ("%s: %s"):format(path, message), code end
    local done, total = check:progress()
    if total > 0 then progress(done, total, "verifying") end
  until step == "done"
  return { manifest = check:manifest(), size = check:size(), blocks = check:blocks(), files = check:files() }
end

return M
