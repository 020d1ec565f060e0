--- What `moult doctor` says about the rights of the script and of the control group.
--
-- @module cli.rights_check

local natives = require "update.natives"

local M = {}

-- The files that the script's user must not be able to read, and those that it must not be able to write.
local function forbidden(config)
  local private = { config.state .. "/journal.0", config.state .. "/journal.1", config.state .. "/history" }
  if require("update.config.cloud_rules").holds_secret(config) then private[#private + 1] = config.path end
  private[#private + 1] = config.policy
  for _, cloud in ipairs(config.clouds) do
    private[#private + 1] = cloud.secret_file
    private[#private + 1] = cloud.tls and cloud.tls.key
  end
  return private, { config.path, config.state, config.state .. "/script", config.keys }
end

--- The script's user.
-- @tparam table config
-- @tparam string|nil main path of the main.lua that runs
-- @treturn string level
-- @treturn string text
-- @treturn string|nil advice
-- @treturn string|nil code word
function M.script(config, main)
  if config.script == false then return "ok", "none: the device takes files and cores alone" end
  local user = config.script and config.script.user
  if not user then
    return "ok", "runs with the rights of `moult run`: best effort, it could damage what updates need",
      "name a user of its own: script = { user = \"...\" }"
  end
  if not main then return "ok", ("runs as user %s"):format(user) end
  local private, fixed = forbidden(config)
  local fine, found, code = natives.rights.try(user, config.script.groups, main, private, fixed)
  if fine and found then
    return "fail", ("user %s has access to %s"):format(user, found),
      "make root its owner and remove the rights of all others: chmod 0600, or 0700 for a directory", "refused"
  end
  if fine then return "ok", ("runs as user %s, without access to records, secrets and keys"):format(user) end
  return "fail", found, code == "refused" and "let others pass each folder of its path: chmod o+x"
    or "see script.user in moult-config(5)", code
end

--- The group whose members may ask the agent.
-- @tparam table config
-- @treturn string|nil as M.script(); nil: none is configured
function M.group(config)
  if not config.control_group then return nil end
  local gid, message, code = natives.rights.group(config.control_group)
  if gid then return "ok", ("members of %s may ask the agent, and confirm"):format(config.control_group) end
  return "fail", message, "make the group, or correct control_group in the configuration", code
end

return M
