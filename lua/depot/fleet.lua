--- The depot as the cloud of devices that speak MQTT.
--
-- One client of the broker hears every device. What a device says changes its
-- row in the store (depot.jobs says how) and makes the row due; rows that are
-- due are looked at in order, and offers go out no faster than the pace. The
-- actions of the command line make rows due as well, so that a running depot
-- finds their jobs by looking.
--
-- Durable order: the messages of 50 ms at most are one transaction; one that
-- fails is done again. A pushed offer stays due, a minute
-- ahead, until the broker has taken it. So a depot that is killed pushes again
-- at worst. The session at the broker outlives the depot: what devices said
-- meanwhile with QoS 1 is heard later. When the broker has lost it, open jobs
-- are offered anew.
--
-- @module depot.fleet

local choice = require "depot.choice"
local dialects = require "depot.dialects"
local jobs = require "depot.jobs"

local M = {}

local Fleet = {}
Fleet.__index = Fleet

-- Milliseconds.
local ACKNOWLEDGE = 60000 -- for the broker to take an offer
local ABSENT = 10000      -- until a package that is not there is looked for again
local HASHING = 100
local LOOK = 500          -- between two looks for what other processes changed
local TOGETHER = 50       -- of changes in one transaction, while more and more comes
local SWEEP = 60000       -- between two looks for devices that fell silent
local PAUSE = 1000        -- after the store has failed
local SILENT = 24 * 3600 * 1000 -- an upgrade without a word for this long has failed
local AT_ONCE = 500       -- messages and rows a step, at most
local ANSWERS = 10000     -- that wait for the client's queue; a device that gets none asks again

local LIMITS = { depth = 8, size = 16384 }

--- @tparam table parts mqtt (update.native.mqtt client), store, digests, json, sha256 (text -> hex), packages
--   (function -> array of the catalog), link (function(entry) -> URL), now (function -> ms since 1970), on_event
--   (function(event): {kind, cloud, product, device, ...})
-- @tparam[opt] table options pace (offers a second, 100), settle (ms), auto (boolean)
-- @treturn table fleet: fd(), wants_write(), timeout() (ms), step(), look(), close()
function M.new(parts, options)
  options = options or {}
  local self = setmetatable({
    pace = options.pace or 100, settle = options.settle or jobs.SETTLE, auto = options.auto,
    connected = false, allowance = 1, refilled = parts.now(), next_look = 0, next_sweep = parts.now() + SWEEP,
    granted = 0, waiting = {}, answers = {}, batch = {}, backlog = {}, resume_at = 0, message_id = 0,
  }, Fleet)
  for name, part in pairs(parts) do
    self[name] = part
  end
  for _, filter in ipairs(dialects.filters) do
    self.mqtt:subscribe(filter[1], filter[2])
  end
  return self
end

--- The descriptor to poll for reading, and for writing while wants_write(); nil while there is none.
function Fleet:fd() return self.mqtt:fd() end

function Fleet:wants_write() return self.mqtt:wants_write() end

function Fleet:_tell(kind, row, fields)
  local event = fields or {}
  event.kind, event.cloud, event.product, event.device = kind, row.cloud, row.product, row.device
  self.on_event(event)
end

-- What the folder, and other processes, say anew.
function Fleet:_refresh(now)
  if now < self.next_look then return true end
  self.next_look = now + LOOK
  local version = self.store:version()
  if version ~= self.store_version then
    local rollouts, message, code = self.store:rollouts()
    if not rollouts then return nil, message, code end
    self.rollouts, self.store_version = rollouts, version
  end
  return true
end

--- The catalog has changed.
function Fleet:look()
  local known = {}
  for _, entry in ipairs(self.packages()) do
    known[entry.manifest.digest] = entry
  end
  self.by_digest = known
end

function Fleet:_job_of(row)
  return choice.job(row, { packages = self.packages(), by_digest = self.by_digest, rollouts = self.rollouts,
    auto = self.auto })
end

