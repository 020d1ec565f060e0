--- Patches of the Qinglian cloud, as hotfixes for the engine.
--
-- Methods of update.agent.qinglian. Policy chooses from the cloud's list; the cloud
-- pushes each chosen one. The last piece is acknowledged when every digest is right;
-- the result goes out when the test has ended.
--
-- @module update.agent.qinglian_patch_job

local bare_patch = require "update.agent.qinglian_bare"
local copies = require "update.agent.qinglian_copy"
local engine_hotfix = require "update.engine.hotfix"

local PatchJob = setmetatable({}, { __index = require "update.agent.qinglian_job" })
PatchJob.__index = PatchJob

-- Ask policy, in a task. What the device has already is answered at once, and not sent again; but where the cloud
-- wants to verify it, it is sent and tested.
local function choose(self, items, verify)
  local rows, by_key, wanted = {}, {}, {}
  for _, item in ipairs(items) do
    if verify and self:has(item) then
      item.again = true
      wanted[#wanted + 1] = item
    elseif self:has(item) then
      self:drive { type = "patch_result", name = item.name, version = item.version, ok = true }
    else
      rows[#rows + 1] = { name = item.name, version = item.version, size = item.size, cloud = self.name }
      by_key[item.name .. "\n" .. item.version] = item
    end
  end
  local chosen, message = self.agent.hotfixes:choose(rows)
  if not chosen then return self:say("patches: %s", message) end
  for _, row in ipairs(chosen) do wanted[#wanted + 1] = by_key[row.name .. "\n" .. row.version] end
  if #rows > 0 then self:note("offers %d patch%s, %d chosen", #rows, #rows == 1 and "" or "es", #chosen) end
  self:drive { type = "want", items = wanted }
end

function PatchJob:listed(action)
  self.items = action.items
  self.news:add("list", { patches = action.items })
  self.agent.tasks:spawn("patches " .. self.name, choose, self, action.items, action.verify)
end

local function patch_place(self, job)
  local place = self:place_of(job, job.item.size, "patch_consumed")
  place.bare = job.bare
  place.hotfix = { name = job.item.name, version = job.item.version }
  function place.hotfix_step(word)
    if word == "fetching" then return self:drive { type = "patch_begun" } end
    job.copy:hand_over(true)
    self:drive { type = "patch_complete" }
  end
  return place
end

-- As agent:update(), but it is in force already.
local function test_again(self, job)
  local passed, message, code = engine_hotfix.test_again(self.agent.engine, patch_place(self, job),
    function(id) return self.agent.hotfixes:test_again(id) end)
  if passed == false then return nil, "its test failed now; it stays", "rolledback" end
  return passed, message, code
end

local function install(self, job)
  local item = job.item
  local result, verdict, retry_after
  local known, message, code = bare_patch.find_out(self, job)
  if known and item.again then
    result, message, code = test_again(self, job)
  elseif known then
    result, message, code, verdict, retry_after = self.agent:update(patch_place(self, job), "hotfix")
  end
  job.opened:close()
  if self.patch_job ~= job then return end
  self.patch_job = nil
  if result or code == "rolledback" then
    if not result then self:say("patch %s %s: %s (%s)", item.name, item.version, message, code) end
    if result then self:watch_patch(item, true) end
    return self:drive { type = "patch_result", name = item.name, version = item.version, ok = result ~= nil }
  end
  self:drive { type = "patch_ended", code = code, text = message,
    retry_after = retry_after or verdict and verdict.decision and verdict.decision.retry_after }
end

function PatchJob:patch_begin(action)
  local source, message = self.agent.natives.source.pushed(action.item.size)
  if not source then return self:say("%s", message) end
  local job = { item = action.item, opened = source, copy = copies.new(self.news, copies.PATCH, action.item.size) }
  self.patch_job = job
  self.agent.tasks:spawn("patch " .. self.name, install, self, job)
end

function PatchJob:patch_push(action)
  if self.patch_job then self:feed(self.patch_job, action.bytes) end
end

--- The engine ends, and nobody is told.
function PatchJob:patch_stop(action)
  local job = self.patch_job
  if not job then return end
  self.patch_job = nil
  self:cut_off(job, action)
end

return PatchJob
