--- Runs the test.lua of a hotfix: it returns a function, and that returns true if the hotfix is good.
--
-- @module update.script.test

local M = {}

-- What the test says: true, or why not.
local function try(path)
  local chunk, mistake = loadfile(path, "t")
  if not chunk then return nil, mistake end
  local ok, test = xpcall(chunk, debug.traceback)
  if not ok then return nil, test end
  if type(test) ~= "function" then return nil, ("returns a %s, not a function"):format(type(test)) end
  local result, why
  ok, result, why = xpcall(test, debug.traceback)
  if not ok then return nil, result end
  if result == true then return true end
  return nil, ("says %s%s"):format(tostring(result), why and ": " .. tostring(why) or "")
end

-- Whoever ends the process says nothing about the hotfix, with code 0 neither.
local function no_exit()
  error("os.exit() is called, and only what the function returns counts", 2)
end

--- @tparam string path
-- @treturn integer exit code: 0: good
function M.main(path)
  os.exit = no_exit -- luacheck: ignore 122
  require("update.script.luat_globals").install()
  local good, why = try(path)
  if good then return 0 end
  io.stderr:write("test.lua: ", tostring(why), "\n")
  return 1
end

return M
