--- What a device's script tells the agent, and what it hears from it: the state behind update.script.api.
--
-- @module update.script.agent_link

local hotfixes = require "update.script.hotfixes"

local M = {}

local Agent = {}
Agent.__index = Agent

--- The events of update.on(), each with the arguments that its functions get.
M.EVENTS = {
  offer = function(event) return event.offer, event.action end,
  progress = function(event) return event end,
  state = function(event) return event.phase end,
  done = function(event) return event end,
  error = function(event) return event.message, event.code end,
  hotfix = function(event) return event end,
}

local function text_or_nil(value)
  local kind = type(value)
  return (kind == "string" or kind == "number") and tostring(value) or nil
end

-- The agent waits two seconds for the answer, so one is always sent.
local function tell_facts(self, id)
  local ok, facts = true, {}
  if self.facts then ok, facts = xpcall(self.facts, debug.traceback) end
  if ok and type(facts) ~= "table" then
    ok, facts = false, ("update.setup: facts returned a %s, not a table"):format(type(facts))
  end
  if ok then
    local why
    ok, why = pcall(self.link.tell, self.link, { verb = "facts", id = id, facts = facts })
    if ok then return end
    facts = ("update.setup: facts returned a value that cannot be sent: %s"):format(why)
  end
  self.link:tell { verb = "facts", id = id, facts = {} }
  error(facts, 0)
end

--- Ask for what update.request() wants, and call its callback at the end. Only one call waits; later ones only tell
-- the agent. If the agent is restarted, the new one is asked again.
function Agent:follow()
  self.asking = true
  self.link:post("request", self.wanted, function(result, message, code)
    if result == nil and code == "network" then return self:follow() end
    self.asking = false
    if result == nil then self.log(("update.request: %s (%s)"):format(message, code)) end
    if self.callback then self.callback(result == true) end
  end)
end

local function on_event(self, event)
  local name = event.event
  if name == "facts" then
    tell_facts(self, event.id)
  elseif name == "publish" and type(event.message) == "table" and event.message[1] ~= nil then
    self.sys.publish(table.unpack(event.message))
  elseif name == "hotfix" then
    local taken = hotfixes.take(event, self.handlers.hotfix or {}, self.log)
    self.link:tell { verb = "hotfix", id = event.id, taken = taken }
  elseif name == "request" then
    if self.callback then self.callback(event.ok == true) end
  else
    for _, fn in ipairs(self.handlers[name] or {}) do
      self.tasks:start("update.on " .. name, fn, M.EVENTS[name](event))
    end
  end
end

-- The requests that begin every connection.
local function hello(self)
  if self.met and self.wanted and self.wanted.period and not self.asking then self:follow() end
  self.met = true
  local globals = self.globals()
  return {
    { verb = "watch", hotfix = self.handlers.hotfix ~= nil },
    { verb = "globals", project = text_or_nil(globals.PROJECT), version = text_or_nil(globals.VERSION),
      product_key = text_or_nil(globals.PRODUCT_KEY) },
  }
end

--- Connect, unless that was done.
-- @treturn table update.script.link | nil, message, code
function Agent:open()
  if not self.connect then
    return nil, "no agent here: this script was not started by `moult run` with a configuration", "nothing"
  end
  self.link = self.link or require("update.script.link").new {
    connect = self.connect, json = self.json, tasks = self.tasks,
    hello = function() return hello(self) end,
    on_event = function(event) on_event(self, event) end,
  }
  self.link:open()
  return self.link
end

--- Ask the agent, and wait for its answer.
-- @return the answer | nil, message, code
function Agent:ask(verb, fields)
  local link, message, code = self:open()
  if not link then return nil, message, code end
  return self.tasks:block(link.call, link, verb, fields)
end

--- @tparam table o as update.script.api takes it
-- @treturn table agent: open(), ask(), follow(); facts, callback and wanted are set by the api
function M.new(o)
  return setmetatable({
    sys = o.sys, tasks = o.tasks, json = o.json, connect = o.connect, globals = o.globals, log = o.log,
    handlers = {},
  }, Agent)
end

return M
