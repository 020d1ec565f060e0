--- What `require "update"` gives to a device's script.
--
-- The agent, another process, does the work; these functions ask it over a link.
-- While a function waits, other tasks run; it may also be called outside of a
-- task. A failure is nil, message, code word; without an agent it is "nothing".
--
-- @module update.script.api

local agent_link = require "update.script.agent_link"
local hotfixes = require "update.script.hotfixes"

local M = {}

local function check_type(value, kind, what)
  if value ~= nil and type(value) ~= kind then
    error(("%s must be a %s, not a %s"):format(what, kind, type(value)), 3)
  end
end

local function add_connection(update, self)
  --- Tell the agent PROJECT, VERSION and PRODUCT_KEY; sys.run() does this by itself.
  -- If they differ from those of the package, a trial fails.
  function update.introduce()
    self:open()
  end

  --- Tell the agent that something in the script failed; `sys` does this for errors of tasks.
  -- @tparam string message
  function update.report(message)
    local link = self:open()
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
    local link, message, code = self:open()
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
  -- - "hotfix": fn{name, version, action = "apply"|"undo", dir, path (of the bytes of a bare .bin)}: its modules lead
  --   package.path already, or no longer do; true: the script has taken it, or left it. Without that, or without a
  --   handler, the script is started anew
  --
  -- @tparam string event
  -- @tparam function fn
  -- @treturn boolean true | nil, message, code without an agent
  function update.on(event, fn)
    if not agent_link.EVENTS[event] then error(("update.on: no event %q"):format(tostring(event)), 2) end
    if type(fn) ~= "function" then error("update.on: a function is needed", 2) end
    self.handlers[event] = self.handlers[event] or {}
    table.insert(self.handlers[event], fn)
    local link, message, code = self:open()
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
    local link, message, code = self:open()
    if not link then return nil, message, code end
    local wanted = self.wanted or {}
    self.callback = callback or self.callback
    self.wanted = {
      url = url or wanted.url, period = period and math.floor(period) or wanted.period,
      redirect = redirect and true or wanted.redirect, callback = self.callback ~= nil,
    }
    if self.asking then link:post("request", self.wanted) else self:follow() end
    return true
  end

  --- Ask the clouds for an update, and gates and policy about it; install nothing.
  -- @treturn table {cloud, offer, decision = {action, reason}, tree} | nil, message, code ("nothing": nothing new)
  function update.check()
    return self:ask("check")
  end

  --- Install an offer of check() up to armed; the restart follows unless the
  -- configuration says `restart_when = "asked"`.
  -- @tparam table offer
  -- @treturn table {release, sequence} | nil, message, code
  function update.apply(offer)
    if type(offer) ~= "table" then error("update.apply: an offer of update.check() is needed", 2) end
    return self:ask("apply", { offer = offer.offer or offer })
  end

  --- Say that the release on trial works.
  -- @treturn boolean true | nil, message, "nothing": no release is on trial
  function update.confirm()
    return self:ask("confirm")
  end

  --- Drop the armed release, or go back from the trial to the old release.
  -- @tparam[opt] string reason
  -- @treturn boolean|string true or what was done | nil, message, code: "nothing": nothing is armed or on trial;
  --   "refused": this release has kept packages out on too many days already (policy_days of the configuration)
  function update.rollback(reason)
    check_type(reason, "string", "update.rollback: reason")
    return self:ask("rollback", { reason = reason })
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
    return self:ask("hotfixes")
  end

  --- Undo a hotfix.
  -- @tparam string name
  -- @tparam[opt] boolean all_above first those that lie on it
  -- @treturn boolean true | nil, message, code: "busy": another lies on it; "nothing": it is not applied
  function update.undo(name, all_above)
    check_type(name, "string", "update.undo: name")
    return self:ask("undo", { name = name, all_above = all_above })
  end

  --- Send a verb of the control socket to the agent; see moult-control(7).
  -- @tparam string verb
  -- @tparam[opt] table fields of the request
  -- @return the agent's answer | nil, message, code
  function update.ask(verb, fields)
    check_type(verb, "string", "update.ask: verb")
    check_type(fields, "table", "update.ask: fields")
    return self:ask(verb, fields)
  end

  --- The state of the device, as `moult status --json` prints it.
  -- @treturn table | nil, message, code
  function update.status()
    return self:ask("status")
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
  local self = agent_link.new(o)
  add_connection(update, self)
  add_work(update, self)
  return update
end

return M
