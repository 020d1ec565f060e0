--- `moult watch`.
--
-- @module cli.verbs.watch

local natives = require "update.natives"
local offers = require "update.engine.offer"
local progress = require "cli.progress"
local session = require "cli.session"

local M = {}

M.verb = {
  name = "watch",
  usage = "watch [-c CONFIG] [--json]",
  summary = "show what the agent does, one line for each event, until interrupted",
  text = "Events: offer, progress, state, retry, done (armed), error. The first line is the current state. With\n"
    .. "--json each line is one object with the time in seconds since 1970. Exits 3 if no agent runs, 10 if it ends.",
  positional = { 0, 0 },
  common = { "config", "json" },
  example = "moult watch --json | jq -r .event",
}

local words = {}

function words.offer(e)
  local offer = e.offer or {}
  return ("offer of %s (%s) from %s: %s%s"):format(offer.release, offers.number_of(offer), offer.cloud, e.action,
    e.reason and (" (%s)"):format(e.reason) or "")
end

function words.progress(e)
  return ("%s: %s of %s of %s"):format(e.release, progress.size(e.done), progress.size(e.total), e.part)
end

function words.state(e)
  local text = e.phase .. (e.release and (": release %s"):format(e.release) or "")
  if e.last then text = ("%s; last: %s, %s"):format(text, e.last.code, e.last.message) end
  return text
end

function words.retry(e)
  return ("%s (%s); again in %.0f s"):format(e.message, e.code, e.seconds)
end

function words.done(e)
  return ("%s (%s) is armed"):format(e.release, offers.number_of(e))
end

function words.error(e)
  return ("%s (%s)"):format(e.message, e.code)
end

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local agent, why, word = s:agent()
    if not agent then return nil, why, word end
    local function show(event)
      local now = os.time()
      if env.json then
        event.time = now
        env.out(natives.json.encode(event))
      elseif words[event.event] then
        env.out(("%s  %s"):format(os.date("!%H:%M:%S UTC", now), words[event.event](event)))
      end
    end
    local status, message, code = agent:call("status")
    if not status then return nil, message, code end
    show { event = "state", phase = status.phase, release = status.release, last = status.last }
    local _
    _, message, code = agent:follow(show)
    return nil, message, code
  end)
end

return M
