--- Facts about the system that policy may want: uptime and memory.
--
-- @module update.facts

local M = {}

local function first_line_of(path, pattern)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text:match(pattern)
end

--- @treturn table uptime (seconds since the device started), memory (bytes
--   available); what cannot be read is absent
function M.system()
  local uptime = tonumber(first_line_of("/proc/uptime", "^(%d+)") or "")
  local memory = tonumber(first_line_of("/proc/meminfo", "MemAvailable:%s*(%d+) kB") or "")
  return { uptime = uptime, memory = memory and memory * 1024 }
end

return M
