--- Whether policy can be asked, for `moult doctor`.
--
-- @module cli.policy_check

local natives = require "update.natives"

local M = {}

--- Look at the policy by asking it a harmless question.
-- @tparam table s cli.session
-- @tparam function report as in cli.checks
function M.look(s, report)
  local there, why, word = natives.rights.user(s.config.user)
  if not there then
    return report("fail", "policy", why, "policy runs as this user; correct `user` in the configuration", word)
  end
  if not s.opened then return end
  local _, message = s:asker(s.opened):healthy { uptime = 0, starts = 1, errors = 0, confirm_called = false }
  local named = s.config.policy or "the default policy"
  if message:find("broken", 1, true) or message:find("cannot be asked", 1, true) then
    return report("fail", "policy", ("%s: %s"):format(named, message), "repair it and run its spec with busted; until "
      .. "then updates are deferred", "refused")
  end
  if s.status.kept_out >= s.config.policy_days then
    return report("warn", "policy", ("the release's policy kept packages out on %d days: the default is used instead")
      :format(s.status.kept_out), "repair it in the next release; `moult explain PKG` shows what it answers")
  end
  report("ok", "policy", named .. " answers")
end

return M
