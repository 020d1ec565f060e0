--- The policy of this device: update.engine.policy_client with everything that it needs.
--
-- @module update.engine.device_policy

local natives = require "update.natives"

local M = {}

--- The reason in the tree if a person asked to leave out the release's policy.
M.BY_HAND = "the release's policy is left out, as requested"

--- @tparam table o config (update.config), device (update.native.device), tasks
--   (scheduler), keep (boolean: the last good policy may be written), log
-- @treturn table decide(self, offer, device) and healthy(self, facts): see update.engine.policy_client
function M.new(o)
  local config = o.config
  return require("update.engine.policy_client").new {
    native = natives.policy, json = natives.json, read = natives.storage.read, log = o.log,
    watch = function(watches, seconds) o.tasks:watch(watches, seconds) end,
    state = config.state, keep = o.keep, owner = config.policy, user = config.user,
    generation = function()
      local _, path = o.device:generation()
      return path and path .. "/policy.lua" or nil
    end,
    overruled = function()
      local days = o.device:status().kept_out
      if days < config.policy_days then return nil end
      return ("the release's policy kept packages out on %d days: it is left out"):format(days)
    end,
    limits = config.limits, confirm = config.confirm, confirm_after = config.confirm_after,
  }
end

return M
