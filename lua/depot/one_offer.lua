--- One offer: the package of a row goes to its device in the way of its cloud.
--
-- `methods` are those of depot.offers.
--
-- @module depot.one_offer

local dialects = require "depot.dialects"
local jobs = require "depot.jobs"

local M = { methods = {} }

-- Milliseconds.
local ACKNOWLEDGE = 60000 -- for the broker to accept an offer
local ABSENT = 10000      -- until a missing package is looked for again
local HASHING = 500       -- until the next check whether a package is hashed and the store can be written
local TAKEN = 1800000     -- for which an offer without a link counts as open
local FULL = 50           -- until the client's queue is tried again

local NOT_THERE = "the package is not in the folder"

--- The name of pushed offers for depot.pace.
M.WHO = "pushed"

local Methods = M.methods

-- The package of an open job is not in the folder. It may be about to be replaced, so the job ends at the second look.
-- The log has one line for all devices.
function Methods:_absent(row, now)
  if row.text == NOT_THERE then
    self:_once("withdrawn", row)
    jobs.withdraw(row, now)
    return nil
  end
  self:_once("absent", row)
  row.text, row.due = NOT_THERE, now + ABSENT
  return false
end

function Methods:_once(what, row)
  local key = what .. row.package
  if not self.absent[key] then self.tell(what, row, { release = row.target }) end
  self.absent[key] = true
end

-- Offer the row's package to its device. false: it has to wait, and the row is due then.
function Methods:_offer(row, now, ask)
  local entry = self.by_digest[row.package]
  if not entry then return self:_absent(row, now) end
  row.text = row.code and row.text or nil
  if dialects.asks(row.cloud) then return self:_serve(row, entry, now) end
  if self.qinglian and row.cloud == "qinglian" then return self:_announce(row, entry, now) end
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
    self.full_till = row.due
    return false
  end
  self.pace:take(M.WHO)
  row.due, row.ends = now + ACKNOWLEDGE, now + life * 1000
  self.waiting[id] = { cloud = row.cloud, product = row.product, device = row.device, due = row.due,
    package = row.package, size = #topic + #text, topic = topic, tells = not dialects.is_ours(topic) }
  self.tell("offered", row, { release = row.target, package = entry.name })
  return true
end

-- Devices that ask are given the package, or its link, in the answer, and may ask again while that offer is open.
function Methods:_serve(row, entry, now)
  if row.ends and row.ends > now then return true end
  row.offers, row.ends = (row.offers or 0) + 1, now + TAKEN
  self.tell("offered", row, { release = row.target, package = entry.name })
  return true
end

-- Qinglian's devices fetch nothing: it is sent to them.
function Methods:_announce(row, entry, now)
  if not self.qinglian:offer(row, entry, now) then return false end
  self.pace:take(M.WHO)
  row.offers, row.due, row.ends = (row.offers or 0) + 1, nil, now + TAKEN
  self.tell("offered", row, { release = row.target, package = entry.name })
  return true
end

return M
