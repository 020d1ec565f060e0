--- What several modules ask of files of the depot.
--
-- @module depot.files

local M = {}

--- Whether there is something that can be read.
function M.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- All of a file.
-- @treturn string|nil nil: it cannot be read
function M.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

return M
