--- `moult explain PKG`.
--
-- @module cli.verbs.explain

local natives = require "update.natives"
local session = require "cli.session"
local verdicts = require "cli.verdict"
local warnings = require "cli.warnings"

local M = {}

M.verb = {
  name = "explain",
  usage = "explain PKG [-c CONFIG] [--permit FILE] [--default-policy] [--json]",
  summary = "show what this device would decide about a package, and why",
  text = "PKG is a file or a URL; only its head is read. Takes no lock and changes nothing. Exits 0 if it would be\n"
    .. "installed, else with the code of the reason.",
  options = { { name = "default-policy", help = "ignore the policy that came with the release" } },
  positional = { 1, 1 },
  common = { "config", "json", "permit" },
  example = "moult explain METER_1.0.1.upd\nmoult explain METER_1.0.0.upd --permit back-to-1.0.0.json",
}

--- Judge a package on this device, without a lock.
-- @tparam table s session
-- @tparam table where of update.engine
-- @treturn table|nil verdict, with `warning` if something looks like a mistake | nil, message, code
function M.judge(s, where)
  local device, message, code = s:device("read")
  if not device then return nil, message, code end
  local verdict
  verdict, message, code = s:engine(device):inspect(where)
  if not verdict then return nil, message, code end
  verdict.warning = warnings.of_sequence(verdict.offer.sequence, device:status().floor)
  return verdict
end

--- Print a verdict. Returns its exit code.
function M.show(env, verdict)
  if verdict.warning then env.note("warning: " .. verdict.warning) end
  env.out(env.json and natives.json.encode(verdicts.object(verdict)) or verdicts.text(verdict))
  return verdict.code and natives.error.find(verdict.code).exit or 0
end

function M.run(parsed, env)
  local fine, why, word = require("cli.bare_delta").refuse(parsed.positional[1])
  if not fine then return nil, why, word end
  return session.run(parsed, env, function(s)
    local verdict, message, code = M.judge(s, { cloud = "file", location = parsed.positional[1],
      permit = parsed.opts.permit,
      left_out = parsed.opts["default-policy"] and require("update.engine.device_policy").BY_HAND or nil })
    if not verdict then return nil, message, code end
    return M.show(env, verdict)
  end)
end

return M
