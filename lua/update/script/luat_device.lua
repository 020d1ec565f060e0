--- Luat's `rtos`, `misc` and `mobile`, as far as a Linux device has them.
--
-- Pure: the caller passes functions for identity, clock and memory.
--
-- @module update.script.luat_device

local absent = require "update.script.luat_absent"

local M = {}

-- Of a device without a core, or of a script that runs without an agent.
local NOBODY = { id = "", hardware = "Linux", core = { name = "Linux", version = 0 } }

-- "Luat_RDA8910" of version 22 is Luat_V0022_RDA8910, as in the names of Luat's files.
local function core_name(core)
  local first, rest = core.name:match("^([^_]*)(.*)$")
  return ("%s_V%04d%s"):format(first, core.version, rest)
end

--- Make the modules.
-- @tparam table o identity (function -> {id, hardware, core = {name, version}} or nil), restart
--   (function(reason)), memory (function("sys" or "lua") -> bytes of the system, bytes used), date (os.date)
-- @treturn table {rtos, misc, mobile}
function M.new(o)
  local rtos, misc, mobile = {}, {}, {}

  local function device()
    local known = o.identity() or NOBODY
    return { id = known.id, hardware = known.hardware, core = known.core or NOBODY.core }
  end

  --- Name and version of the running core, as Luat writes them.
  function rtos.get_version()
    return core_name(device().core)
  end
  rtos.firmware = rtos.get_version

  --- Version of the core: "V0022".
  function rtos.version()
    return ("V%04d"):format(device().core.version)
  end

  --- The hardware, as the configuration names it.
  function rtos.bsp()
    return device().hardware
  end

  --- End the script, so that it is started again, with the new release if one is armed.
  function rtos.reboot()
    o.restart "rtos.reboot"
  end

  --- The same.
  function rtos.restart()
    o.restart "rtos.restart"
  end

  --- Memory in bytes: all, used, most ever used (here: used now).
  -- @tparam[opt="lua"] string kind "sys": used by the system; else: used by Lua
  function rtos.meminfo(kind)
    local total, used = o.memory(kind == "sys" and "sys" or "lua")
    return total, used, used
  end

  --- The id of the configuration; "" without an agent.
  function misc.getImei()
    return device().id
  end
  misc.getSn = misc.getImei
  mobile.imei, mobile.sn = misc.getImei, misc.getImei

  misc.getVersion = rtos.get_version

  --- The local time, as os.date "*t" gives it.
  function misc.getClock()
    return o.date "*t"
  end

  --- The day of the week, 1 (Monday) to 7.
  function misc.getWeek()
    return (o.date("*t").wday + 5) % 7 + 1
  end

  return { rtos = absent.complete(rtos, "rtos"), misc = absent.complete(misc, "misc"),
    mobile = absent.complete(mobile, "mobile") }
end

return M
