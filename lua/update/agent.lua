--- The agent process: clouds, fetching, installing, reporting.
--
-- Started by the supervisor with a line channel on descriptor 3. It owns the
-- state while the phase is idle, fetching, installing or arming; from armed on
-- the supervisor does, and the agent tells it what is wanted:
--
--     to it:    beat | armed | restart | confirm | rollback REASON | failed REASON
--     from it:  phase WORD | script up PID START | script down REASON | answer VERB ok | answer VERB CODE MESSAGE
--
-- An open transaction goes on after a restart with the first cloud that
-- offers the same package: clouds are asked at once when the agent starts.
--
-- @module update.agent

local M = {}

local SUPERVISOR_FD = 3
local ANSWER_WITHIN = 60 -- seconds that the supervisor has for an order
local FACTS_WITHIN = 2   -- seconds that the script has for its facts

local Agent = {}
Agent.__index = Agent

function Agent:phase()
  return self.current_phase
end

--- Wake every task that waits for something to change.
function Agent:stir()
  self.tasks:set(self.stirred)
end

--- Tell an event to whoever watches.
function Agent:tell(event)
  if self.server then self.server:broadcast(event) end
end

function Agent:send(line)
  line = line:gsub("[%c]", " ")
  local ok, message = self.supervisor:send(line)
  if not ok then
    self.log(("the supervisor is gone: %s"):format(message))
    self.tasks:stop()
  end
end

--- Read the journal again and tell the phase.
function Agent:refresh()
  local ok, message, code = self.device:reload()
  if not ok then self.log(("state: %s (%s)"):format(message, code)) end
  local phase = self.device:status().phase
  if phase ~= self.current_phase then
    self.current_phase = phase
    self:tell { event = "state", phase = phase }
  end
  self:stir()
end

--- Ask the supervisor for what only it may do, and wait for its answer.
-- @tparam string verb "confirm" or "rollback"
-- @tparam[opt] string argument
-- @treturn true|string|nil what it said | nil, message, code
function Agent:order(verb, argument)
  local answer = self.answers[verb] or {}
  self.answers[verb] = answer
  self:send(argument and ("%s %s"):format(verb, argument) or verb)
  local said = self.tasks:await(answer, ANSWER_WITHIN)
  if not said then return nil, "the supervisor does not answer", "internal" end
  local code, message = said:match("^(%S+)%s*(.*)$")
  if code == "ok" then return message ~= "" and message or true end
  return nil, message, code
end

--- Go over to what is armed: the script, or the device when a core came with it.
-- @tparam string why
-- @tparam[opt] number delay seconds, so that an answer can leave first
function Agent:restart(why, delay)
  self.tasks:spawn("restart", function()
    if delay then self.tasks:wait(delay) end
    if self:phase() ~= "armed" then return end
    self.log(("restart: %s"):format(why))
    self:send "restart"
  end)
end

--- One update. What armed it by itself also restarts, unless told otherwise.
-- @tparam table where see update.engine
-- @tparam string why "poll", "request", "install", "apply"
-- @return as engine:install()
function Agent:update(where, why)
  if why == "request" then where.tries = 1 end
  if why == "poll" then where.head_tries = 1 end
  -- One that only asks its server yet is waited for; a transaction is not.
  while self.engine.busy and not self.engine.begun do self.tasks:await(self.engine_free, 5) end
  local result, message, code, verdict = self.engine:install(where)
  self.tasks:set(self.engine_free)
  if self:phase() ~= self.device:status().phase then self:refresh() end
  if result then
    self:send "armed"
    self:tell { event = "done", release = result.release, sequence = result.sequence }
    if why == "poll" and self.config.restart_when == "now" then self:restart("poll") end
  elseif code ~= "nothing" and code ~= "deferred" then
    self:tell { event = "error", message = message, code = code }
  end
  return result, message, code, verdict
end

