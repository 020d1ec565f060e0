--- `moult history`.
--
-- @module cli.verbs.history

local natives = require "update.natives"
local offers = require "update.engine.offer"
local session = require "cli.session"
local times = require "cli.times"

local M = {}

M.verb = {
  name = "history",
  usage = "history [-c CONFIG] [--json]",
  summary = "show the last events of this device, oldest first",
  text = "Takes no lock. With --json: an array of {time, event, sequence, release, code, message};\n"
    .. "what nobody signed has sequence 0 and `unsigned`, the first digits of the SHA-256 of its bytes.",
  positional = { 0, 0 },
  common = { "config", "json" },
  example = "moult history | tail",
}

local function line_of(e)
  local line = ("%s  %-12s %s (%s)"):format(times.shown(e.time), e.event, e.release, offers.number_of(e))
  if e.code and e.code ~= "ok" then line = ("%s  %s"):format(line, e.code) end
  if e.message and e.message ~= "" then line = ("%s: %s"):format(line, e.message) end
  return line
end

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local device, message, code = s:device("read")
    if not device then return nil, message, code end
    local events
    events, message, code = device:history()
    if not events then return nil, message, code end
    if env.json then
      env.out(natives.json.encode(natives.json.array(events)))
    else
      for _, event in ipairs(events) do env.out(line_of(event)) end
      if #events == 0 then env.note("no events yet") end
    end
    return 0
  end)
end

return M
