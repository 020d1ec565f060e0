--- Which native modules there are: a build may leave out wings, and with them their modules.
--
-- @module update.built_in

local M = {}

-- A host has its own built in: what may lie on package.cpath is of another version.
local has_host = pcall(require, "update.native.host")

--- Whether there is update.native.NAME: in this program, or for a plain lua5.4.
function M.has(name)
  local full = "update.native." .. name
  if has_host then return package.preload[full] ~= nil end
  return package.searchpath(full, package.cpath) ~= nil
end

return M
