--- What the agent answers on its control socket; see update.control.
--
-- @module update.agent.verbs

local asker = require "update.engine.device_policy"
local clouds = require "update.cloud.check"
local http_place = require "update.cloud.http_place"
local log_limit = require "update.agent.log_limit"
local natives = require "update.natives"
local offers = require "update.engine.offer"
local places = require "update.engine.place"
local unsigned = require "update.cloud.unsigned"

local M = {}

local DROPPABLE = { fetching = true, installing = true, arming = true }

local PROTOCOL = 1       -- of the control socket: moult-control(7)
local SOURCE = 4096      -- bytes of a URL or path
local REASON = 200       -- bytes of a reason
local MESSAGE = 4000     -- bytes of a script's error
local ASK_WITHIN = 30    -- seconds for all clouds that push to answer a check
local printable = natives.printable.text

local function text(value)
  return type(value) == "string" and value ~= "" and #value <= SOURCE and value or nil
end

--- Handlers by verb: function(request, peer) -> result | nil, message, code.
-- @tparam table agent
function M.of(agent)
  local verbs = {}
  local function log(line) agent.log("script: " .. line) end
  local function now() return agent.tasks.now() end
  local failed = log_limit.new { now = now, log = log, what = "errors of tasks", most = 20 }

  -- What a connection begins with, when its program wants to know whom it talks to.
  function verbs.hello(request, peer)
    if request.protocol ~= nil and request.protocol ~= PROTOCOL then
      return nil, ("the agent speaks protocol %d, not %s"):format(PROTOCOL, printable(request.protocol, REASON)),
        "incompatible"
    end
    return { protocol = PROTOCOL, moult = natives.host.version, rights = peer:rights() }
  end

  function verbs.status()
    return agent:status()
  end

  function verbs.history()
    local events, message, code = agent.device:history()
    if not events then return nil, message, code end
    return agent.natives.json.array(events)
  end

  -- Events, and with `facts` the questions for what only that program knows.
  function verbs.watch(request, peer)
    local facts = request.facts
    if facts ~= nil then facts = facts == true end
    peer:watch(facts)
    if request.hotfix == true then peer:takes_hotfixes() end
    return true
  end

  -- What a cloud pushed and what waits.
  local function offered(name)
    local listener = agent:listener(name)
    return listener and listener:offered()
  end

  -- Every cloud that pushes is asked, unless something waits already.
  local function ask(asked, till)
    return function(name)
      local listener = agent:listener(name)
      if not listener then return nil end
      local where = listener:offered()
      if where then return where end
      asked[#asked + 1] = listener
      return listener:ask(till)
    end
  end

  function verbs.check()
    local asked <close> = setmetatable({}, { __close = function(listeners)
      for _, listener in ipairs(listeners) do listener:checked() end
    end })
    local verdict, message, code = clouds.all(agent.config, agent.engine, agent.device:facts(),
      ask(asked, agent.tasks.now() + ASK_WITHIN))
    if not verdict then return nil, message, code end
    agent:tell { event = "offer", offer = offers.brief(verdict.offer), action = verdict.decision.action }
    return {
      cloud = verdict.cloud, offer = offers.brief(verdict.offer), decision = verdict.decision, tree = verdict.tree,
      by = verdict.by, code = verdict.code, message = verdict.message,
    }
  end

  local function install(where)
    local result, message, code = agent:update(where, "install")
    if not result then return nil, message, code end
    if agent.config.restart_when == "now" and not result.hotfix then agent:restart("install", 0.3) end
    return result
  end

  function verbs.install(request)
    local source = text(request.source)
    if not source then return nil, "install needs a source: a URL or an absolute path", "usage" end
    local more, message, code = unsigned.place(agent.config, source, text(request.files_version))
    if not more then return nil, message, code end
    return install(places.new({ cloud = "file", location = source, permit = text(request.permit),
      left_out = request.default_policy and asker.BY_HAND or nil }, more))
  end

  function verbs.apply(request)
    local offer = type(request.offer) == "table" and request.offer or {}
    local source = text(offer.source)
    if source then return install { cloud = text(offer.cloud) or "file", location = source } end
    for _, cloud in ipairs(agent.config.clouds) do
      if cloud.name == offer.cloud then
        local where, message, code = offered(cloud.name), nil, nil
        if not where then where, message, code = http_place.of(agent.config, cloud, agent.device:facts()) end
        if not where then return nil, message, code end
        local result
        result, message, code = agent:update(where, "apply")
        if not result then return nil, message, code end
        if agent.config.restart_when == "now" then agent:restart("apply", 0.3) end
        return result
      end
    end
    return nil, "the offer names neither a source nor a cloud of the configuration", "usage"
  end

  function verbs.request(request)
    return agent.requests:call {
      url = text(request.url), period = math.type(request.period) and request.period or nil,
      redirect = request.redirect == true, callback = request.callback,
    }
  end

  function verbs.fota(request)
    return agent.requests:once(text(request.url))
  end

  -- What a script may know of the configuration.
  function verbs.device()
    local config, core = agent.config, agent.device:facts().core
    return { id = config.id, hardware = config.hardware, project = config.project,
      core = core and { name = core.name, version = core.version } }
  end

  function verbs.ota(request, peer)
    return require("update.agent.aliyun_calls").call(agent, request, peer)
  end

  function verbs.terminal(request)
    return require("update.agent.terminal").call(agent, request)
  end

  function verbs.qinglian(request)
    return require("update.agent.qinglian_calls").call(agent, request)
  end

  function verbs.confirm(request)
    if not request.force then return agent.trial:confirm() end
    if agent:phase() ~= "trial" then return nil, "no release is on trial", "nothing" end
    return agent.supervisor:order("confirm")
  end

  local function drop(reason)
    if DROPPABLE[agent:phase()] then return agent:drop(reason) end
    return agent.supervisor:order("rollback", reason)
  end

  local function drop_for_script(reason)
    local allowed, message, code = agent.script:may_drop()
    if not allowed then return nil, message, code end
    local result
    result, message, code = drop(reason)
    if not result then return nil, message, code end
    agent:refresh()
    agent.script:dropped()
    return result
  end

  function verbs.rollback(request, peer)
    local reason = type(request.reason) == "string" and printable(request.reason, REASON) or ""
    if reason == "" then reason = "asked for" end
    local phase = agent:phase()
    if phase == "idle" then return nil, "nothing is armed or on trial; a confirmed release stays", "nothing" end
    if peer:is_inside() and (DROPPABLE[phase] or phase == "armed") then return drop_for_script(reason) end
    return drop(reason)
  end

  function verbs.globals(request, peer)
    peer:tells_facts()
    local given = {}
    for _, name in ipairs { "project", "version", "product_key" } do
      given[name] = request[name] ~= nil and printable(request[name], REASON) or nil
    end
    return agent.script:globals(given)
  end

  function verbs.error(request)
    agent.trial:count_error()
    local message = printable(request.message, MESSAGE)
    failed("a task failed: " .. message)
    agent.hotfixes:erred(message)
    agent:tell { event = "error", message = message, code = "internal" }
    return true
  end

  function verbs.hotfixes()
    local rows, message, code = agent.device:hotfixes()
    if not rows then return nil, message, code end
    return agent.natives.json.array(rows)
  end

  function verbs.undo(request)
    local name = text(request.name)
    if not name then return nil, "undo needs the name of a hotfix", "usage" end
    return agent.hotfixes:undo(printable(name, REASON), request.all_above == true)
  end

  -- The answer to {"event":"hotfix","id":n}; itself it has no answer.
  function verbs.hotfix(request, peer)
    agent.hotfixes:told(peer, request.id, request.taken)
    return true
  end

  -- The answer to {"event":"facts","id":n}; itself it has no answer.
  function verbs.facts(request, peer)
    agent.script:told(peer, request.id, request.facts)
    return true
  end

  return verbs
end

return M
