--- What a script asks for with update.request() and libfota: questions of its own to a cloud over HTTP.
--
-- @module update.agent.script_requests

local http_place = require "update.cloud.http_place"
local luat_session = require "update.cloud.luat_session"
local registry = require "update.cloud.registry"
local retry = require "update.engine.retry"

local M = {}

-- What became of one attempt, in the words of update.cloud.luat_session.
local function event_of(learned, result, code)
  if result then return { type = "armed" } end
  if code == "network" then return { type = "failed" } end
  if code == "expired" or code == "missing" then return { type = "expired" } end
  local advice = learned.advice
  if advice and advice.location then return { type = "redirect", url = advice.location } end
  if advice and advice.wait then return { type = "wait", seconds = advice.wait } end
  return { type = "none" }
end

local Requests = {}
Requests.__index = Requests

--- What update.request() of the script asks for; one task at a time, with
-- arguments that stick (see update.cloud.luat_session).
function M.new(agent)
  return setmetatable({ agent = agent, state = luat_session.new(), waiting = {} }, Requests)
end

-- The cloud that scripts ask when they name no address.
local function asked(config)
  for _, cloud in ipairs(config.clouds) do
    if registry.of(cloud.kind).over == "http" then return cloud end
  end
  return { kind = "luat" } -- update.request() is Luat's
end

-- Where a script's question goes: to its own address, else to the configured one. The second result is filled while it
-- is used: advice (of the server), heard (it answered), begun (a head was there).
local function place(agent, url, redirect, link)
  local cloud, learned = asked(agent.config), {}
  local where, message = http_place.ask(agent.config, setmetatable({
    url = url or cloud.url, redirect = redirect or cloud.redirect,
    ca_file = cloud.ca_file or agent.config.ca_file, proxy = cloud.proxy or agent.config.proxy,
  }, { __index = cloud }), agent.device:facts(), { link = link })
  if not where then return nil, message end
  where = http_place.intercept(where, function(advice, why, code)
    learned.advice, learned.heard = advice, true
    if advice then return nil, advice.message or "redirected", "refused" end
    return nil, why, code
  end)
  where.renew = nil
  function where.watch(event) learned.begun = learned.begun or event.event == "offer" end
  return where, learned
end

-- A script on trial that hears no may restart for it, and spend the starts that its release has.
local function after_trial(agent)
  while agent:phase() == "trial" do agent.tasks:await(agent.stirred, 60) end
end

-- One question to the server, without retries of its own: the machine does them.
function Requests:ask(link)
  local agent, state = self.agent, self.state
  after_trial(agent)
  local where, learned = place(agent, state.url, state.redirect, link)
  if not where then
    agent.log(("request: %s"):format(learned))
    return { type = "none" }
  end
  local result, why, code = agent:update(where, "request")
  if not result then (code == "nothing" and agent.note or agent.log)(("request: %s (%s)"):format(why, code)) end
  return event_of(learned, result, code)
end

-- How far one attempt came, for who wants more than yes or no.
local function stage_of(learned, result, code)
  if result then return "armed" end
  if code ~= "network" then return "answer" end
  return learned.begun and "transfer" or learned.heard and "answer" or "connect"
end

--- One attempt, without retries; links are followed.
-- @tparam[opt] string url as for update.request()
-- @treturn table stage ("armed", "connect", "transfer" or "answer": where it ended), message
function Requests:once(url)
  local agent, link = self.agent, nil
  after_trial(agent)
  for _ = 0, retry.REDIRECTS do
    local where, learned = place(agent, url, nil, link)
    if not where then return { stage = "answer", message = learned } end
    local result, why, code = agent:update(where, "request")
    if not result then agent.log(("fota: %s (%s)"):format(why, code)) end
    link = learned.advice and learned.advice.location
    if not link then return { stage = stage_of(learned, result, code), message = why } end
    agent.tasks:wait(luat_session.REDIRECT_PAUSE)
  end
  return { stage = "answer", message = "the server redirects without end" }
end

-- Everyone who waits is told; with a period the script hears of later rounds by an event.
function Requests:finished(action)
  local waiting = self.waiting
  self.waiting = {}
  for _, done in ipairs(waiting) do
    done.result = action.ok
    self.agent.tasks:set(done)
  end
  if #waiting == 0 then self.agent:tell { event = "request", ok = action.ok } end
  if action.restart then self.agent:restart("update") end
end

function Requests:drive(action)
  local agent = self.agent
  while action do
    local event
    for _, message in ipairs(action.publish or {}) do
      agent:tell { event = "publish", message = message }
    end
    if action.type == "ask" then
      event = self:ask(action.url)
    elseif action.type == "sleep" then
      agent.tasks:rest(action.seconds * (action.jitter and 0.5 + agent.random() / 2 or 1))
      event = { type = "timer" }
    elseif action.type == "finish" then
      self:finished(action)
      if not action.sleep then return end
      agent.tasks:rest(action.sleep)
      event = { type = "timer" }
    end
    self.state, action = luat_session.step(self.state, event)
  end
end

--- A call of update.request().
-- @tparam table request url, period (ms), redirect, callback (boolean)
-- @treturn boolean true when a release is armed and ready, when it ends
function Requests:call(request)
  local done = {}
  table.insert(self.waiting, done)
  local state, action = luat_session.step(self.state, { type = "call", callback = request.callback ~= false,
    url = request.url, period = request.period, redirect = request.redirect })
  self.state = state
  if action then self.agent.tasks:spawn("request", self.drive, self, action) end
  while done.result == nil do self.agent.tasks:await(done) end
  return done.result
end

return M