--- Drop the transaction that is not armed yet.
function Agent:drop(reason)
  if self.engine.busy then
    self.engine:cancel(reason)
    local till = self.tasks.now() + 30
    while self.engine.busy and self.tasks.now() < till do self.tasks:wait(0.05) end
    if self.engine.busy then return nil, "the update does not end; try again", "busy" end
  else
    local ok, message, code = self.device:abandon("refused", reason)
    if not ok then return nil, message, code end
  end
  self:refresh()
  return "dropped"
end

--- Whether the script that runs is the one of its package.
function Agent:globals(given)
  local natives, config = self.natives, self.config
  local status = self.device:status()
  local version = status.script and status.script.version
  local wrong
  if given.project and given.project ~= config.project then
    wrong = ("PROJECT is %q, the configuration says %q"):format(tostring(given.project), config.project)
  elseif given.version and version and given.version ~= version then
    wrong = ("VERSION is %q, the package says %q"):format(tostring(given.version), version)
  elseif given.product_key and natives.digest.sha256(tostring(given.product_key)) ~= config.product_key then
    wrong = "PRODUCT_KEY is not the one of the configuration"
  end
  if not wrong then return true end
  wrong = "main.lua: " .. wrong
  self.log(("script: %s"):format(wrong))
  if self:phase() == "trial" then
    self:send("failed " .. wrong)
  else
    self:tell { event = "error", message = wrong, code = "incompatible" }
  end
  return nil, wrong, "incompatible"
end

--- The status of the device, with how far the transaction is right now.
function Agent:status()
  local status = self.device:status()
  local live = self.live
  if live and status.transaction and status.transaction.sequence == live.sequence then
    status.transaction.part, status.transaction.done, status.transaction.total = live.part, live.done, live.total
  end
  return status
end

-- Facts that only the script knows; unknown when it does not answer in time.
function Agent:script_facts()
  for peer in pairs(self.server and self.server.peers or {}) do
    if peer.script then
      self.facts_id = (self.facts_id or 0) + 1
      local asked = {}
      self.facts_asked[self.facts_id] = asked
      peer:send { event = "facts", id = self.facts_id }
      if not asked.facts then self.tasks:await(asked, FACTS_WITHIN) end
      self.facts_asked[self.facts_id] = nil
      return asked.facts or {}
    end
  end
  return {}
end

-- Bytes fetched since 00:00 UTC. Counted in memory: an agent that restarts starts anew.
function Agent:spend(bytes)
  local day = os.time() // 86400
  if self.spent_day ~= day then self.spent_day, self.spent_bytes = day, 0 end
  self.spent_bytes = self.spent_bytes + bytes
end

function Agent:facts()
  self:spend(0)
  local facts = require("update.facts").system()
  facts.spent_today = self.spent_bytes
  for name, value in pairs(self:script_facts()) do
    if facts[name] == nil then facts[name] = value end
  end
  return facts
end

local from_supervisor = {}

function from_supervisor.phase(self)
  self:refresh()
end

function from_supervisor.script(self, rest)
  local pid, start_no = rest:match("^up (%d+) (%d+)")
  self.trial:script(pid ~= nil, tonumber(start_no))
  if not pid then self.log(("script %s"):format(rest)) end
  self:stir()
end

function from_supervisor.answer(self, rest)
  local verb, said = rest:match("^(%S+) (.*)$")
  if verb and self.answers[verb] then self.tasks:set(self.answers[verb], said) end
end

-- Lines of the supervisor, until it goes; then so do we.
function Agent:listen()
  local watch = { fd = self.supervisor:fd(), read = true }
  while true do
    local line, message, code = self.supervisor:receive()
    if line then
      local word, rest = line:match("^(%S+) ?(.*)$")
      local handler = from_supervisor[word]
      if handler then handler(self, rest) else self.log(("the supervisor says %q"):format(line)) end
    elseif code == "again" then
      watch.write = self.supervisor:wants_write()
      self.tasks:watch { watch }
      if watch.write then self.supervisor:flush() end
    else
      self.log(("the supervisor is gone: %s"):format(message))
      return self.tasks:stop()
    end
  end
