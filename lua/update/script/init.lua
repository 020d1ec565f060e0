--- The script process: run a device's main.lua, with Luat's names around it.
--
-- @module update.script

local absent = require "update.script.luat_absent"

local M = {}

-- The originals, since the script may change the globals.
local getmetatable, traceback, pcall, tostring, type = debug.getmetatable, debug.traceback, pcall, tostring, type
local stdout, stderr = io.stdout, io.stderr

-- The error, with a traceback.
local function describe(raised)
  local message = raised
  if type(raised) ~= "string" and type(raised) ~= "number" then
    local mt = getmetatable(raised)
    if mt and mt.__tostring then
      local text = mt.__tostring(raised)
      if type(text) == "string" then return text end
    end
    message = ("(error object is a %s value)"):format(type(raised))
  end
  return traceback(absent.explain(tostring(message)), 2)
end

--- Run a file as a script.
-- @tparam string path
-- @tparam string ... its arguments
-- @treturn integer exit code: 0: the script ended without an error
function M.main(path, ...)
  local ok, message
  require("update.script.luat_globals").install()
  _G.arg = { [-1] = require("update.native.host").program, [0] = path, ... }
  local script, mistake = loadfile(path, "t")
  if script then
    ok, message = xpcall(script, describe, ...)
  else
    message = mistake
  end
  if ok then return 0 end
  pcall(stdout.flush, stdout)
  pcall(stderr.write, stderr, "moult: ", tostring(message), "\n")
  return 1
end

return M
