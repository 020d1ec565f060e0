--- Whether the command that restarts the device exists, for `moult doctor`.
--
-- @module cli.restart_check

local M = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Whether a program can be run.
-- @tparam string name a path if it has a slash; else it is looked up in PATH
function M.exists(name)
  local test = name:find("/", 1, true) and "test -f %s -a -x %s" or "command -v -- %s >/dev/null 2>&1"
  return (os.execute((test:gsub("%%s", function() return quote(name) end)))) == true
end

--- @tparam table config
-- @tparam function exists as above
-- @treturn string|nil level; nil: nothing to report, since without a core the device is never restarted
-- @treturn string text
-- @treturn string|nil advice
function M.judge(config, exists)
  local restart = config.restart
  if not config.core then
    if type(restart) ~= "table" or exists(restart[1]) then return nil end
    return "warn", ("%s: no such program"):format(restart[1]),
      "it is needed once the device has slots for a core: correct `restart` in the configuration"
  end
  if restart == "exit" then return "ok", "the service that started `moult run` has to restart the device when it "
    .. "exits with 4" end
  if not restart then return "ok", "`moult run` starts over" end
  if exists(restart[1]) then return "ok", table.concat(restart, " ") end
  return "fail", ("%s: no such program"):format(restart[1]),
    "an armed core would wait for ever: correct `restart` in the configuration"
end

return M
