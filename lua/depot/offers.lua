--- What is said to devices: offers by the pace, and answers at once.
--
-- Rows that are due are looked at in order. A pushed offer stays due, a minute
-- ahead, until the broker has taken it, so that none is lost with the process.
-- Answers wait in memory while the client's queue is full. A device that asks is
-- answered at once while the pace allows it and nobody waits, and else pushed to
-- in its turn. What the broker makes of an offer is in depot.acknowledged.
--
-- @module depot.offers

local acknowledged = require "depot.acknowledged"
local choice = require "depot.choice"
local dialects = require "depot.dialects"
local fresh = require "depot.fresh"
local jobs = require "depot.jobs"
local paces = require "depot.pace"

local M = {}

local Offers = setmetatable({}, { __index = acknowledged })
Offers.__index = Offers

-- Milliseconds.
local ACKNOWLEDGE = 60000 -- for the broker to take an offer
local ABSENT = 10000      -- until a package that is not there is looked for again
local NOT_THERE = "the package is not in the folder"
local HASHING = 500       -- until it is asked again whether a package is hashed, and what is offered can be written
local FULL = 50           -- until the client's queue has room again
local AHEAD = 3600000     -- of its turn

local AT_ONCE = 500   -- rows a step, at most
local WHO = "pushed"  -- as depot.pace knows us
local ANSWERS = 10000 -- that wait for the client's queue; a device that gets none asks again

--- @tparam table parts mqtt, store, digests, json, packages, link as depot.fleet takes them; tell: function(kind, row,
--   fields); now (-> ms); pace (depot.pace, shared with others; or nil)
-- @tparam table options pace (offers a second, without parts.pace), auto (boolean)
function M.new(parts, options)
  return setmetatable({
    mqtt = parts.mqtt, store = parts.store, digests = parts.digests, json = parts.json, packages = parts.packages,
    link = parts.link, tell = parts.tell, pace = parts.pace or paces.new(options.pace, parts.now),
    auto = options.auto, waiting = {}, answers = {}, message_id = 0, rollouts = {}, by_digest = {},
    settled = 0, absent = {}, fresh = fresh.new(parts.store, parts.digests, parts.json),
  }, Offers)
end

--- The catalog has changed.
function Offers:look()
  self.by_digest, self.absent = {}, {}
  for _, entry in ipairs(self.packages()) do
    self.by_digest[entry.manifest.digest] = entry
  end
  self.fresh:look(self.by_digest)
end

