--- Patches of the Qinglian cloud, as hotfixes for the engine.
--
-- Methods of update.agent.qinglian. Policy chooses from the cloud's list; the cloud
-- pushes each chosen one. The last piece is acknowledged when every digest is right;
-- the result goes out when the test has ended.
--
-- @module update.agent.qinglian_patch_job

local copies = require "update.agent.qinglian_copy"
local version = require "update.version"

local PatchJob = setmetatable({}, { __index = require "update.agent.qinglian_job" })
PatchJob.__index = PatchJob

local GOES_ON = 1 -- seconds after which the engine checks again by itself

-- The newest patch of each name; versions that cannot be compared are newer the later they stand.
local function newest(items)
  local by_name, names = {}, {}
  for _, item in ipairs(items) do
    local known = by_name[item.name]
    if not known then names[#names + 1] = item.name end
    if not known or (version.compare(item.version, known.version) or 1) >= 0 then by_name[item.name] = item end
  end
  return by_name, names
end

-- States of a hotfix on the ledger in which the device has it.
local THERE = { applied = true, fresh = true }

local function is_there(self, item)
  for _, row in ipairs(self.agent:status().hotfixes or {}) do
    if row.name == item.name and row.version == item.version and THERE[row.state] then return true end
  end
  return false
end

-- Ask policy, in a task. What the device has already is answered at once, and not sent again.
local function choose(self, items)
  local by_name, names = newest(items)
  local rows = {}
  for _, name in ipairs(names) do
    local item = by_name[name]
    if is_there(self, item) then
      self:drive { type = "patch_result", name = name, version = item.version, ok = true }
    else
      rows[#rows + 1] = { name = name, version = item.version, size = item.size, cloud = self.name }
    end
  end
  if #rows == 0 then return end
  local wanted = {}
  for i, name in ipairs(self.agent:choose_hotfixes(rows)) do wanted[i] = by_name[name] end
  self:note("offers %d patch%s, %d chosen", #rows, #rows == 1 and "" or "es", #wanted)
  self:drive { type = "want", items = wanted }
end

function PatchJob:listed(action)
  self.items = action.items
  self.news:add("list", { patches = action.items })
  self.agent.tasks:spawn("patches " .. self.name, choose, self, action.items)
end

-- The place of a patch: fields of update.engine.place.
local function place_of(self, job)
  return {
    cloud = self.name, location = "the pieces of cloud " .. self.name, size = job.item.size, tries = 1, head_tries = 1,
    hotfix = { name = job.item.name, version = job.item.version },
    source = function()
      if job.source then return nil, "the cloud sends each byte once", "network" end
      job.source = job.opened
      return job.source
    end,
    pause = function()
      if job.source:starves() then
        job.copy:hand_over()
        self:drive { type = "patch_consumed" }
      end
      self.agent.tasks:await(self.fed, GOES_ON)
    end,
    fetched = function()
      job.copy:hand_over(true)
      self:drive { type = "patch_complete" }
    end,
    watch = function(event)
      if event.event == "state" and event.phase == "fetching" then self:drive { type = "patch_begun" } end
    end,
  }
end

local function install(self, job)
  local item = job.item
  local result, message, code, verdict = self.agent:update(place_of(self, job), "hotfix")
  job.opened:close()
  if self.patch_job ~= job then return end
  self.patch_job = nil
  if result or code == "rolledback" then
    if not result then self:say("patch %s %s: %s (%s)", item.name, item.version, message, code) end
    return self:drive { type = "patch_result", name = item.name, version = item.version, ok = result ~= nil }
  end
  self:drive { type = "patch_ended", code = code, text = message,
    retry_after = verdict and verdict.decision and verdict.decision.retry_after }
end

function PatchJob:patch_begin(action)
  local source, message = self.agent.natives.source.pushed(action.item.size)
  if not source then return self:say("%s", message) end
  local job = { item = action.item, opened = source, copy = copies.new(self.news, copies.PATCH, action.item.size) }
  self.patch_job = job
  self.agent.tasks:spawn("patch " .. self.name, install, self, job)
end

function PatchJob:patch_push(action)
  local job = self.patch_job
  if not job then return end
  job.copy:add(action.bytes)
  local ok, message = job.opened:push(action.bytes)
  if not ok then
    self:say("%s", message)
    job.opened:fail(message, "network")
  end
  self.agent.tasks:set(self.fed)
end

--- No more will come: the engine ends, and nobody is told.
function PatchJob:patch_stop(action)
  local job = self.patch_job
  if not job then return end
  self.patch_job = nil
  job.opened:fail(action.text, action.code)
  self.agent.tasks:set(self.fed)
end

return PatchJob
