--- `moult rollback`.
--
-- @module cli.verbs.rollback

local session = require "cli.session"

local M = {}

M.verb = {
  name = "rollback",
  usage = "rollback [REASON] [-c CONFIG]",
  summary = "drop the update under way, or go back from the trial to the old release",
  text = "If a release is on trial, the device goes back to the old one, and the new one is quarantined. Before the\n"
    .. "trial, the update that is being fetched, installed or armed is dropped. While a release is being confirmed it\n"
    .. "is too late (exit 19). A confirmed release cannot be rolled back (exit 3). Exits 4 if the device has to\n"
    .. "restart to go back.",
  positional = { 0, 1 },
  common = { "config" },
  example = "moult rollback \"sensor readings are off\"",
}

local DROPPABLE = { fetching = true, installing = true, arming = true }

-- Without an agent this process holds the lock, so it may end every phase.
local function by_hand(device, reason)
  local phase = device:status().phase
  if DROPPABLE[phase] then
    local ok, message, code = device:abandon("refused", reason)
    if not ok then return nil, message, code end
    return "dropped"
  end
  return device:rollback(phase == "trial", reason)
end

function M.run(parsed, env)
  local reason = parsed.positional[1] or "rolled back by hand"
  return session.run(parsed, env, function(s)
    local result, message, code = s:order("rollback", { reason = reason },
      function(device) return by_hand(device, reason) end)
    if not result then return nil, message, code end
    if result == "restart" then
      env.note("rolled back; restart the device to run the old release")
      return 4
    end
    env.note(result == "dropped" and "the update is dropped" or "rolled back to the old release")
    return 0
  end)
end

return M
