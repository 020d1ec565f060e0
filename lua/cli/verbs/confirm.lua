--- `moult confirm`.
--
-- @module cli.verbs.confirm

local session = require "cli.session"

local M = {}

M.verb = {
  name = "confirm",
  usage = "confirm [-c CONFIG]",
  summary = "confirm the release on trial now",
  text = "Policy is not asked. Exits 3 if no release is on trial.",
  positional = { 0, 0 },
  common = { "config" },
  example = "moult confirm",
}

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local ok, message, code = s:order("confirm", { force = true }, function(device) return device:confirm() end)
    if not ok then return nil, message, code end
    env.note("confirmed; `moult status` shows the release")
    return 0
  end)
end

return M
