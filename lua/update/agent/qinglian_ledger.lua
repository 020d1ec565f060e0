--- Tells the Qinglian cloud what became of its patches later: tested once more after a restart, or undone.
--
-- Methods of update.agent.qinglian. The ledger of hotfixes is looked at from time to
-- time for those that the cloud sent, and for the one whose test a restart
-- interrupted. What the cloud was told of each is kept in its record over restarts; a
-- record that is lost costs a report.
--
-- @module update.agent.qinglian_ledger

local ledgers = require "update.engine.ledger"

local Ledger = setmetatable({}, { __index = require "update.agent.qinglian_patch_job" })
Ledger.__index = Ledger

local LOOK = 5 -- seconds between two looks
local MOST = 32 -- patches that are watched

local BAD = { undone = true, quarantined = true }

--- Whether the device has a patch.
function Ledger:has(item)
  local row = ledgers.find(self.agent.device:hotfixes() or {}, item)
  return row ~= nil and ledgers.is_in_force(row)
end

--- Whether the device had it, or has it.
function Ledger:knows(item)
  return ledgers.find(self.agent.device:hotfixes() or {}, item) ~= nil
end

local function keep(self)
  local natives = self.agent.natives
  local ok, message = natives.cloud_record.keep(self.agent.config.state, self.name,
    natives.json.encode { patches = natives.json.array(table.move(self.watched, 1, #self.watched, 1, {})) })
  if not ok then self:say("the record of its patches was not written: %s", message) end
end

local function remember(self)
  local natives = self.agent.natives
  local text = natives.cloud_record.read(self.agent.config.state, self.name)
  local record = text and natives.json.decode(text)
  for _, one in ipairs(type(record) == "table" and type(record.patches) == "table" and record.patches or {}) do
    if type(one) == "table" and type(one.name) == "string" and type(one.version) == "string" then
      table.insert(self.watched, { name = one.name, version = one.version, was = one.was == true or nil })
    end
  end
end

--- Tell the cloud of a change from now on.
-- @tparam table item name, version
-- @tparam boolean|nil was how it did last; nil: not known yet
function Ledger:watch_patch(item, was)
  local watched = {}
  for i = math.max(1, #self.watched - MOST + 2), #self.watched do
    local one = self.watched[i]
    if not ledgers.is_same(one, item) then watched[#watched + 1] = one end
  end
  watched[#watched + 1] = { name = item.name, version = item.version, was = was }
  self.watched = watched
  keep(self)
end

-- How a patch did: true, false, or nil: it is not known yet. `over`: it needs no further look.
local function result_of(ledger, one)
  local row = ledgers.find(ledger, one)
  if not row then return nil, false end
  if ledgers.is_in_force(row) then return true, false end
  if BAD[row.state] then return false, true end
  return nil, row.state == "dropped"
end

local function look(self)
  local ledger, changed = self.agent.device:hotfixes(), false
  if not ledger then return end
  for i = #self.watched, 1, -1 do
    local one = self.watched[i]
    local ok, over = result_of(ledger, one)
    changed = changed or over or ok ~= nil and ok ~= one.was
    if over then table.remove(self.watched, i) end
    if ok ~= nil and ok ~= one.was then
      one.was = ok
      self:drive { type = "patch_result", name = one.name, version = one.version, ok = ok }
    end
  end
  if changed then keep(self) end
end

-- One whose test was cut short was tried once more.
local function take_up(self)
  local id = self.agent.hotfixes.resumed
  if not id or id == self.taken_up then return end
  local row = ledgers.of_id(self.agent.device:hotfixes() or {}, id)
  if not row then return end
  self.taken_up = id
  self:watch_patch(row)
end

--- A task.
function Ledger:follow_ledger()
  remember(self)
  while true do
    take_up(self)
    if #self.watched > 0 and self.state.link == "authed" then look(self) end
    self.agent.tasks:wait(LOOK)
  end
end

return Ledger