end

function Agent:beat()
  local every = math.min(5, self.config.heartbeat / 3)
  while true do
    self:send "beat"
    self.tasks:wait(every)
  end
end

function Agent:on_event(event)
  if event.event == "progress" then
    self.live = event
  elseif event.event == "state" then
    self.current_phase = event.phase
    if event.phase ~= "fetching" and event.phase ~= "installing" then self.live = nil end
    self:stir()
  end
  self:tell(event)
end

local function make(config, natives)
  local loop = assert(natives.loop.new())
  local self = setmetatable({
    config = config, natives = natives, loop = loop, stirred = {}, answers = {}, facts_asked = {}, spent_bytes = 0,
    engine_free = {},
    random = math.random,
  }, Agent)
  function self.log(line)
    io.stderr:write("agent: ", line:gsub("%c", " "), "\n")
  end
  self.tasks = require("update.scheduler").new {
    loop = loop, now = natives.loop.now,
    on_error = function(name, trace)
      self.log(("task %s failed: %s"):format(name, trace))
      self.failed = true
      self.tasks:stop()
    end,
  }
  return self
end

local function open(self)
  local config, natives = self.config, self.natives
  local message, code
  self.supervisor, message, code = natives.channel.from_fd(SUPERVISOR_FD)
  if not self.supervisor then
    return nil, ("the agent is started by `moult run`, with a channel on descriptor 3: %s"):format(message), code
  end
  self.device, message, code = natives.device.open(config, "child")
  if not self.device then return nil, message, code end
  local listener
  listener, message, code = natives.channel.listen(config.state .. "/control")
  if not listener then return nil, message, code end
  self.current_phase = self.device:status().phase
  self.asker = require("update.asker").new { config = config, device = self.device, tasks = self.tasks, keep = true,
    log = self.log }
  self.engine = require("update.engine").new {
    natives = natives, device = self.device, loop = self.loop, keys = config.keys, tasks = self.tasks,
    ask = function(offer, facts) return self.asker:decide(offer, facts) end,
    facts = function() return self:facts() end, log = self.log,
    http = { proxy = config.proxy, ca_file = config.ca_file, max_redirects = 5 },
    on = function(event) self:on_event(event) end, spent = function(bytes) self:spend(bytes) end,
    tries = 30, head_tries = 3,
  }
  self.trial = require("update.agent_trial").new(self)
  self.requests = require("update.agent_clouds").requests(self)
  self.server = require("update.control").serve {
    listener = listener, json = natives.json, tasks = self.tasks, log = self.log,
    handlers = require("update.agent_verbs").of(self),
  }
  return true
end

local function start(self)
  self.tasks:spawn("supervisor", self.listen, self)
  self.tasks:spawn("beat", self.beat, self)
  self.tasks:spawn("trial", self.trial.run, self.trial)
  require("update.agent_clouds").start(self)
  -- Armed, and nobody was told: we ended between the two.
  if self:phase() == "armed" then
    self:send "armed"
    if self.config.restart_when == "now" then self:restart("armed before the agent started", 1) end
  end
end

--- Run until the supervisor goes.
-- @tparam string ... the words after --agent: -c CONFIG
-- @treturn integer exit code
function M.main(...)
  local natives = require "update.natives"
  local words = { ... }
  local path = words[1] == "-c" and words[2] or words[1]
  local config, message, code
  if path then
    config, message, code = require("update.config").load(path)
  else
    message, code = "no configuration named: -c CONFIG", "usage"
  end
  local self, ok
  if config then
    self = make(config, natives)
    ok, message, code = open(self)
  end
  if not ok then
    io.stderr:write(("agent: %s (%s)\n"):format(message, code))
    return natives.error.find(code).exit
  end
  start(self)
  self.tasks:run()
  return self.failed and 1 or 0
end

return M
