--- What a cloud over MQTT offers, as a job for the engine: links, progress, and scripts that drive it.
--
-- Methods of the listener in update.agent.mqtt_listener.
--
-- @module update.agent.mqtt_job

local LINK_WITHIN = 90  -- seconds that a cloud has for a fresh link; a depot may have many who ask
local HOLD_WITHIN = 600 -- seconds that a script has to begin; then the agent does
local PATIENCE = 600    -- seconds for which a package may be out of reach before the cloud is told
local GONE = 5          -- seconds after which a script that went has not gone for a restart

local copying = require "update.engine.copying"
local patience = require "update.engine.patience"

local Job = setmetatable({}, { __index = require "update.agent.mqtt_phase" })
Job.__index = Job

function Job:link(action)
  self.answer = action
  self.agent.tasks:set(self.linked)
end

-- A fresh link for the transfer that runs; see update.engine.retry.
function Job:renew()
  local job = self.state.job
  if not job or job.stage ~= "fetching" then return nil, "nothing is being fetched", "expired" end
  self.answer = nil
  self:drive { type = "expired" }
  if not self.answer then self.agent.tasks:await(self.linked, LINK_WITHIN) end
  local answer = self.answer or { code = "expired" }
  if answer.offer then return answer.offer.url end
  if answer.code == "network" then return nil, "this cloud cannot be asked for another link", "network" end
  return nil, "the cloud gives no fresh link", "expired"
end

local heard = {}

function heard.progress(self, event)
  self.fetched = event.done
  self:drive { type = "progress", done = event.done, total = event.total, now = self.agent.tasks.now() }
end

function heard.state(self, event)
  if event.phase == "fetching" then
    self:drive { type = "begun", now = self.agent.tasks.now() }
  elseif event.phase == "installing" then
    self:drive { type = "installing" }
  end
end

--- Where the engine finds what is offered.
-- @tparam table offer of the dialect
function Job:where(offer)
  return {
    cloud = self.name, location = offer.url, release = offer.version, size = offer.size,
    http = { proxy = self.cloud.proxy, ca_file = self.cloud.ca_file },
    renew = function() return self:renew() end,
    latest = function() return self.state.job and self.state.job.offer.url end,
    answered = function(answer)
      local why = self.dialect.refusal(answer)
      if why then return nil, why, "expired" end
    end,
    watch = function(event)
      if heard[event.event] then heard[event.event](self, event) end
    end,
  }
end

-- Nobody else will go over to what was fetched for a script.
local function restart_for(self)
  local agent = self.agent
  if agent.config.restart_when == "now" then agent:restart("the script that fetched it has ended", GONE) end
end

-- Install the offer, at once or when a script that drives its updates says so.
local function begin(self, offer, why)
  local agent = self.agent
  self.held_back = nil
  if self.patient_for ~= offer.version then
    self.patient_for, self.patience = offer.version, patience.new(PATIENCE)
  end
  agent.tasks:spawn("install " .. self.name, function()
    local where = self:where(offer)
    where.patience, where.copying = self.patience, self.copying
    local result, message, code, verdict = agent:update(where, why)
    if code ~= "busy" then self.patient_for = nil end
    if not result and self.given_up then
      message, code = self.given_up.text, self.given_up.code
    end
    self.given_up = nil
    self.outcome = { code = not result and code or "ok", message = message }
    self:drive { type = "ended", code = not result and code or nil, text = message,
      retry_after = verdict and verdict.decision.retry_after }
    if result and why == "held" and not self.holder then restart_for(self) end
  end)
end

function Job:install(action)
  local offer, tasks = action.offer, self.agent.tasks
  self:note("offers %s, %d bytes", offer.version, offer.size)
  self.offer, self.fetched, self.outcome, self.jobs = offer, 0, nil, self.jobs + 1
  self.copying = nil
  if not self.holder then return begin(self, offer, "offer") end
  local heeded, why = self.agent.script:may_drop()
  if not heeded then
    self:log("%s", why)
    return begin(self, offer, "offer")
  end
  local rest = self.given:rest(offer.version)
  if rest then
    return self:drive { type = "ended", code = "deferred", text = "the script gave it up", retry_after = rest }
  end
  self.held_back = offer
  tasks:spawn("held " .. self.name, function()
    tasks:wait(HOLD_WITHIN)
    if self.held_back == offer then
      self:log("the script does not fetch %s; the agent does", offer.version)
      begin(self, offer, "offer")
    end
  end)
end

