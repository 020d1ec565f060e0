--- The agent's side of the line channel to the supervisor.
--
-- The agent owns the state while the phase is idle, fetching, installing or
-- arming; from armed on the supervisor does, and the agent tells it what is
-- wanted:
--
--     to it:    beat | armed | restart | resume | confirm | rollback REASON | failed REASON | date SECONDS |
--               lacks cloud|more | vouched | unreached REASON | hotfix ... (supervisor_hotfix.c)
--     from it:  phase WORD | script up PID START [vouched] | script down REASON |
--               script ended TIMES NEXT REASON | answer VERB ok | answer VERB CODE MESSAGE
--               hotfix take|leave ID | trouble none | trouble on|off CODE MESSAGE | mixed [PATH]
--
-- @module update.agent.supervisor

local natives = require "update.natives"

local M = {}

local DESCRIPTOR = 3
local LINE = 1000 -- bytes of what it is told
local ANSWER_WITHIN = 60 -- seconds that the supervisor has for an order

local Supervisor = {}
Supervisor.__index = Supervisor

--- @tparam table agent
-- @treturn table|nil nil, message, code when nothing is connected to descriptor 3
function M.connect(agent)
  local channel, message, code = agent.natives.channel.from_fd(DESCRIPTOR)
  if not channel then
    return nil, ("the agent is started by `moult run`, with a channel on descriptor %d: %s"):format(DESCRIPTOR,
      message), code
  end
  return setmetatable({ agent = agent, channel = channel, answers = {} }, Supervisor)
end

local function gone(self, message)
  self.agent.log(("the supervisor has ended: %s"):format(message))
  self.agent.tasks:stop()
end

--- Tell it something.
-- @tparam string line
function Supervisor:send(line)
  line = natives.printable.text(line, LINE)
  local ok, message = self.channel:send(line)
  if not ok then return gone(self, message) end
  if self.channel:wants_write() and self.listener then self.agent.tasks:wake(self.listener) end
end

-- Whoever gives one of these orders while it is under way wants the same, and gets the same answer.
local SHARED = { confirm = true, rollback = true }

--- Ask it for what only it may do, and wait for its answer.
-- @tparam string verb "confirm", "rollback" or "hotfix"; an order about hotfixes is "busy" while another waits
-- @tparam[opt] string argument
-- @tparam[opt] number within seconds that it has
-- @treturn boolean|string|nil true, or what was said with it | nil, message, code
function Supervisor:order(verb, argument, within)
  local answer = self.answers[verb] or {}
  self.answers[verb] = answer
  if answer[1] and not SHARED[verb] then return nil, "a hotfix is being tested or undone; try again later", "busy" end
  self:send(argument and ("%s %s"):format(verb, argument) or verb)
  local said = self.agent.tasks:await(answer, within or ANSWER_WITHIN)
  if not said then return nil, ("the supervisor does not answer %s"):format(verb), "internal" end
  local code, message = said:match("^(%S+)%s*(.*)$")
  if code == "ok" then return message ~= "" and message or true end
  return nil, message, code
end

local hear = {}

function hear.phase(self)
  self.agent:refresh()
end

function hear.script(self, rest)
  local times, next_start, reason = rest:match("^ended (%d+) (%d+) (.*)$")
  if times then
    return self.agent:script_ended { restarts = tonumber(times), reason = reason,
      next_start = next_start ~= "0" and tonumber(next_start) or nil }
  end
  local pid, start_no, vouched = rest:match("^up (%d+) (%d+) ?(.*)$")
  if not pid then self.agent.note("script " .. rest:gsub("^down ", "is down: ")) end
  self.agent:script_came(tonumber(pid), tonumber(start_no), vouched == "vouched")
end

-- A hotfix that the script's handler takes, or leaves.
function hear.hotfix(self, rest)
  local word, id = rest:match("^(%a+) (%x+)$")
  if id then self.agent.hotfixes:hand_over(word == "take" and "apply" or "undo", id) end
end

-- What does not work, and whether updates do all the same.
function hear.trouble(self, rest)
  local updates, code, message = rest:match("^(o%a+) (%S+) (.*)$")
  self.agent:met_trouble(updates and { updates = updates == "on", code = code, message = message } or nil)
end

-- Where the tree of files is neither the old nor the new one; without a path it is again.
function hear.mixed(self, path)
  self.agent.mixed = path ~= "" and path or nil
end

function hear.answer(self, rest)
  local verb, said = rest:match("^(%S+) (.*)$")
  if verb and self.answers[verb] then self.agent.tasks:set(self.answers[verb], said) end
end

-- Its lines, until it goes; then so do we.
local function listen(self)
  local watch = { fd = self.channel:fd(), read = true }
  while true do
    local line, message, code = self.channel:receive()
    if line then
      local word, rest = line:match("^(%S+) ?(.*)$")
      if hear[word] then hear[word](self, rest) else self.agent.log(("the supervisor says %q"):format(line)) end
    elseif code == "again" then
      watch.write = self.channel:wants_write()
      self.agent.tasks:watch { watch }
      if watch.write then self.channel:flush() end
    else
      return gone(self, message)
    end
  end
end

local function beat(self, every)
  while true do
    self:send "beat"
    self.agent.tasks:wait(every)
  end
end

--- Listen and beat, in tasks of their own.
-- @tparam integer heartbeat seconds after which silence is death
function Supervisor:start(heartbeat)
  self.listener = self.agent.tasks:spawn("supervisor", listen, self)
  self.agent.tasks:spawn("beat", beat, self, math.min(5, heartbeat / 4))
end

return M
