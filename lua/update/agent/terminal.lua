--- The agent's side of a terminal's cloud: the application's calls, mit.ini, and the states that it receives.
--
-- The order of durable steps: the session (`<state>/terminal`), then mit.ini,
-- then the transfer. One task does them, one event after the other; see
-- update.cloud.terminal_session for what leads to what.
--
-- @module update.agent.terminal

local bare_head = require "update.engine.bare_head"
local carrier = require "update.agent.carrier"
local mit_file = require "update.agent.mit_file"
local session = require "update.cloud.terminal_session"
local terminal = require "update.cloud.terminal"
local unsigned = require "update.cloud.unsigned"

local M = {}

local DROPPABLE = { fetching = true, installing = true, arming = true }
local TWINS = { app = true, mdma = true }
local STATE = 65536 -- bytes of the session's file

local Terminal = {}
Terminal.__index = Terminal

local function is_session(state)
  if type(state) ~= "table" or type(state.owed) ~= "table" then return false end
  local job = state.job
  return job == nil or type(job) == "table" and TWINS[job.twin] ~= nil and type(job.requested) == "string"
end

-- What is durable, or nothing when it cannot be read: then a state may be missing, and mit.ini says what is pending.
local function load(self)
  local text, message, code = self.storage.read(self.path, STATE)
  local state = text and self.json.decode(text)
  if is_session(state) then return state end
  if code ~= "missing" then self.agent.log(("%s: %s; starting anew"):format(self.path, message or "no session")) end
  return session.new()
end

local function save(self)
  local ok, message, code = self.storage.write(self.path, self.json.encode(self.state))
  if not ok then self.agent.log(("%s: %s (%s)"):format(self.path, message, code)) end
  return ok
end

-- What the journal says, which decides over mit.ini: version of the files, release.
local function there(self)
  local facts = self.agent.device:facts()
  return facts.files and facts.files.version, facts.release or ""
end

local function pending(self) return self.mit:get "downprover" end

-- Whether some of what mit.ini says is pending is there: of an archive, or a transaction of that release.
local function partial(self)
  if self.agent.natives.partial.size(bare_head.path(self.agent.device)) > 0 then return true end
  local status = self.agent.device:status()
  local t = status.transaction
  return DROPPABLE[status.phase] == true and t ~= nil and terminal.compare(t.release, pending(self)) == 0
end

-- What an archive is to become that nobody signed.
local function bare_of(self, call)
  return unsigned.is_archive(call.downfile) and unsigned.bare(self.agent.config, call.prover) or nil
end

local function fetch(self)
  local agent, call, begun = self.agent, self.call, false
  agent.note(("terminal: %s is called for"):format(call.prover))
  local bare = bare_of(self, call)
  local result, message, code = agent:update({
    cloud = self.cloud.name, location = terminal.url(call), release = not bare and call.prover or nil, bare = bare,
    trigger = terminal.TRIGGERS[call.type],
    -- Trust in an address does not extend to where it redirects.
    http = { ca_file = self.cloud.ca_file, proxy = self.cloud.proxy, max_redirects = bare and 0 or nil },
    watch = function(event) begun = begun or event.event == "offer" or event.event == "progress" end,
  }, "offer")
  if not result then agent.log(("terminal: %s (%s)"):format(message, code)) end
  self:post { type = "ended", code = result and "ok" or code, begun = begun }
end

local act = {}

function act.answer(self, action, event)
  event.reply.value, event.reply.why = action.value, action.why
  self.agent.note(("terminal: the call was %s: %s"):format(action.value == 0 and "accepted" or "refused", action.why))
end

function act.drop(self)
  if DROPPABLE[self.agent:phase()] then self.agent:drop "the terminal wants another version" end
  self.agent.natives.partial.forget(bare_head.path(self.agent.device))
end

function act.mit(self, action) self.mit:put(action.values) end

function act.fetch(self) self.agent.tasks:spawn("terminal fetch", fetch, self) end

function act.tell(self, action)
  self.agent.note(("terminal: state 0x%02x for %s"):format(action.state, action.twin))
  self.agent.tasks:set(self.changed)
end

