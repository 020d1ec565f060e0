--- A temporary directory, removed with all that is in it when its variable goes out of scope.
--
-- @module cli.scratch

local M = {}

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

--- @tparam string folder that is made in it
-- @treturn table|nil {path}, to be held by a `local <close>` | nil, message, code
function M.new(folder)
  local pipe = io.popen "mktemp -d"
  local path = pipe and pipe:read "l"
  if pipe then pipe:close() end
  if not path or not os.execute("mkdir " .. quoted(path .. "/" .. folder)) then
    return nil, "a temporary directory cannot be made in TMPDIR, or else /tmp", "write"
  end
  return setmetatable({ path = path }, { __close = function() os.execute("rm -rf " .. quoted(path)) end })
end

return M
