--- The globals of a script written for Luat.
--
-- `sys`, `update` and `misc` are set by their `require`, as Luat's are.
--
-- @module update.script.luat_globals

local absent = require "update.script.luat_absent"
local luat_module = require "update.script.luat_module"

local M = {}

-- Bytes of the system's memory, and how many the system or Lua uses.
local function memory(kind)
  local values = {}
  for line in io.lines "/proc/meminfo" do
    local name, kilobytes = line:match("^(%w+):%s+(%d+)")
    if name then values[name] = math.tointeger(kilobytes) * 1024 end
  end
  local used = kind == "lua" and math.ceil(collectgarbage "count" * 1024)
  return values.MemTotal, used or values.MemTotal - (values.MemAvailable or values.MemFree)
end

-- It does not change while the script runs.
local known

--- The identity of the device.
-- @treturn table|nil {id, hardware, project, core = {name, version} or nil}; nil: no agent answers
function M.identity()
  known = known or require("update").ask "device"
  return known
end

local log = require "update.script.luat_log"
M.log = absent.complete(log.new(print, function() return rawget(_G, "LOG_LEVEL") end), "log")

local device = require("update.script.luat_device").new {
  identity = M.identity, restart = function(reason) require("sys").restart(reason) end, memory = memory, date = os.date,
}

M.misc = device.misc

--- The libraries libfota and libfota2.
function M.fota()
  return require("update.script.luat_fota").new {
    sys = require "sys", ask = require("update").ask, log = M.log, globals = function() return _G end,
  }
end

--- Set them.
function M.install()
  _G.log, _G.rtos, _G.mobile = M.log, device.rtos, device.mobile
  _G.module, _G.unpack = luat_module.module, table.unpack
  rawset(package, "seeall", luat_module.seeall)
  table.insert(package.searchers, absent.searcher)
end

return M