--- Say something at once, or as soon as the client's queue takes it. Nothing without a topic.
function Offers:answer(topic, object, qos)
  if topic and #self.answers < ANSWERS then
    self.answers[#self.answers + 1] = { topic, self.json.encode(object), qos }
  end
end

--- Say what waits, as far as the client's queue has room.
function Offers:flush()
  local said = 0
  for _, answer in ipairs(self.answers) do
    if not self.mqtt:publish(table.unpack(answer)) then break end
    said = said + 1
  end
  if said > 0 then
    self.answers = table.move(self.answers, said + 1, #self.answers, 1, {})
  end
  self.settled, self.held = #self.answers, false
end

--- What it is about was not written down, and is to be said again: so nothing is said before something could be.
function Offers:take_back()
  self.held = true
  for i = #self.answers, self.settled + 1, -1 do
    self.answers[i] = nil
  end
end

-- The package of an open job is not in the folder. A file may be on its way in again, so the job ends at the second
-- look; one line says so for all devices.
function Offers:_absent(row, now)
  if row.text == NOT_THERE then
    self:_once("withdrawn", row)
    jobs.withdraw(row, now)
    return nil
  end
  self:_once("absent", row)
  row.text, row.due = NOT_THERE, now + ABSENT
  return false
end

function Offers:_once(what, row)
  local key = what .. row.package
  if not self.absent[key] then self.tell(what, row, { release = row.target }) end
  self.absent[key] = true
end

-- Put the row's package before its device; false when it has to wait, with the row due then.
function Offers:_offer(row, now, ask)
  local entry = self.by_digest[row.package]
  if not entry then return self:_absent(row, now) end
  row.text = row.code and row.text or nil
  local md5 = self.digests:of(entry)
  if not md5 or self.held then
    row.due = now + HASHING
    return false
  end
  self.message_id = self.message_id % 0x7FFFFFFF + 1
  local url, life = self.link(entry, row)
  local topic, object, qos = dialects.offer(row, { version = row.target, url = url, size = entry.size, md5 = md5 },
    self.message_id, ask)
  local text = self.json.encode(object)
  if self:is_too_large(#topic + #text, now) then
    row.text, row.due = self.limit.text, self.limit.till
    return false
  end
  local id = self.mqtt:publish(topic, text, qos, false, math.max(1, life))
  if not id then
    row.due = now + FULL
    return false
  end
  self.pace:take(WHO)
  row.due, row.ends = now + ACKNOWLEDGE, now + life * 1000
  self.waiting[id] = { cloud = row.cloud, product = row.product, device = row.device, due = row.due,
    package = row.package, size = #topic + #text, topic = topic, tells = not dialects.is_ours(topic) }
  self.tell("offered", row, { release = row.target, package = entry.name })
  return true
end

--- The job of a row went over to `what`: say so, and keep what others need to know.
function Offers:went(row, what, now)
  if what == "succeeded" and row.package then
    self.store:verify(row, now)
  elseif what == "reverted" then
    self.store:unverify(row)
  end
  self.tell(what, row, { release = row.target, code = row.code, text = row.text })
end

-- Whether a device runs something older than what it succeeded with; what nothing orders counts as older.
function Offers:_fell_back(row)
  if row.state ~= "succeeded" or not row.package or jobs.has(row, row.target) then return false end
  local entry = self.by_digest[row.package]
  local order = choice.order(self.packages(), row, row.target, entry and entry.manifest.sequence)
  return order == nil or order == "older"
end

-- Whether a device runs something newer than its open job would give it.
function Offers:_overtaken(row)
  local entry = jobs.is_open(row) and self.by_digest[row.package]
  return entry and not jobs.has(row, row.target)
    and choice.order(self.packages(), row, row.target, entry.manifest.sequence) == "newer"
end

-- Whether a job takes the place of the open one: what an operator tries on a device is left to him.
function Offers:_supersedes(row, job)
  if not job or row.kind == "verify" or job.package == row.package then return false end
  local old, new = self.by_digest[row.package], self.by_digest[job.package]
  return not old or new.manifest.sequence > old.manifest.sequence
end

-- Whether a device that asks can be answered at once: nobody who waits for his turn is passed over.
function Offers:_may_answer(now)
  local next_due = self.store:next_due()
  return self.pace:room(WHO) >= 1 and not (next_due and next_due <= now)
end

--- Look at a row whose time has come, or whose device asks; the caller writes it down.
-- @tparam table row changed in place
-- @tparam integer now ms
-- @tparam[opt] table ask the event that is answered
-- @treturn boolean|nil true: offered; false: it will be; nil: there is nothing for it
function Offers:consider(row, now, ask)
  local turn = math.min(row.due or now, now)
  if self:_fell_back(row) then
    jobs.revert(row, now)
    self:went(row, "reverted", now)
  end
  if self:_overtaken(row) then
    jobs.supersede(row, now)
    self:went(row, "superseded", now)
    return nil
  end
  local job = choice.job(row, { packages = self.packages(), by_digest = self.by_digest, rollouts = self.rollouts,
    auto = self.auto })
  if jobs.is_open(row) and self:_supersedes(row, job) then jobs.begin(row, job, now) end
  local what = jobs.consider(row, job, dialects.generic(row.cloud), now)
  if what == "offer" and ask and not self:_may_answer(now) then
    -- One that has begun waits with a dead link: it goes before all who have not.
    row.due = row.state == "upgrading" and now - AHEAD or turn
    return false
  end
  if what == "offer" then return self:_offer(row, now, ask) end
  if what then self:went(row, what, now) end
  return nil
end

--- Look at the rows whose time has come, as far as the pace allows.
-- @treturn boolean|nil whether there were any; nil, message, code
function Offers:push(now)
  local ok, message, code = self.fresh:rouse(now, self.auto, self.rollouts)
  if not ok then return nil, message, code end
  local next_due = self.store:next_due()
  if not next_due or next_due > now then return false end
  local room = self.pace:room(WHO)
  if room < 1 then return false end
  ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  -- No more than can be pushed, since each row is read; those that get nothing cost nothing.
  local left = AT_ONCE
  repeat
    local rows
    rows, message, code = self.store:due(now, math.min(left, math.ceil(room)))
    if not rows then return nil, message, code end
    for _, row in ipairs(rows) do
      self:consider(row, now)
      ok, message, code = self.store:put(row)
      if not ok then return nil, message, code end
    end
    left, room = left - #rows, self.pace.allowance
  until #rows == 0 or left <= 0 or room < 1
  return true
end

--- Milliseconds until push() has something to do, as far as is known now.
-- @treturn integer|nil nil: nothing is due
function Offers:timeout(now)
  local next_due = self.store:next_due()
  if not next_due then return nil end
  return math.max(0, next_due - now, self.pace:timeout())
end

return M
