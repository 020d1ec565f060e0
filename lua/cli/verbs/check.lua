--- `moult check`.
--
-- @module cli.verbs.check

local natives = require "update.natives"
local session = require "cli.session"
local verdicts = require "cli.verdict"

local M = {}

M.verb = {
  name = "check",
  usage = "check [-c CONFIG] [--json]",
  summary = "ask the clouds of the configuration whether there is an update",
  text = "Installs nothing itself, and waits at most a minute for the clouds. Exits 0 if there is an update that\n"
    .. "would be installed, 3 if there is none, else with the code of the reason against it. Clouds that push\n"
    .. "updates are asked by the running agent, which handles their offers as usual.",
  positional = { 0, 0 },
  common = { "config", "json" },
  example = "moult check && moult status",
}

local CLOUDS_WITHIN = 60 -- seconds

local function ask(s)
  local agent, message, code = s:awake(session.ANSWER_WITHIN)
  if agent then return agent:call("check", nil, nil, CLOUDS_WITHIN) end
  if code ~= "nothing" then return nil, message, code end
  local device
  device, message, code = s:device("read")
  if not device then return nil, message, code end
  return require("update.cloud.check").all(s.config, s:engine(device), device:facts())
end

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local verdict, message, code = ask(s)
    if not verdict then return nil, message, code end
    if env.json then
      local object = verdicts.object(verdict)
      object.cloud = verdict.cloud
      env.out(natives.json.encode(object))
    else
      env.out(("%s offers %s"):format(verdict.cloud, verdicts.text(verdict)))
    end
    return verdict.code and natives.error.find(verdict.code).exit or 0
  end)
end

return M
