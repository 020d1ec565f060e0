--- Messages of devices: each changes the device's row and is answered.
--
-- The caller commits. If the store fails, the same messages are handled again.
--
-- @module depot.hearing

local dialects = require "depot.dialects"
local job_reports = require "depot.job_reports"
local message_fields = require "update.cloud.message_fields"

local M = {}

local Hearing = {}
Hearing.__index = Hearing

local LIMITS = { depth = 8, size = 16384 }
local TWICE = 2000 -- ms within which a question on a second topic repeats the first

--- @tparam table parts store, json, sha256 (text -> hex), offers, remarks, tell (function(kind, row, fields)), settle
--   (ms)
function M.new(parts)
  parts.asked, parts.asked_since = {}, 0 -- by device: the topic of the question that an offer has just answered
  return setmetatable(parts, Hearing)
end

local function fresh(place, sha256)
  return { cloud = place.cloud, product = place.product, device = place.device, hash = sha256(place.product) }
end

-- What a message says: the place of the device, and the event; nil: not for the depot.
function Hearing:_understand(message)
  local place, unnamed = dialects.place(message.topic)
  if not place then
    if unnamed then self.remarks:once("unheard", unnamed) end
    return nil
  end
  local payload, terminated = message_fields.unterminated(message.payload)
  if terminated then
    self.remarks:once("NUL byte", ("%s %s/%s: its messages end with a NUL byte, which is ignored"):format(
      place.cloud, place.product, place.device))
  end
  local object, why = self.json.decode(payload, LIMITS)
  local event
  if object ~= nil then
    event, why = dialects.hear(place, object)
  end
  if not event and why then self.tell("garbled", place, { text = why }) end
  return event and place, event
end

-- The row of a device, in an open transaction.
function Hearing:_row(place)
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  return self.store:get(place.cloud, place.product, place.device)
end

-- A device that asks on both topics takes the first answer. A second one would count as another offer.
function Hearing:_is_asked_twice(event, now)
  if now - self.asked_since > TWICE then self.asked, self.asked_since = {}, now end
  local before = self.asked[("%s/%s"):format(event.product, event.device)]
  return before ~= nil and before ~= event.topic
end

function Hearing:_answer(row, event, now)
  local offered = self.offers:consider(row, now, event)
  if offered == nil then self.offers:answer(dialects.nothing(event)) end
  if offered then self.asked[("%s/%s"):format(event.product, event.device)] = event.topic end
end

-- Change the row as the event says, and answer.
function Hearing:_change(row, event, now)
  local what = job_reports.hear(row, event, now, self.settle, self.offers:holds(row, now))
  if event.kind == "version" then self.tell("reports", row, { release = event.release, module = event.module }) end
  if what == "aside" then return self.offers:answer(dialects.nothing(event)) end
  if what and what ~= "ignored" then self.offers:went(row, what, now) end
  if what == "failed" then row.due = now end -- something newer may have come meanwhile
  self.offers:answer(dialects.answer(event))
  if event.kind == "ask" and not self:_is_asked_twice(event, now) then self:_answer(row, event, now) end
end

--- Handle a message: true, even if it means nothing here; nil, message, code if the store fails.
function Hearing:message(message, now)
  if message.retain then return true end
  if self.qinglian and self.qinglian:hears(message.topic) then return self:_talk(message, now) end
  local place, event = self:_understand(message)
  if not place then return true end
  return self:_note(place, event, now)
end

-- It gets no row, for a reason.
function Hearing:_turn_away(event, why)
  self.remarks:once("unregistered", why)
  if event.kind == "ask" then self.offers:answer(dialects.nothing(event)) end
  return true
end

function Hearing:_note(place, event, now)
  local row, text, code = self:_row(place)
  if row == nil then return nil, text, code end
  if not row then
    local admitted
    row = fresh(place, self.sha256)
    admitted, text, code = self.offers.board.registry:admits(place, row.hash, now)
    if not admitted then return admitted == false and self:_turn_away(event, text) or nil, text, code end
  end
  self:_change(row, event, now)
  return self.store:put(row)
end

-- A message of a device that is talked with over and over; most mean nothing to its job.
function Hearing:_talk(message, now)
  local event, why = self.qinglian:hear(message.topic, message.payload, now)
  if why then self.remarks:once("garbled", ("%s: %s"):format(message.topic, why)) end
  if not event then return true end
  event.configured = true -- the file of --qinglian has its product
  local ok, text, code = self:_note(event, event, now)
  self.qinglian:settle(event.device)
  return ok, text, code
end

-- The row of a device that asked over HTTP, changed as its query says.
function Hearing:_report(row, event, now)
  local by_digest = self.offers.by_digest
  local entry = row.package and by_digest[row.package]
  if entry and event.order(entry.manifest) == "newer" then event.release = row.target end
  local what = job_reports.hear(row, event, now, 0, self.offers:holds(row, now))
  self.tell("reports", row, { release = event.release })
  if what and what ~= "ignored" then self.offers:went(row, what, now) end
end

--- A device asks over HTTP.
-- @tparam table event of depot.luat_jobs
-- @tparam integer now ms
-- @treturn string|false|nil the digest of what it is given; false: nothing; nil, message, code: the store failed
function Hearing:query(event, now)
  local row, message, code = self:_row(event)
  if row == nil then return nil, message, code end
  if not row then
    local admitted
    row = { cloud = event.cloud, product = event.product, device = event.device }
    admitted, message, code = self.offers.board.registry:admits(row, event.hash, now)
    if admitted == false then self.remarks:once("unregistered", message) end
    if not admitted then return admitted, message, code end
  end
  row.hash, row.core = event.hash, event.core or row.core
  local given
  if event.continues and row.state == "upgrading" then
    given, row.heard = true, now
  else
    self:_report(row, event, now)
    given = self.offers:consider(row, now, nil, event.order)
    if given and event.downloads then
      local what = job_reports.hear(row, { kind = "progress", percent = row.step or 0 }, now)
      if what == "upgrading" then self.offers:went(row, what, now) end
    end
  end
  local ok
  ok, message, code = self.store:put(row)
  if not ok then return nil, message, code end
  return given and row.package or false
end

--- A device has fetched all of its package over HTTP.
function Hearing:fetched(place, now)
  local row, message, code = self:_row(place)
  if row == nil then return nil, message, code end
  if not row then return true end
  job_reports.hear(row, { kind = "finished" }, now)
  return self.store:put(row)
end

--- A device that used an expired link is given another, unless its rollout makes no offers now.
function Hearing:dead_link(place, now)
  local row, message, code = self:_row(place)
  if row == nil then return nil, message, code end
  local what = row and job_reports.link_died(row, now, self.settle, self.offers:holds(row, now))
  if not what then return true end
  if what ~= "ignored" then self.offers:went(row, what, now) end
  return self.store:put(row)
end

return M
