--- Whether the command that restarts the device is there, for `moult doctor`.
--
-- @module cli.restart_check

local M = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Whether a program of that name could be run.
-- @tparam string name with a slash: a path; else looked for in PATH
function M.exists(name)
  local test = name:find("/", 1, true) and "test -f %s -a -x %s" or "command -v -- %s >/dev/null 2>&1"
  return (os.execute((test:gsub("%%s", function() return quote(name) end)))) == true
end

--- @tparam table config
-- @tparam function exists as above
-- @treturn string|nil level; nil: no core is ever changed, so nothing to restart, and nothing wrong is named
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
    "an armed core waits for it: correct `restart` in the configuration"
end

return M
