--- The agent's control socket.
--
-- Updates do not need it. If it cannot be created, the agent goes on without
-- it, logs that once, and tries again.
--
-- @module update.agent.control

local M = {}

local AGAIN = 30 -- seconds

local function listen(agent)
  local path, natives = agent.config.state .. "/control", agent.natives
  local access = { user = (agent.config.script or {}).user, group = agent.config.control_group }
  local listener, message, code = natives.channel.listen(path, access)
  if listener or code == "busy" then return listener, message, code end
  -- Whatever else lies there: the name is the socket's.
  if not natives.storage.remove(path) then return nil, message, code end
  return natives.channel.listen(path, access)
end

local function try(agent, server)
  local said
  while true do
    local listener, message, code = listen(agent)
    if listener then
      if said then agent.log "control: the agent can be asked again" end
      return server:listen(listener)
    end
    if message ~= said then
      agent.log(("control: %s (%s); the agent keeps working, but cannot be asked"):format(message, code))
    end
    said = message
    agent.tasks:await(agent.stirred, AGAIN)
  end
end

--- Serve the verbs of update.agent.verbs.
-- @tparam table agent
-- @treturn table server of update.control
function M.open(agent)
  local server = require("update.control").serve {
    json = agent.natives.json, tasks = agent.tasks, log = agent.log,
    handlers = require("update.agent.verbs").of(agent),
    printable = agent.natives.printable.text, descends = agent.natives.channel.descends,
    script = function() return agent:script_process() end,
    user = (agent.config.script or {}).user, group = agent.config.control_group,
    given = agent.config.control_verbs,
    on_leave = function(peer) require("update.agent.aliyun_calls").left(agent, peer) end,
  }
  local listener = listen(agent)
  if listener then server:listen(listener) else agent.tasks:spawn("control socket", try, agent, server) end
  return server
end

return M
