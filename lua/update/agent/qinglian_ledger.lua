--- Tells the Qinglian cloud what became of its patches later: tested once more after a restart, or undone.
--
-- Methods of update.agent.qinglian. The ledger of hotfixes is looked at from time to
-- time for those that the cloud sent while this agent lives, and for the one whose
-- test a restart interrupted.
--
-- @module update.agent.qinglian_ledger

local Ledger = setmetatable({}, { __index = require "update.agent.qinglian_patch_job" })
Ledger.__index = Ledger

local LOOK = 5 -- seconds between two looks

local GOOD = { fresh = true, applied = true }
local BAD = { undone = true, quarantined = true }

--- Whether the device has a patch.
function Ledger:has(item)
  for _, row in ipairs(self.agent.device:hotfixes() or {}) do
    if row.name == item.name and row.version == item.version and GOOD[row.state] then return true end
  end
  return false
end

--- Tell the cloud of a change from now on.
-- @tparam table item name, version
-- @tparam boolean|nil was how it did last; nil: not known yet
function Ledger:watch_patch(item, was)
  table.insert(self.watched, { name = item.name, version = item.version, was = was })
end

-- How a patch did: true, false, or nil: it is not known yet. `over`: it needs no further look.
local function result_of(ledger, one)
  for i = #ledger, 1, -1 do
    local row = ledger[i]
    if row.name == one.name and row.version == one.version then
      if GOOD[row.state] then return true, false end
      if BAD[row.state] then return false, true end
      return nil, row.state == "dropped"
    end
  end
  return nil, false
end

local function look(self)
  local ledger = self.agent.device:hotfixes() or {}
  for i = #self.watched, 1, -1 do
    local one = self.watched[i]
    local ok, over = result_of(ledger, one)
    if over then table.remove(self.watched, i) end
    if ok ~= nil and ok ~= one.was then
      one.was = ok
      self:drive { type = "patch_result", name = one.name, version = one.version, ok = ok }
    end
  end
end

-- One whose test was cut short was tried once more.
local function take_up(self)
  local id = self.agent.hotfixes.resumed
  if not id or id == self.taken_up then return end
  for _, row in ipairs(self.agent.device:hotfixes() or {}) do
    if row.id == id then
      self.taken_up = id
      return self:watch_patch(row)
    end
  end
end

--- A task.
function Ledger:follow_ledger()
  while true do
    take_up(self)
    if #self.watched > 0 then look(self) end
    self.agent.tasks:wait(LOOK)
  end
end

return Ledger
