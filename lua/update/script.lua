--- The script process: run a device's main.lua, with Luat's names around it.
--
-- @module update.script

local absent = require "update.luat_absent"

local M = {}

-- What was raised, and where from.
local function describe(raised)
  local message = raised
  if type(raised) ~= "string" and type(raised) ~= "number" then
    local mt = debug.getmetatable(raised)
    if mt and mt.__tostring then
      local text = mt.__tostring(raised)
      if type(text) == "string" then return text end
    end
    message = ("(error object is a %s value)"):format(type(raised))
  end
  return debug.traceback(absent.explain(tostring(message)), 2)
end

--- Run a file as a script.
-- @tparam string path
-- @tparam string ... its arguments
-- @treturn integer exit code: 0 when it came to its end
function M.main(path, ...)
  local ok, message
  require("update.luat_globals").install()
  _G.arg = { [-1] = require("update.native.host").program, [0] = path, ... }
  local script, mistake = loadfile(path, "t")
  if script then
    ok, message = xpcall(script, describe, ...)
  else
    message = mistake
  end
  if ok then return 0 end
  io.stdout:flush()
  io.stderr:write("moult: ", message, "\n")
  return 1
end

return M