-- Put what is to be said before a device at once, or as soon as the client's queue takes it.
function Fleet:_answer(topic, object, qos)
  if topic and #self.answers < ANSWERS then
    self.answers[#self.answers + 1] = { topic, self.json.encode(object), qos }
  end
end

function Fleet:_flush()
  local said = 0
  for _, answer in ipairs(self.answers) do
    if not self.mqtt:publish(table.unpack(answer)) then break end
    said = said + 1
  end
  if said > 0 then
    self.answers = table.move(self.answers, said + 1, #self.answers, 1, {})
  end
  return true
end

-- Put the row's package before its device; false when it has to wait, with the row due then.
function Fleet:_offer(row, now, ask)
  local entry = self.by_digest[row.package]
  if not entry then
    if row.text ~= "the package is not in the folder" then
      row.text = "the package is not in the folder"
      self:_tell("absent", row, { release = row.target })
    end
    row.due = now + ABSENT
    return false
  end
  row.text = row.code and row.text or nil
  local md5 = self.digests:of(entry)
  if not md5 then
    row.due = now + HASHING
    return false
  end
  self.message_id = self.message_id % 0x7FFFFFFF + 1
  local topic, object, qos = dialects.offer(row, { version = row.target, url = self.link(entry), size = entry.size,
    md5 = md5 }, self.message_id, ask)
  local id = self.mqtt:publish(topic, self.json.encode(object), qos)
  if not id then -- the client's queue is full
    row.due = now + HASHING
    return false
  end
  row.due = now + ACKNOWLEDGE
  self.waiting[id] = { cloud = row.cloud, product = row.product, device = row.device, due = row.due }
  self:_tell("offered", row, { release = row.target, package = entry.name })
  return true
end

-- The job went over to `what`: say so, and keep what others need to know.
function Fleet:_went(row, what, now)
  if what == "succeeded" then
    self.store:verify(row, now)
  end
  self:_tell(what, row, { release = row.target, code = row.code, text = row.text })
end

function Fleet:_consider(row, now, ask)
  local job = not jobs.is_open(row) and self:_job_of(row) or nil
  local what = jobs.consider(row, job, dialects.generic(row.cloud), now)
  if what == "offer" then return self:_offer(row, now, ask) end
  if what then self:_went(row, what, now) end
  return nil
end

local function fresh(place, sha256)
  return { cloud = place.cloud, product = place.product, device = place.device, hash = sha256(place.product) }
end

-- Do what a message asks for: true, also when it means nothing; nil, message, code when the store fails.
function Fleet:_hear(message, now)
  local place = not message.retain and dialects.place(message.topic)
  if not place then return true end
  local object, why = self.json.decode(message.payload, LIMITS)
  local event
  if object ~= nil then
    event, why = dialects.hear(place, object)
  end
  if not event then
    if why then self:_tell("garbled", place, { text = why }) end
    return true
  end
  local ok, text, code = self.store:change()
  if not ok then return nil, text, code end
  local row
  row, text, code = self.store:get(place.cloud, place.product, place.device)
  if row == nil then return nil, text, code end
  row = row or fresh(place, self.sha256)
  local what = jobs.hear(row, event, now, self.settle)
  if event.kind == "version" then self:_tell("reports", row, { release = event.release }) end
  if what and what ~= "ignored" then self:_went(row, what, now) end
  self:_answer(dialects.answer(event))
  if event.kind == "ask" and self:_consider(row, now, event) == nil then
    self:_answer(dialects.nothing(event))
  end
  return self.store:put(row)
end

-- The broker has taken an offer: it need not be pushed again.
function Fleet:_taken(id)
  local offer = self.waiting[id]
  if not offer then return true end
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  self.waiting[id] = nil
  local row
  row, message, code = self.store:get(offer.cloud, offer.product, offer.device)
  if row == nil then return nil, message, code end
  if not row or row.due ~= offer.due then return true end
  row.due = nil
  return self.store:put(row)
end

function Fleet:_handle(event, now)
  if event.kind == "message" then
    return self:_hear(event, now)
  elseif event.kind == "published" then
    return self:_taken(event.id)
  end
  if event.kind == "connected" or event.kind == "disconnected" then
    self.connected, self.granted = event.kind == "connected", 0
  elseif event.kind == "subscribed" then
    self.granted = self.granted + 1
    if self.granted == #dialects.filters then self.on_event { kind = "listening" } end
  end
  if event.message then self.on_event { kind = event.kind, text = event.message } end
  if event.kind ~= "connected" or event.session then return true end
  -- The broker has forgotten us, and perhaps reports of devices with us.
  local ok, message, code = self.store:change()
  if ok then
    ok, message, code = self.store:offer_anew(now)
  end
  return ok and true, message, code
end

-- Handle what came, first what failed before.
function Fleet:_receive(now)
  for _ = 1, AT_ONCE do
    local event = table.remove(self.backlog, 1) or self.mqtt:step()
    if not event then return true end
    self.batch[#self.batch + 1], self.busy = event, true
    local ok, message, code = self:_handle(event, now)
    if not ok then return nil, message, code end
  end
  self.more = true
  return true
end

function Fleet:_refill(now)
  local burst = math.max(1, self.pace / 4)
  self.allowance = math.min(burst, self.allowance + (now - self.refilled) * self.pace / 1000)
  self.refilled = now
end

-- Look at the rows whose time has come, as far as the pace allows.
function Fleet:_push(now)
  self:_refill(now)
  local next_due = self.store:next_due()
  if not self.connected or self.allowance < 1 or not next_due or next_due > now then return true end
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  -- No more than can be pushed, since each row is read; those that get nothing cost nothing.
  local left = AT_ONCE
  repeat
    local rows
    rows, message, code = self.store:due(now, math.min(left, math.ceil(self.allowance)))
    if not rows then return nil, message, code end
    for _, row in ipairs(rows) do
      if self:_consider(row, now) then self.allowance = self.allowance - 1 end
      ok, message, code = self.store:put(row)
      if not ok then return nil, message, code end
    end
    left, self.busy = left - #rows, true
  until #rows == 0 or left <= 0 or self.allowance < 1
  return true
end

-- Upgrades that nobody has heard of for long.
function Fleet:_sweep(now)
  if now < self.next_sweep then return true end
  self.next_sweep = now + SWEEP
  local ok, message, code = self.store:change()
  if not ok then return nil, message, code end
  local rows
  rows, message, code = self.store:stale(now - SILENT, AT_ONCE)
  for _, row in ipairs(rows or {}) do
    jobs.give_up(row, dialects.generic(row.cloud), now)
    self:_went(row, "failed", now)
    ok, message, code = self.store:put(row)
    if not ok then return nil, message, code end
  end
  return rows and true, message, code
end

-- Commit: at once when this step brought nothing more, else when enough has come together.
function Fleet:_settle(now)
  if not self.store.changing then
    self.batch = {}
    return true
  end
  self.commit_at = self.commit_at or now + TOGETHER
  if self.busy and now < self.commit_at and #self.batch < AT_ONCE then return true end
  local ok, message, code = self.store:commit()
  if ok then self.batch, self.commit_at = {}, nil end
  return ok, message, code
end

local STAGES = { "_refresh", "_receive", "_flush", "_push", "_sweep" }

--- Do what there is to do; call after each poll.
-- @treturn true|nil nil, message, code: the store failed; it is tried again by itself
function Fleet:step()
  local now = self.now()
  if now < self.resume_at then return true end
  self.more, self.busy = false, false
  self.digests:step()
  local ok, message, code = true, nil, nil
  for _, stage in ipairs(STAGES) do
    if ok then ok, message, code = self[stage](self, now) end
  end
  if ok then
    ok, message, code = self:_settle(now)
  else
    self.store:abandon()
  end
  if not ok then
    -- Nothing since the last commit has happened: what came is handled again.
    table.move(self.backlog, 1, #self.backlog, #self.batch + 1, self.batch)
    self.backlog, self.batch, self.commit_at, self.resume_at = self.batch, {}, nil, now + PAUSE
  end
  return ok, message, code
end

--- Milliseconds within which step() wants to be called again.
function Fleet:timeout()
  local now = self.now()
  if self.resume_at > now then return self.resume_at - now end
  if self.more or self.digests:busy() then return 0 end
  local wait = math.min(LOOK, self.mqtt:remaining(), self.commit_at and self.commit_at - now or LOOK)
  local next_due = self.connected and self.store:next_due()
  if next_due and wait > 0 then
    local refill = math.max(0, (1 - self.allowance) * 1000 / self.pace)
    wait = math.min(wait, math.max(0, next_due - now, math.ceil(refill)))
  end
  return math.max(0, wait)
end

--- Leave the broker; its session stays.
function Fleet:close()
  self.store:commit()
  self.mqtt:close()
  self.digests:close()
end

return M
