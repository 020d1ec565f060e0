--- What `require "update"` gives to a device's script.
--
-- The agent, another process, does the work; these functions ask it over a link.
-- While a function waits, other tasks run; it may also be called outside of a
-- task. A failure is nil, message, code word; without an agent it is "nothing".
--
-- @module update.script.api

local hotfixes = require "update.script.hotfixes"

local M = {}

-- The arguments of the functions for each event.
local arguments = {
  offer = function(event) return event.offer, event.action end,
  progress = function(event) return event end,
  state = function(event) return event.phase end,
  done = function(event) return event end,
  error = function(event) return event.message, event.code end,
  hotfix = function(event) return event end,
}

local function check_type(value, kind, what)
  if value ~= nil and type(value) ~= kind then
    error(("%s must be a %s, not a %s"):format(what, kind, type(value)), 3)
  end
end

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

-- Only one call of request() waits for the end; the others only update what the
-- agent knows. If the agent is restarted, the new one is asked again.
local function follow(self)
  self.asking = true
  self.link:post("request", self.wanted, function(result, message, code)
    if result == nil and code == "network" then return follow(self) end
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
      self.tasks:start("update.on " .. name, fn, arguments[name](event))
    end
  end
end

-- The requests that begin every connection.
local function hello(self)
  if self.met and self.wanted and self.wanted.period and not self.asking then follow(self) end
  self.met = true
  local globals = self.globals()
  return {
    { verb = "watch", hotfix = self.handlers.hotfix ~= nil },
    { verb = "globals", project = text_or_nil(globals.PROJECT), version = text_or_nil(globals.VERSION),
      product_key = text_or_nil(globals.PRODUCT_KEY) },
  }
end

-- The link, or why there is none.
local function agent(self)
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

local function ask(self, verb, fields)
  local link, message, code = agent(self)
  if not link then return nil, message, code end
  return self.tasks:block(link.call, link, verb, fields)
end

local function add_connection(update, self)
  --- Tell the agent PROJECT, VERSION and PRODUCT_KEY; sys.run() does this by itself.
  -- If they differ from those of the package, a trial fails.
  function update.introduce()
    agent(self)
  end

  --- Tell the agent that something in the script failed; `sys` does this for errors of tasks.
  -- @tparam string message
  function update.report(message)
    local link = agent(self)
    if link then link:post("error", { message = tostring(message):sub(1, 4000) }) end
  end

  --- Set what the script contributes to updates.
  -- @tparam table options `facts`: function that returns a table of what only the script
  --   knows (battery in percent, metered, ...), asked before each decision of policy
  -- @treturn boolean true | nil, message, code without an agent
  function update.setup(options)
    if type(options) ~= "table" then error("update.setup: a table of options is needed", 2) end
    for name in pairs(options) do
      if name ~= "facts" then
        error(("update.setup: unknown option %s; clouds and keys are in the configuration"):format(tostring(name)), 2)
      end
    end
    check_type(options.facts, "function", "update.setup: facts")
    self.facts = options.facts or self.facts
    local link, message, code = agent(self)
    if not link then return nil, message, code end
    return true
  end

  --- Call fn for each event of a kind. It runs in a task and may wait.
  --
  -- - "offer": fn(offer, action): a cloud has an offer, and what policy decided
  -- - "progress": fn{part, done, total}: bytes that are in place
  -- - "state": fn(phase): the phase of the device has changed
  -- - "done": fn{release, sequence}: it is armed, which is not yet success
  -- - "error": fn(message, code)
  -- - "hotfix": fn{name, version, action = "apply"|"undo", dir}: its modules lead package.path already, or no longer
  --   do; true: the script has taken it, or left it. Without that, or without a handler, the script is started anew
  --
  -- @tparam string event
  -- @tparam function fn
  -- @treturn boolean true | nil, message, code without an agent
  function update.on(event, fn)
    if not arguments[event] then error(("update.on: no event %q"):format(tostring(event)), 2) end
    if type(fn) ~= "function" then error("update.on: a function is needed", 2) end
    self.handlers[event] = self.handlers[event] or {}
    table.insert(self.handlers[event], fn)
    local link, message, code = agent(self)
    if not link then return nil, message, code end
    if event == "hotfix" then link:tell { verb = "watch", hotfix = true } end
    return true
  end
end

local function add_work(update, self)
  --- Luat's call: ask the cloud now, and again every `period`.
  -- While this release is on trial, the query waits for the trial's end.
  -- Arguments are remembered: nil keeps the earlier value, and `redirect` stays true once it was.
  -- @tparam[opt] function callback called with true when a new release is armed and
  --   sys.restart() leads to it, else with false; without one the restart follows by itself, and
  --   with one that never does it the agent restarts after `restart_after` seconds
  -- @tparam[opt] string url instead of the configured one; its query (after `?`) is replaced
  -- @tparam[opt] number period ms; nil: ask once
  -- @tparam[opt] boolean redirect ask for a link rather than for the package itself
  -- @treturn boolean true: the request was sent | nil, message, code without an agent
  function update.request(callback, url, period, redirect)
    check_type(callback, "function", "update.request: callback")
    check_type(url, "string", "update.request: url")
    check_type(period, "number", "update.request: period")
    local link, message, code = agent(self)
    if not link then return nil, message, code end
    local wanted = self.wanted or {}
    self.callback = callback or self.callback
    self.wanted = {
      url = url or wanted.url, period = period and math.floor(period) or wanted.period,
      redirect = redirect and true or wanted.redirect, callback = self.callback ~= nil,
    }
    if self.asking then link:post("request", self.wanted) else follow(self) end
    return true
  end

  --- Ask the clouds for an update, and gates and policy about it; install nothing.
  -- @treturn table {cloud, offer, decision = {action, reason}, tree} | nil, message, code ("nothing": nothing new)
  function update.check()
    return ask(self, "check")
  end

  --- Install an offer of check() up to armed; the restart follows unless the
  -- configuration says `restart_when = "asked"`.
  -- @tparam table offer
  -- @treturn table {release, sequence} | nil, message, code
  function update.apply(offer)
    if type(offer) ~= "table" then error("update.apply: an offer of update.check() is needed", 2) end
    return ask(self, "apply", { offer = offer.offer or offer })
  end

  --- Say that the release on trial works.
  -- @treturn boolean true | nil, message, "nothing": no release is on trial
  function update.confirm()
    return ask(self, "confirm")
  end

  --- Drop the armed release, or go back from the trial to the old release.
  -- @tparam[opt] string reason
  -- @treturn boolean|string true or what was done | nil, message, code: "nothing": nothing is armed or on trial;
  --   "refused": this release has kept packages out on too many days already (policy_days of the configuration)
  function update.rollback(reason)
    check_type(reason, "string", "update.rollback: reason")
    return ask(self, "rollback", { reason = reason })
  end

  --- Load a module again, for a handler of hotfixes: what required it before keeps what it got.
  -- @tparam string name as for require
  -- @return the module | nil, message, "internal": it does not load; the old one stays
  function update.reload(name)
    check_type(name, "string", "update.reload: name")
    return hotfixes.reload(name)
  end

  --- The hotfixes on record, oldest first.
  -- @treturn {table,...} name, version, state, sequence, time, message, dir | nil, message, code
  function update.hotfixes()
    return ask(self, "hotfixes")
  end

  --- Undo a hotfix.
  -- @tparam string name
  -- @tparam[opt] boolean all_above first those that lie on it
  -- @treturn boolean true | nil, message, code: "busy": another lies on it; "nothing": it is not applied
  function update.undo(name, all_above)
    check_type(name, "string", "update.undo: name")
    return ask(self, "undo", { name = name, all_above = all_above })
  end

  --- Send a verb of the control socket to the agent; see moult-control(7).
  -- @tparam string verb
  -- @tparam[opt] table fields of the request
  -- @return the agent's answer | nil, message, code
  function update.ask(verb, fields)
    check_type(verb, "string", "update.ask: verb")
    check_type(fields, "table", "update.ask: fields")
    return ask(self, verb, fields)
  end

  --- The state of the device, as `moult status --json` prints it.
  -- @treturn table | nil, message, code
  function update.status()
    return ask(self, "status")
  end
end

--- Make one.
-- @tparam table o sys (update.script.sys), tasks (update.scheduler), json, connect
--   (function -> channel | nil, message, code; nil: there is no agent), globals
--   (function -> table with PROJECT, VERSION, PRODUCT_KEY), log (function(line))
-- @treturn table setup, on, request, check, apply, confirm, rollback, hotfixes, undo, reload, ask, status, introduce,
--   report
function M.new(o)
  local update = {}
  local self = {
    sys = o.sys, tasks = o.tasks, json = o.json, connect = o.connect, globals = o.globals, log = o.log,
    handlers = {},
  }
  add_connection(update, self)
  add_work(update, self)
  return update
end

return M
