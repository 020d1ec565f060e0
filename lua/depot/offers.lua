--- Messages to devices: offers, as the pace allows, and answers at once.
--
-- Rows that are due are handled in order. A pushed offer stays due, one minute
-- later, until the broker has accepted it, so a killed depot loses none. Answers
-- wait in memory while the client's queue is full. A device that asks gets its
-- offer at once if the pace allows it and no other device waits; else the offer
-- is pushed in its turn. depot.one_offer makes each, and depot.acknowledged handles
-- the broker's answers.
--
-- @module depot.offers

local acknowledged = require "depot.acknowledged"
local dialects = require "depot.dialects"
local fresh = require "depot.fresh"
local grants = require "depot.grants"
local job_reports = require "depot.job_reports"
local jobs = require "depot.jobs"
local one_offer = require "depot.one_offer"
local paces = require "depot.pace"

local M = {}

local Offers = {}
for _, module in ipairs { acknowledged, one_offer } do
  for name, method in pairs(module.methods) do Offers[name] = method end
end
Offers.__index = Offers

local AHEAD = 3600000 -- ms by which a device that is upgrading goes before others
local AT_ONCE = 500   -- rows in one step, at most
local WHO = one_offer.WHO
local ANSWERS = 10000 -- waiting for the client's queue, at most; a device without an answer asks again

--- @tparam table parts mqtt, store, digests, json, packages, link as depot.fleet takes them; tell: function(kind, row,
--   fields); now (-> ms); board (depot.rollout.board); sha256 (text -> hex); pace (depot.pace, shared with
--   others; or nil)
-- @tparam table options pace (offers a second, without parts.pace)
function M.new(parts, options)
  return setmetatable({
    mqtt = parts.mqtt, store = parts.store, digests = parts.digests, json = parts.json, packages = parts.packages,
    link = parts.link, tell = parts.tell, pace = parts.pace or paces.new(options.pace, parts.now),
    waiting = {}, answers = {}, message_id = 0, by_digest = {}, board = parts.board,
    facts = { mode = function(hash) return parts.board.registry:mode(hash) end, sha256 = parts.sha256,
      about = parts.store:about(), shuts_out = function(row) return parts.board.registry:shuts_out(row) end,
      is_member = function(...) return parts.store:is_member(...) end },
    settled = 0, absent = {}, fresh = fresh.new(parts.store, parts.digests, parts.json),
  }, Offers)
end

--- The catalog has changed.
function Offers:look()
  self.by_digest, self.absent = {}, {}
  for _, entry in ipairs(self.packages()) do
    self.by_digest[entry.manifest.digest] = entry
  end
  self.board:mark()
  self.fresh:look(self.by_digest)
end