--- Something was offered while the server of a job does not answer: a newer release goes first, a fresh link is
-- tried at once.
-- @tparam table offer of the dialect
function Job:offered_meanwhile(offer)
  local engine, job = self.agent.engine, self.state.job
  if not job or not engine:is_patient_with(self.name) then return end
  if self.state.next then
    engine:make_way()
  elseif job.offer == offer then
    engine:try_now()
  end
end

--- Whether scripts may drive the updates of this cloud by the vendor's calls.
-- @tparam[opt] string product, device they name, when they name them
function Job:takes_calls(product, device)
  return self.dialect.traits.calls == true and (not product or product == self.cloud.product)
    and (not device or device == self.cloud.device)
end

--- How far the job is that is under way, or was last.
-- @treturn table job (number), fetching, armed, finished, version, size, md5, fetched (bytes), code and message when it
--   failed
function Job:progress_of_job()
  local job, offer, outcome = self.state.job, self.offer, self.outcome
  local stage = job and job.stage
  local armed, failed = stage == "armed", outcome and outcome.code ~= "ok"
  local waits = stage == "waiting"
  return {
    job = self.jobs, fetching = stage == "fetching", armed = armed, finished = armed or failed and not waits or false,
    version = offer and offer.version, size = offer and offer.size, md5 = offer and offer.md5,
    fetched = offer and (armed and offer.size or math.min(self.fetched, offer.size)) or 0,
    code = failed and outcome.code or nil, message = failed and outcome.message or nil,
  }
end

--- Wait until something happened to it.
-- @tparam number seconds at most
function Job:await_news(seconds)
  self.agent.tasks:await(self.moved, seconds)
end

--- Tell the cloud what a script says of the progress.
-- @tparam integer percent
-- @tparam string text
function Job:say_progress(percent, text)
  self:drive { type = "say", percent = percent, text = text, now = self.agent.tasks.now() }
end

--- Let a script say when an offer is fetched and when to go over to it, until it goes.
-- @tparam table peer of update.control
-- @treturn boolean true | nil, message, "busy" when another does, "nothing" when it went
function Job:hold(peer)
  if self.holder and self.holder ~= peer then
    return nil, ("another script drives the updates of cloud %s"):format(self.name), "busy"
  end
  if peer:is_gone() then return nil, "the program that asked has disconnected", "nothing" end
  self.holder = peer
  return true
end

--- The script went, or does not want to any more: the agent goes on where it left.
function Job:let_go(peer)
  if self.holder ~= peer then return end
  self.holder = nil
  if self.copying then self.copying:stop("its program has disconnected", "refused") end
  local job = self.state.job
  if self.held_back then
    begin(self, self.held_back, "offer")
  elseif job and job.stage == "armed" then
    restart_for(self)
  end
end

--- What follows of the package, for a program that wants a copy; it has all that comes before.
-- @tparam integer offset bytes
-- @treturn string|nil "" when there is nothing yet | nil, message, code ("refused": it was not taken in time)
function Job:copy(offset)
  if self.held_back and not self.copying then
    self.copying = copying.new { tasks = self.agent.tasks, log = self.agent.log, moved = self.moved }
  end
  if not self.copying then return nil, "the agent fetches it without a copy", "refused" end
  return self.copying:take(offset)
end

--- That program has all that comes before.
function Job:copied(offset)
  if self.copying then self.copying:take(offset) end
end

--- Fetch what is held back; the script restarts when it is armed.
function Job:fetch()
  if self.held_back then begin(self, self.held_back, "held") end
end

--- End the job for a reason of the script's.
-- @treturn boolean true | nil, message, "refused" when this release's script has given up for too many days
function Job:give_up(code, text)
  local allowed, message, word = self.agent.script:may_drop()
  if not allowed then return nil, message, word end
  local version = self.state.job.offer.version
  local times, rest = self.given:failed(version)
  if times then
    self:log("the script gave up %s, %d times now; it is offered to the script again in %d h", version, times,
      rest // 3600)
  end
  self.agent.script:dropped()
  self.given_up = { code = code, text = text }
  if self.held_back then
    self.held_back = nil
    self:drive { type = "ended", code = code, text = text }
    self.outcome, self.given_up = { code = code, message = text }, nil
  else
    self.agent.engine:cancel(text)
  end
  return true
end

--- The offer that waits for its turn or for policy, if there is one.
-- @treturn table|nil where, for update.engine
function Job:offered()
  local job = self.state.job
  local offer = self.state.next or job and (job.stage == "waiting" or job.stage == "fetching") and job.offer
  return offer and self:where(offer) or nil
end

return Job
