--- Which native modules there are: a build may leave out wings, and with them their modules.
--
-- @module update.built_in

local M = {}

--- Whether update.native.NAME can be required.
function M.has(name)
  local full = "update.native." .. name
  return package.loaded[full] ~= nil or package.preload[full] ~= nil or
    package.searchpath(full, package.cpath) ~= nil
end

return M
