--- Luat's `log`: lines of the script, by level.
--
-- The two generations number the levels differently: the global LOG_LEVEL of the older one
-- from trace 1 to fatal 6, log.setLevel() of LuatOS from debug 1 to fatal 5. 0 means
-- silence in both. The constants are those of the older one.
--
-- @module update.script.luat_log

local M = {}

local LEVELS = { "trace", "debug", "info", "warn", "error", "fatal" }

-- LuatOS has no trace.
local NAMES = { SILENT = 0, DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4, FATAL = 5 }

local function number_of(level)
  if type(level) == "string" then level = NAMES[level:upper()] end
  if math.type(level) == "integer" and level >= 0 and level <= 5 then return level end
end

--- Make one.
-- @tparam function write called as print is, for each line
-- @tparam function level gives the global LOG_LEVEL, or nil: info
-- @treturn table trace, debug, info, warn, error, fatal, setLevel, getLevel, openTrace, and the constants
function M.new(write, level)
  local log = { LOG_SILENT = 0 }
  local open, chosen = true, nil

  -- The lowest level that is written, in the older count.
  local function least()
    local least_level = level() or chosen or log.LOGLEVEL_INFO
    return open and least_level ~= log.LOG_SILENT and least_level or math.huge
  end

  for number, name in ipairs(LEVELS) do
    log["LOGLEVEL_" .. name:upper()] = number
    local prefix = "[" .. name:sub(1, 1):upper() .. "]-[%s]"
    log[name] = function(tag, ...)
      if number >= least() then write(prefix:format(tostring(tag)), ...) end
    end
  end

  --- Write from this level on; the global LOG_LEVEL has precedence.
  -- @param level "SILENT", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", or 0 to 5
  function log.setLevel(wanted)
    local number = number_of(wanted)
    if not number then error(("log.setLevel: no level %s"):format(tostring(wanted)), 2) end
    chosen = number == 0 and 0 or number + 1
  end

  --- @treturn integer 0 to 5
  function log.getLevel()
    local now = level() or chosen or log.LOGLEVEL_INFO
    return now == 0 and 0 or math.max(1, now - 1)
  end

  --- Switch the log on or off. `print` always writes to the log of `moult run`.
  function log.openTrace(wanted, port)
    if port then error("log.openTrace: no serial port here; the script's output goes to the log", 2) end
    open = wanted and true or false
  end

  return log
end

return M
