--- Readings of this machine, by name.
-- @module meter.sensor

local M = {}

local function first_number(path, pattern)
  local file, message = io.open(path)
  if not file then
    return nil, message
  end
  local text = file:read("a")
  file:close()
  return tonumber((text:match(pattern)))
end

local probes = {
  -- Tasks ready to run, mean of the last minute.
  load = function()
    return first_number("/proc/loadavg", "^(%S+)")
  end,
  -- Memory that programs can still have, in KiB.
  memory = function()
    return first_number("/proc/meminfo", "MemAvailable:%s+(%d+)")
  end,
  -- Seconds since the kernel started.
  uptime = function()
    return first_number("/proc/uptime", "^(%S+)")
  end,
}

--- A function that reads all of these columns.
-- @tparam {string,...} columns names of readings; an unknown one is a mistake
--   of whoever wrote the settings and raises, when the program starts
-- @treturn function -> {name = number, ...}; what cannot be read now is absent
function M.reader(columns)
  for _, name in ipairs(columns) do
    if not probes[name] then
      error(("no sensor is called %q"):format(name), 2)
    end
  end
  return function()
    local reading = {}
    for _, name in ipairs(columns) do
      reading[name] = probes[name]()
    end
    return reading
  end
end

return M