--- Send an answer now, or as soon as the client's queue has room. Without a topic, send nothing.
function Offers:answer(topic, object, qos)
  if topic and #self.answers < ANSWERS then
    self.answers[#self.answers + 1] = { topic, type(object) == "string" and object or self.json.encode(object), qos }
  end
end

--- Send the waiting answers, as far as the client's queue has room.
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

--- The changes behind the newest answers were not committed, and will be made again. Drop these answers, and send
-- nothing until a commit has succeeded.
function Offers:take_back()
  self.held, self.fault = true, nil
  self.board:take_back()
  for i = #self.answers, self.settled + 1, -1 do
    self.answers[i] = nil
  end
end

--- The changes of one device were given up, and those of others stay.
function Offers:give_up()
  self.fault = nil
  self.board:take_back()
end

-- The facts that grants need. Read again if another process has changed the rollouts.
function Offers:_known(order)
  self.board:refresh()
  self.facts.order = order
  self.facts.packages, self.facts.by_digest, self.facts.rollouts = self.packages(), self.by_digest, self.board.list
  return self.facts
end

--- The job of a row changed to the state `what`: log it, and record whether the package is verified.
function Offers:went(row, what, now)
  if what == "succeeded" and row.package and row.reason ~= "late" then
    self.store:verify(row, now)
  elseif what == "reverted" then
    self.store:unverify(row)
  end
  if what == "succeeded" and grants.of(row, self:_known()) then row.due = job_reports.after_success(row) end
  local ok, message, code = self.board:went(row, what, now)
  if not ok then self.fault = { message, code } end
  self.tell(what, row, { release = row.target, code = row.code, reason = row.reason,
    text = row.text })
end

-- Whether a device that asks can get its offer at once. It must not overtake devices that wait for theirs.
function Offers:_may_answer(now)
  local next_due = self.store:next_due()
  return self.pace:room(WHO) >= 1 and not (next_due and next_due <= now)
end

--- Whether an open job must not be offered now.
function Offers:holds(row, now)
  return jobs.is_open(row) and self.board:holds(row, now) ~= nil
end

-- The open job of a row must not be offered now. A download that had begun is over, else it would need no offer.
function Offers:_hold(row, held, now)
  if held == "ended" then
    jobs.cancel(row, now)
    self:went(row, "cancelled", now)
    if not dialects.asks(row.cloud) and grants.of(row, self.facts) then row.due = now end
  else
    jobs.put_off(row, now)
  end
  return nil
end

--- Handle a row that is due, or whose device asks. The caller writes the row.
-- @tparam table row changed in place
-- @tparam integer now ms
-- @tparam[opt] table ask the question that is answered
-- @tparam[opt] function order how what the device runs compares with a manifest, if the caller knows better than its
--   release tells
-- @treturn boolean|nil true: offered; false: an offer will follow; nil: there is nothing for it
function Offers:consider(row, now, ask, order)
  local turn = math.min(row.due or now, now)
  local known = self:_known(order)
  if grants.fell_back(row, known) then
    jobs.revert(row, now)
    self:went(row, "reverted", now)
  end
  local job = jobs.is_due_again(row, now) and not self.board:stops(row) and row or grants.of(row, known)
  if job == row or grants.supersedes(row, job, known) then jobs.begin(row, job, now) end
  if grants.is_overtaken(row, known) then
    jobs.supersede(row, now)
    self:went(row, "superseded", now)
    return nil
  end
  local what = jobs.consider(row, job, dialects.generic(row.cloud), now)
  if what == "offer" and dialects.asks(row.cloud) and not order then return nil end -- it has to ask
  local held = what == "offer" and self.board:holds(row, now)
  if held then return self:_hold(row, held, now) end
  if row.ends == 0 then row.ends = nil end
  if what == "offer" and ask and not self:_may_answer(now) then
    -- A device that is upgrading waits with an expired link, so it goes before those that have not begun.
    row.due = row.state == "upgrading" and now - AHEAD or turn
    return false
  end
  if what == "offer" then return self:_offer(row, now, ask) end
  if what then self:went(row, what, now) end
  return nil
end

-- Whether the client's queue was full a moment ago, and no message has left it since.
function Offers:_is_full(now) return self.full_till ~= nil and now < self.full_till end

--- Handle the rows that are due, as far as the pace and the client's queue allow.
-- @treturn boolean|nil whether there were any; nil, message, code
function Offers:push(now)
  local ok, message, code = self.fresh:make_due(now, self.facts.mode, self.board.list)
  if not ok then return nil, message, code end
  local next_due = self.store:next_due()
  if not next_due or next_due > now or self:_is_full(now) then return false end
  local room = self.pace:room(WHO)
  if room < 1 then return false end
  ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  -- Read no more rows than can be pushed. Rows that get no offer do not use up the pace.
  local left = AT_ONCE
  repeat
    local rows
    rows, message, code = self.store:due(now, math.min(left, math.ceil(room)))
    if not rows then return nil, message, code end
    for _, row in ipairs(rows) do
      self:consider(row, now)
      ok, message, code = self.store:put(row)
      if not ok then return nil, message, code end
      if self:_is_full(now) then return true end -- the others stay due
    end
    left, room = left - #rows, self.pace.allowance
  until #rows == 0 or left <= 0 or room < 1
  return true
end

--- Milliseconds until push() has something to do.
-- @treturn integer|nil nil: nothing is due
function Offers:timeout(now)
  local next_due = self.store:next_due()
  if not next_due then return nil end
  return math.max(0, next_due - now, self.pace:timeout(), (self.full_till or now) - now)
end

return M