local function hang_up(self)
  self.carrier:down()
  self.state = session.step(self.state, { type = "down" })
  save(self)
end

function act.carrier(self, action)
  if action.up then self:post { type = "carrier", ok = self.carrier:up() } else hang_up(self) end
end

local function step(self, event)
  if event.type == "call" then
    if session.must_hang_up(self.state) then hang_up(self) end
    if not self.state.job then event.now.link_up = self.carrier:is_up() end
  end
  local before = self.state
  local state, actions = session.step(before, event)
  self.state = state
  if not save(self) and event.type == "call" then
    -- What cannot be kept is not begun.
    self.state, actions = before, { { what = "answer", value = -1, why = "the session cannot be written" } }
  elseif event.type == "call" and not before.job then
    self.call = event.call
  end
  for _, action in ipairs(actions) do act[action.what](self, action, event) end
  self.agent.tasks:set(self.changed)
end

--- An event for the session.
function Terminal:post(event)
  table.insert(self.mail, event)
  self.agent:stir()
end

-- Nothing is armed or on trial any more, and what runs or was asked for is news.
local function verdict_due(self)
  if self.agent:phase() ~= "idle" then return false end
  local job = self.state.job
  local files, release = there(self)
  return job and job.stage == "armed" or files ~= self.files or release ~= self.release
end

-- An event that says what is there.
local function look(self, type)
  self.files, self.release = there(self)
  return { type = type, files = self.files, release = self.release, pending = pending(self) }
end

local function run(self)
  local tasks = self.agent.tasks
  step(self, look(self, "start"))
  while true do
    local event = table.remove(self.mail, 1)
    if event then
      step(self, event)
    elseif verdict_due(self) then
      step(self, look(self, "verdict"))
    else
      tasks:await(self.agent.stirred, 60)
    end
  end
end

local calls = {}

-- Whether bare archives from where the call leads are trusted.
local function is_trusted(self, call)
  local trust = self.agent.config.trust
  local fine, url = pcall(terminal.url, call)
  return trust ~= nil and fine and unsigned.trusts(trust.unsigned, url) ~= nil
end

function calls.update(self, request)
  local reply, call = {}, type(request.call) == "table" and request.call or {}
  self:post { type = "call", call = call, twin = request.twin, reply = reply, now = {
    running = there(self) or self.mit:get "prover", pending = pending(self), partial = partial(self),
    trusted = is_trusted(self, call) } }
  while not reply.value do self.agent.tasks:await(self.changed, 1) end
  return reply
end

--- A state that the twin was not told yet; waits for one.
calls["wait"] = function(self, request)
  while not self.state.owed[request.twin] do self.agent.tasks:await(self.changed, 60) end
  return { state = self.state.owed[request.twin] }
end

function calls.took(self, request)
  self:post { type = "took", twin = request.twin }
  return true
end

--- How the call of a twin stands: fetching or not, and the state that it was not told yet.
calls["state"] = function(self, request)
  local job = self.state.job
  return { busy = job ~= nil and job.twin == request.twin and job.stage ~= "armed", armed = job ~= nil
    and job.stage == "armed", downfile = job and job.downfile, owed = self.state.owed[request.twin] }
end

--- Begin to serve a cloud of this kind.
function M.start(agent, cloud)
  local self = setmetatable({ agent = agent, cloud = cloud, path = agent.config.state .. "/terminal",
    carrier = carrier.new(agent, cloud.carrier), mit = mit_file.new(agent.natives.storage, cloud.mit_ini, agent.log),
    storage = agent.natives.storage, json = agent.natives.json, mail = {}, changed = {} }, Terminal)
  self.state = load(self)
  agent.tasks:spawn("terminal", run, self)
  return self
end

--- The verb `terminal` of the control socket.
-- @tparam table agent
-- @tparam table request call ("update", "wait", "took", "state"), twin, and what belongs to it
function M.call(agent, request)
  local self = agent:terminal()
  if not self then return nil, "no cloud of kind terminal is in the configuration", "nothing" end
  local call = calls[request.what]
  if not call or not TWINS[request.twin] then return nil, "no such call of the terminal", "usage" end
  return call(self, request)
end

return M
