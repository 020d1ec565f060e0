--- Firmware that the Qinglian cloud pushes, as a job for the engine.
--
-- Methods of update.agent.qinglian. The engine reads from a source to which
-- pieces are pushed. It reports when one is used up, and before arming it waits
-- for the cloud's command.
--
-- @module update.agent.qinglian_job

local copies = require "update.agent.qinglian_copy"

local Job = setmetatable({}, { __index = require "update.agent.mqtt_phase" })
Job.__index = Job

local HEARD_WITHIN = 5 -- seconds that the script gets for the order to upgrade
local GOES_ON = 1 -- seconds after which the engine checks again by itself

--- The place of something that is pushed: fields of update.engine.place.
-- @tparam table job opened, copy
-- @tparam number size bytes
-- @tparam string used_up the event when the engine has used up what came
function Job:place_of(job, size, used_up)
  local tasks = self.agent.tasks
  return {
    cloud = self.name, location = "the pieces of cloud " .. self.name, size = size, tries = 1, head_tries = 1,
    source = function()
      if job.source then return nil, "the cloud sends each byte once", "network" end
      job.source = job.opened
      return job.source
    end,
    pause = function()
      if job.source:starves() then
        job.copy:hand_over()
        self:drive { type = used_up }
      end
      tasks:await(self.fed, GOES_ON)
    end,
  }
end

--- Give the engine a piece.
function Job:feed(job, bytes)
  job.copy:add(bytes)
  local ok, message = job.opened:push(bytes)
  if not ok then
    self:say("%s", message)
    job.opened:fail(message, "network")
  end
  self.agent.tasks:set(self.fed)
end

--- No more will come.
function Job:cut_off(job, action)
  job.opened:fail(action.text, action.code)
  self.agent.tasks:set(self.fed)
end

local function firmware_place(self, job)
  local place = self:place_of(job, job.offer.size, "consumed")
  place.release = job.offer.version
  function place.held()
    if not job.complete then
      job.complete = true
      job.copy:hand_over(true)
      self:drive { type = "complete" }
    end
    if job.over then return nil, job.over.text, job.over.code end
    return job.arms and "arm" or "hold"
  end
  function place.watch(event)
    if event.event == "state" and event.phase == "fetching" then self:drive { type = "begun" } end
  end
  return place
end

local function install(self, job)
  local result, message, code, verdict = self.agent:update(firmware_place(self, job), "pushed")
  job.opened:close()
  if self.job ~= job then return end
  self.job = nil
  if job.arms then
    self:drive { type = "armed", ok = result ~= nil }
  elseif not job.over then
    self:drive { type = "ended", code = not result and code or "ok", text = message or "it is there already",
      retry_after = verdict and verdict.decision.retry_after }
  end
end

function Job:begin(action)
  local offer = action.offer
  local source, message = self.agent.natives.source.pushed(offer.size)
  if not source then return self:say("%s", message) end
  self:note("announces %s, %d bytes", offer.version, offer.size)
  self.news:add("info", { name = offer.name, version = offer.version, size = offer.size, crc = offer.crc })
  local job = { offer = offer, opened = source, copy = copies.new(self.news, copies.FIRMWARE, offer.size) }
  self.job = job
  self.agent.tasks:spawn("install " .. self.name, install, self, job)
end

function Job:push(action)
  if self.job then self:feed(self.job, action.bytes) end
end

--- The engine ends, and nobody is told.
function Job:stop(action)
  local job = self.job
  if not job then return end
  self.job, job.over = nil, { text = action.text, code = action.code }
  self:cut_off(job, action)
  self.agent.engine:try_now()
end

function Job:arm()
  local job = self.job
  if not job then return self:drive { type = "armed", ok = false } end
  job.arms = true
  self.agent.engine:try_now()
end

function Job:restart()
  local number = self.news:add "upgrade"
  if self.agent.config.restart_when ~= "now" then return end
  -- The script is stopped for it, so it hears of it first.
  self.agent:restart("the cloud said so", function() self.news:await_heard(number, HEARD_WITHIN) end)
end

return Job
