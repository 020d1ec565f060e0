--- The agent process: clouds, fetching, installing, reporting.
--
-- Started by the supervisor; see update.agent.supervisor for what they say to
-- each other, update.agent.verbs for what it answers on its control socket.
--
-- An open transaction goes on after a restart with the first cloud that
-- offers the same package: clouds are asked at once when the agent starts.
--
-- @module update.agent

local Agent = require "update.agent.agent"

local M = {}

local LOG_LINE = 4000   -- bytes of one line of the log, at most

local function silent() end

-- verbosity: "-q" says only what goes wrong, "-v" every reason, too.
local function make(config, natives, verbosity)
  local loop = assert(natives.loop.new())
  local self = setmetatable({
    config = config, natives = natives, loop = loop, stirred = {}, engine_free = {}, armed_times = 0,
    listeners = {}, script_ends = {},
    random = math.random,
  }, Agent)
  function self.log(line)
    io.stderr:write("agent: ", natives.printable.text(line, LOG_LINE), "\n")
  end
  self.note = verbosity == "-q" and silent or self.log
  self.detail = verbosity == "-v" and self.log or silent
  self.tasks = require("update.scheduler").new {
    loop = loop, now = natives.loop.now, uptime = natives.loop.uptime,
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
  self.supervisor, message, code = require("update.agent.supervisor").connect(self)
  if not self.supervisor then return nil, message, code end
  self.device, message, code = natives.device.open(config, "child")
  if not self.device then return nil, message, code end
  self.current_phase = self.device:status().phase
  self.asker = require("update.engine.device_policy").new { config = config, device = self.device, tasks = self.tasks,
    keep = true,
    log = self.log }
  self.spending = require("update.agent.spending").new {
    path = config.state .. "/spent", storage = natives.storage, now = natives.storage.now, log = self.log,
    is_set = function() return self.device:facts().time_set end,
  }
  local reserve = require "update.agent.reserve"
  self.reserve = reserve.new {
    path = config.state .. "/reserve", bytes = config.reserve, storage = natives.storage, random = reserve.random,
    size = reserve.size, free = function() return self.device:facts().free end, now = natives.loop.now, log = self.log,
  }
  self.engine = require("update.engine").new {
    natives = natives, device = self.device, loop = self.loop, keys = config.keys, tasks = self.tasks,
    ask = function(...) return self.asker:decide(...) end,
    facts = function() return self.script:facts() end, log = self.log, note = self.note, detail = self.detail,
    http = { proxy = config.proxy, ca_file = config.ca_file, max_redirects = 5 },
    on = function(event) self:on_event(event) end,
    spent = function(bytes, goes_on) self.spending:add(bytes, goes_on) end,
    witness = function(date) self:witness(date) end, tries = 30, head_tries = 3, reserve = self.reserve,
    apply_hotfix = function(...) return self.hotfixes:apply(...) end,
    unkept = require("update.engine.rests").new(self.tasks.uptime,
      { path = config.state .. "/unkept", storage = natives.storage, log = self.log }),
  }
  self.script = require("update.agent.script").new(self)
  self.hotfixes = require("update.agent.hotfixes").new(self)
  self.trial = require("update.agent.trial").new(self)
  self.requests = require("update.agent.script_requests").new(self)
  self.server = require("update.agent.control").open(self)
  return true
end

-- A script that an older program installed has no digest on record yet.
local function learn_script(self)
  local ok, message, code
  repeat
    ok, message, code = self.device:learn_script()
    if code == "again" then self.tasks:wait(0.02) end
  until ok or code ~= "again"
  if not ok then self.log(("script: %s (%s)"):format(message, code)) end
end

-- Told to stop: what is open is closed in order, which keeps what came of an unfinished block.
local function heed_signals(self, signals)
  local watch = { fd = signals:fd(), read = true }
  repeat self.tasks:watch { watch } until signals:next()
  self.tasks:stop()
end

local function start(self, signals)
  self.supervisor:start(self.config.heartbeat)
  self.tasks:spawn("signals", heed_signals, self, signals)
  self.tasks:spawn("trial", self.trial.run, self.trial)
  self.tasks:spawn("learn_script", learn_script, self)
  self.tasks:spawn("hotfix", self.hotfixes.resume, self.hotfixes)
  self.tasks:spawn("reserve", self.reserve.run, self.reserve, self.tasks, function()
    return self:phase() == "idle" and not self.engine:is_busy()
  end)
  self.listeners, self.called, self.qinglian_cloud = require("update.agent.http_poller").start(self)
  -- Armed, and nobody was told: we ended between the two.
  if self:phase() == "armed" then
    self.supervisor:send "armed"
    if self.config.restart_when == "now" then self:restart("armed before the agent started", 1) end
  end
end

--- Run until the supervisor goes.
-- @tparam string ... the words after --agent: -c CONFIG [-q|-v]
-- @treturn integer exit code
function M.main(...)
  local natives = require "update.natives"
  local words = { ... }
  local path = words[1] == "-c" and words[2] or words[1]
  local config, message, code
  if path then
    config, message, code = require("update.config").load_or_kept(path)
    if config and message then io.stderr:write("agent: ", message, "\n") end
  else
    message, code = "no configuration named: -c CONFIG", "usage"
  end
  local self, ok
  if config then
    self = make(config, natives, words[3])
    ok, message, code = open(self)
  end
  if not ok then
    io.stderr:write(("agent: %s (%s)\n"):format(message, code))
    return natives.error.find(code).exit
  end
  local signals <close> = assert(natives.signals.open())
  start(self, signals)
  self.tasks:run()
  return self.failed and 1 or 0
end

return M
