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

return M
