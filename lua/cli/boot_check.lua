--- What starts next, and whether the boot loader's environment is safe, for `moult doctor`.
--
-- @module cli.boot_check

local natives = require "update.natives"

local M = {}

-- If there is only one copy of the environment, a power cut while it is written loses it.
local function count_copies(text)
  local count = 0
  for line in (text or ""):gmatch "[^\n]+" do
    if not line:find "^#" and line:find "^%s*%S+%s+%S+%s+%S+" then count = count + 1 end
  end
  return count
end

local function describe(state)
  local parts = {}
  for _, name in ipairs(state.order) do
    local slot = state[name]
    parts[#parts + 1] = name .. (slot.good and " (good)" or (" (%d tries)"):format(slot.tries))
  end
  return table.concat(parts, ", then ")
end

--- Look at the boot loader's state.
-- @tparam table config with a core
-- @tparam function read_file path -> text or nil
-- @tparam function report as in cli.checks
function M.look(config, read_file, report)
  local core = config.core
  if core.boot == "uboot" and count_copies(read_file(core.fw_env)) == 1 then
    report("fail", "boot", core.fw_env .. ": names only one copy of the U-Boot environment",
      "build U-Boot with a redundant environment and name both copies", "usage")
  end
  local state, message, code = natives.boot.read(config)
  if state then
    return report("ok", "boot", ("driver %q, running from slot %s; starts %s"):format(core.boot, state.running,
      describe(state)))
  end
  if code == "nothing" then return end -- the device is not provisioned, which checks.state reports
  report("fail", "boot", message, core.boot == "uboot" and "see examples/uboot/README.md: boot script, environment and "
    .. "fw_env.config of the board" or "keep a copy of the state directory, then provision the device again", code)
end

return M
