--- Facts about the system that policy may want: uptime and memory.
--
-- @module update.engine.system_facts

local storage = require("update.natives").storage

local M = {}

local function look(path, pattern)
  local text = storage.read(path, 65536)
  return text and text:match(pattern)
end

--- @treturn table uptime (seconds since the device started), memory (bytes
--   available); nil if it cannot be read
function M.system()
  local uptime = tonumber(look("/proc/uptime", "^(%d+)") or "")
  local memory = tonumber(look("/proc/meminfo", "MemAvailable:%s*(%d+) kB") or "")
  return { uptime = uptime, memory = memory and memory * 1024 }
end

return M
