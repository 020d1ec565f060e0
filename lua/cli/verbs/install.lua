--- `moult install PKG`.
--
-- @module cli.verbs.install

local bare_delta = require "cli.bare_delta"
local offers = require "update.engine.offer"
local package_place = require "cli.package_place"
local session = require "cli.session"

local M = {}

M.verb = {
  name = "install",
  usage = "install PKG [-c CONFIG] [--dry-run] [--permit FILE] [--default-policy] [--files-version VERSION] "
    .. "[--progress=FORM]",
  summary = "install a package from a file or a URL, up to armed",
  text = "The agent does the work if it runs, and starts the trial by itself. Otherwise this command does it, and the\n"
    .. "trial begins with the next `moult run` or restart. Exits 4 if a release is armed, now or before, 3 if it runs\n"
    .. "already, 0 if nothing is left to do; a hotfix is applied and tested then. If it is interrupted, run it again:\n"
    .. "it continues where it stopped. If the server fails it tries again, after the time that the server gives\n"
    .. "(Retry-After).\n\n"
    .. "--permit FILE, signed by a release key in FILE.minisig, lets one package in once, although its version or its\n"
    .. "sequence is not higher than what was ever confirmed. `moult help sign` shows its form.\n\n"
    .. "--default-policy ignores the policy that came with the release, at once instead of after `policy_days`. The\n"
    .. "default policy answers instead. The owner's policy is asked first, as always.\n\n"
    .. package_place.ARCHIVES,
  options = package_place.options,
  positional = { 1, 1 },
  common = { "config", "dry-run", "json", "progress", "permit" },
  example = "moult install METER_1.0.1.upd\nmoult install https://updates.example/METER_1.0.1.upd --progress=plain\n"
    .. "moult install METER_1.0.0.upd --permit back-to-1.0.0.json\n"
    .. "moult install /media/usb/UPDATE_080507.tar.gz",
}

-- Print the events of an install.
local function teller(env)
  return function(event)
    if event.event == "progress" then
      env.progress(event.done, event.total, "fetching " .. event.release)
    elseif event.event == "offer" then
      env.note(("%s: %s"):format(offers.describe(event.offer), event.action))
    elseif event.event == "state" and event.phase == "installing" then
      env.note("every block is in place; reading back and installing")
    elseif event.event == "retry" then
      env.note(("%s (%s); trying again in %.0f s"):format(event.message, event.code, event.seconds))
    end
  end
end

local function by_agent(s, agent, where, on)
  local ok, message, code = agent:call("watch")
  if not ok then return nil, message, code end
  local result
  result, message, code = agent:call("install", { source = package_place.absolute(where.location),
    permit = where.permit and package_place.absolute(where.permit), default_policy = where.left_out ~= nil,
    files_version = where.bare and where.bare.version }, on)
  if result then result.agent = s.config.restart_when == "now" end
  return result, message, code
end

local function dry_run(s, env, where)
  local explain = require "cli.verbs.explain"
  local verdict, message, code = explain.judge(s, where)
  if not verdict then return nil, message, code end
  return explain.show(env, verdict)
end

local function report_hotfix(env, result)
  if env.json then
    env.out(require("update.natives").json.encode { hotfix = result.hotfix, state = result.state })
  else
    env.note(("%s is applied, and passed its test"):format(offers.name_of(result)))
  end
  return 0
end

local function report(env, result)
  if result.hotfix then return report_hotfix(env, result) end
  if env.json then
    env.out(require("update.natives").json.encode { armed = result.release, sequence = result.sequence,
      needs_restart = result.needs_restart, already = result.already })
  elseif result.already then
    env.note(("%s is armed already; its trial begins with the next %s"):format(result.release,
      result.needs_restart and "restart of the device" or "start of the script"))
  elseif result.agent then
    env.note(("%s is armed; the agent starts its trial now"):format(result.release))
  elseif result.needs_restart then
    env.note(("%s is armed; restart the device, and its trial begins"):format(result.release))
  else
    env.note(("%s is armed; its trial begins with the next `moult run`"):format(result.release))
  end
  return 4
end

function M.run(parsed, env)
  local fine, why, word = bare_delta.refuse(parsed.positional[1])
  if not fine then return nil, why, word end
  return session.run(parsed, env, function(s)
    local where
    where, why, word = package_place.of(parsed, s.config)
    if not where then return nil, why, word end
    if env.dry_run then return dry_run(s, env, where) end
    local result
    local agent, device, message, code = s:in_charge()
    if agent then
      result, message, code = by_agent(s, agent, where, teller(env))
    elseif device then
      result, message, code = s:engine(device, teller(env)):install(where)
    end
    if not result then return nil, message, code end
    return report(env, result)
  end)
end

return M
