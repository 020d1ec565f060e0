--- What a verb on the device needs: the configuration, the running agent or the
-- state itself, and tasks to wait in.
--
-- @module cli.session

local config_files = require "update.config"
local natives = require "update.natives"

local M = {}

local ADMITTED_WITHIN = 1 -- seconds, if the agent has too many clients
local LOOK_AGAIN = 0.1    -- seconds

--- Seconds within which a working agent answers a request that needs no waiting.
M.ANSWER_WITHIN = 1

--- Seconds to wait for an agent that starts, and for its first answer, before an order is given.
M.ORDER_WITHIN = 4

local Session = {}
Session.__index = Session

--- Where the configuration is, by the options or the environment.
-- @treturn string path
-- @treturn boolean whether somebody named it
function M.path_of(opts)
  local path = opts.config or os.getenv "MOULT_CONFIG"
  if not path or path == "" then return "/etc/moult/config.lua", false end
  return path, true
end

--- The configuration that the options or the environment name.
-- @treturn table|nil nil, message, "usage"
function M.config(opts)
  local path, from = M.path_of(opts)
  local config, message, code = config_files.load(path)
  if config then return config end
  local kept = io.open(config_files.kept(path))
  if kept then
    kept:close()
    message = ("%s; with `-c %s` you reach the device as it came up the last time"):format(message,
      config_files.kept(path))
  elseif not from then
    message = message .. "; name the configuration with -c CONFIG or MOULT_CONFIG"
  end
  return nil, message, code
end

-- For what has to work at every start.
local function config_or_kept(opts, env)
  local config, flaw = config_files.load_or_kept(M.path_of(opts))
  if not config then return M.config(opts) end
  if flaw then env.note(flaw) end
  return config
end

--- Run fn(session) in a task, and run the loop until it ends.
-- @tparam table parsed positional and opts
-- @tparam table env of the dispatcher
-- @tparam function fn -> exit code | nil, message, code
-- @tparam[opt] boolean kept go on with the kept copy of a broken configuration
-- @return what fn returned
function M.run(parsed, env, fn, kept)
  local config, message, code = (kept and config_or_kept or M.config)(parsed.opts, env)
  if not config then return nil, message, code end
  local loop
  loop, message, code = natives.loop.new()
  if not loop then return nil, message, code end
  local failed
  local self = setmetatable({ config = config, env = env, loop = loop, opts = parsed.opts }, Session)
  self.tasks = require("update.scheduler").new {
    loop = loop, now = natives.loop.now, on_error = function(_, trace) failed = failed or trace end,
  }
  local results
  self.tasks:spawn("verb", function()
    results = table.pack(fn(self))
    self.tasks:stop()
  end)
  self.tasks:run()
  self:close()
  if failed then error(failed, 0) end
  return table.unpack(results, 1, results.n)
end

function Session:close()
  if self.client then self.client:close() end
  if self.opened then self.opened:close() end
  self.loop:close()
end

-- The message for a user without the right.
local function refusal(self)
  return require("update.control.rights").who_may(self.config.control_group) .. "; become one of them, with sudo"
end

--- A failure to open a file, with advice if a right is missing.
-- @treturn nil nil, message, code
function Session:failed(message, code)
  if message:find("Permission denied", 1, true) then
    return nil, ("%s: %s"):format(message, refusal(self)), "refused"
  end
  return nil, message, code
end

local function connect(self)
  local till = self.tasks.now() + ADMITTED_WITHIN
  while true do
    local channel, message, code = natives.channel.connect(self.config.state .. "/control")
    if code ~= "busy" or self.tasks.now() > till then return channel, message, code end
    self.tasks:wait(0.05)
  end
end

--- The running agent.
-- @treturn table|nil a client of update.control | nil, message, code: "nothing": no agent runs; "refused": this user
--   may not ask it; "busy": it has too many clients
function Session:agent()
  if not self.client then
    local channel, message, code = connect(self)
    if not channel and code == "refused" then return nil, ("%s: %s"):format(message, refusal(self)), code end
    if not channel and code == "busy" then return nil, message, code end
    if not channel then return nil, "no agent is running; start it with `moult run`", "nothing" end
    self.client = require("update.control").client { channel = channel, json = natives.json, tasks = self.tasks }
  end
  return self.client
end

--- The running agent, if it answers. A verb does not wait for one that hangs.
-- @tparam number within seconds
-- @return as agent(); "busy": it does not answer
function Session:awake(within)
  local agent, message, code = self:agent()
  if not agent then return nil, message, code end
  local ok
  ok, message, code = agent:call("status", nil, nil, within)
  if ok then return agent end
  if not agent.lost then return nil, message, code end
  return nil, "the agent does not answer: it waits for a slow medium, or hangs and will be restarted; try again",
    "busy"
end

--- The state itself.
-- @tparam string mode "read" or "lock"
-- @treturn device|nil nil, message, code
function Session:device(mode)
  local message, code
  self.mode = mode
  -- Who may not ask the agent may not read the state either.
  local _, why, word = self:agent()
  if word == "refused" or (word == "busy" and mode ~= "read") then return nil, why, word end
  self.opened, message, code = natives.device.open(self.config, mode)
  if self.opened then return self.opened end
  if code == "busy" then message = message .. "; if `moult run` is starting, try again in a second" end
  return self:failed(message, code)
end

--- Who carries out an order: the running agent, else this process on the state. `moult run` locks the state before its
-- agent listens, so this waits for the agent.
-- @treturn table|nil agent
-- @treturn device|nil
-- @treturn string|nil message, if there is neither
-- @treturn string|nil code
function Session:in_charge()
  local till = self.tasks.now() + M.ORDER_WITHIN
  while true do
    local agent, message, code = self:awake(M.ORDER_WITHIN)
    if agent or code ~= "nothing" then return agent, nil, message, code end
    local device
    device, message, code = self:device "lock"
    if device or code ~= "busy" or self.tasks.now() >= till then return nil, device, message, code end
    self.tasks:wait(LOOK_AGAIN)
  end
end

--- Give an order to the running agent, or carry it out by hand.
-- @tparam string verb of the control socket
-- @tparam table request
-- @tparam function by_hand function(device)
-- @return what the agent answered or by_hand() returned | nil, message, code
function Session:order(verb, request, by_hand)
  local agent, device, message, code = self:in_charge()
  if agent then return agent:call(verb, request) end
  if device then return by_hand(device) end
  return nil, message, code
end

--- The object that asks policy for this device.
-- @tparam device device
-- @tparam boolean keep whether the last good policy may be written
-- @treturn table see update.engine.device_policy
function Session:asker(device, keep)
  return require("update.engine.device_policy").new { config = self.config, device = device, tasks = self.tasks,
    keep = keep,
    log = function(line) if self.env.verbose then self.env.err(line) end end }
end

--- An engine on the state, for a verb that runs without an agent.
-- @tparam device device
-- @tparam function on called with events
-- @treturn table update.engine
function Session:engine(device, on)
  local env = self.env
  local config = self.config
  local asker = self:asker(device, self.mode == "lock")
  local function say(line) if env.verbose then env.err(line) end end
  return require("update.engine").new {
    natives = natives, device = device, loop = self.loop, keys = config.keys, tasks = self.tasks,
    ask = function(...) return asker:decide(...) end,
    facts = require("update.engine.system_facts").system,
    http = { proxy = config.proxy, ca_file = config.ca_file, max_redirects = 5 },
    log = say, detail = say,
    witness = function(date) device:witness(date) end, on = on, tries = 10, head_tries = 3,
  }
end

return M
