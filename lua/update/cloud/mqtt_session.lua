--- How a device behaves towards a cloud that speaks MQTT, as a machine of states.
--
-- Pure: `step(state, event)` gives the next state and an array of what to do
-- now. Whoever drives it owns connection, timers, engine and records.
--
-- Its rules: a release is reported once it is confirmed and never before; once
-- for each start (to a cloud that answers: for each connection) and again when it
-- changed. Nothing else is said before that, nor while a release is on trial.
-- One offer is worked on at a time; a newer one that comes meanwhile waits.
-- Success is the report of the confirmed release and nothing else.
--
-- Events:
--
-- - `connected`, `disconnected`
-- - `reply`: ok, text: the cloud's answer to the report of the version
-- - `offer`: offer, retained. A retained one is stale: no cloud retains them, and a fresh one follows each report
-- - `unfit`: version, text, retained: an offer of a kind that cannot be installed here
-- - `begun`: now: policy agreed, blocks are fetched
-- - `progress`: done, total (stored bytes), now (seconds, monotonic)
-- - `say`: percent, text, now: what a script says of the transfer
-- - `installing`: every block is in place
-- - `expired`: the transfer needs another link
-- - `ended`: code, text, retry_after: what became of the install; armed without a code
-- - `settled`: release, code, text, open: the agent owns the state; what is confirmed, how the last transaction ended,
--   whether one is open still, or will be once more
-- - `unsettled`: something is armed or on trial
-- - `ask`: it is time to ask whether there is something: what was said or pushed may be lost
-- - `timer`: what: the time of that `wait` is over
-- - `acked`: kind: a report arrived
--
-- Actions:
--
-- - `report`: report for the dialect's encode(): kind "version", "ask", "get", "progress", "burning", "done", "fail"
--   (with `code`, our word)
-- - `install`: offer
-- - `link`: offer with a fresh link for the transfer that asked, or code: there is none
-- - `remember`: record {version, size, md5, offset, stage, code, text}, kept over a restart; `forget`
-- - `wait`: what, seconds: then send `timer`
--
-- @module update.cloud.mqtt_session

local fields = require "update.cloud.message_fields"
local reports = require "update.cloud.mqtt_reports"
local version = require "update.version"

local M = {}

local RECORD_EVERY = 10   -- percent between two records of how far a transfer is
local DEFERRED = 900      -- seconds, unless policy says
local DEFER_MOST = 86400  -- seconds, whatever it says
local BUSY = 60           -- seconds; the end of the other update comes sooner

-- Failures that are nobody's fault while the cloud cannot be reached.
local PASSING = { network = true, expired = true }

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

local function record_of(job, stage)
  local offer = job.offer
  return { version = offer.version, size = offer.size, md5 = offer.md5, offset = job.done or 0, stage = stage }
end

local function offer_of(record)
  return { version = record.version, size = record.size, md5 = record.md5 }
end

--- The state of an agent that starts.
-- @tparam table o waits (boolean: the cloud answers reports of the version), burning and done (boolean: it wants to
--   hear of those), record (what was remembered, or nil)
-- @treturn table state
function M.new(o)
  local s = { waits = o.waits or false, burning = o.burning or false, done = o.done or false, online = false,
    settled = false, patience = reports.REPLY_LEAST }
  local record = o.record
  if not record then return s end
  if record.stage == "failed" then
    s.outcome = { version = record.version, code = record.code or "internal", text = record.text or "" }
  else
    s.job = { offer = offer_of(record), done = record.offset, percent = (record.offset or 0) > 0 and 0 or -1,
      stage = record.stage == "installing" and "armed" or "suspended" }
  end
  return s
end

-- Whether `offer` is to come after `other` rather than to be dropped.
local function follows(offer, other)
  return not other or version.compare(offer.version, other.version) >= 0
end

local function start_next(s, out)
  local offer = s.next
  if not offer or not s.settled or s.job and s.job.stage ~= "suspended" then return end
  s.next = nil
  if offer.version == s.release then return end
  local before = s.job and fields.same(s.job.offer, offer) and s.job or nil
  s.job = { offer = offer, stage = "fetching", done = before and before.done,
    percent = before and before.percent or -1 }
  reports.push(out, { type = "remember", record = record_of(s.job, "fetching") })
  reports.push(out, { type = "install", offer = offer })
end

-- Everything that has become possible, in its order.
local function go_on(s, out)
  if s.online and s.settled and s.release and s.told ~= s.release then reports.version(s, out) end
  if not reports.may_speak(s) then return end
  reports.job(s, out)
  reports.outcome(s, out)
  if s.ask then
    reports.report(out, { kind = s.ask, version = s.told })
    s.ask = nil
  end
  start_next(s, out)
end

local on = {}

function on.connected(s)
  s.online, s.patience = true, reports.REPLY_LEAST
  if s.waits then
    s.told, s.ready = nil, false -- the report asks for what is to be had
  elseif s.job and s.job.stage == "suspended" then
    s.ask = "ask"
  elseif s.told and not s.job then
    s.ask = "get"
  end
end

function on.disconnected(s, _, out)
  s.online, s.ready, s.ask = false, false, nil
  if s.job and s.job.asked then
    s.job.asked = nil
    reports.push(out, { type = "link", code = "network" })
  end
end

--- Whether an event "ask" would ask the cloud now.
-- @tparam table state
function M.may_ask(state)
  return reports.may_speak(state) and state.settled and not state.job
end

function on.ask(s)
  if M.may_ask(s) then s.ask = "ask" end
end

function on.reply(s, event, out)
  if not s.online or not s.told or s.ready then return end
  s.ready = event.ok == true
  if not s.ready then reports.push(out, { type = "wait", what = "reply", seconds = s.patience }) end
end

-- While a job is under way: a fresh link for it, or something for later.
local function meanwhile(s, offer, out)
  local job = s.job
  if fields.same(job.offer, offer) then
    if job.stage ~= "fetching" then return end
    job.offer = offer
    if job.asked then reports.push(out, { type = "link", offer = offer }) end
    job.asked = nil
    return
  end
  if follows(offer, job.offer) and follows(offer, s.next) then s.next = offer end
  if job.asked then
    job.asked = nil
    reports.push(out, { type = "link", code = "expired" })
  end
end

function on.offer(s, event, out)
  local offer, job = event.offer, s.job
  if event.retained or s.settled and offer.version == s.release then return end
  if job and (job.stage == "fetching" or job.stage == "armed") then return meanwhile(s, offer, out) end
  if job and job.stage == "waiting" then
    if fields.same(job.offer, offer) then
      job.offer = offer
      return
    end
    s.job = nil -- it never began: the cloud's last word counts
  end
  if follows(offer, s.next) then s.next = offer end
end

-- The cloud would wait for ever for what never begins.
function on.unfit(s, event, out)
  if event.retained or not reports.may_speak(s) then return end
  reports.report(out, { kind = "fail", version = event.version, code = "incompatible", text = event.text })
end

function on.begun(s, event, out)
  local job = s.job
  if not job or job.stage ~= "fetching" then return end
  if job.percent < 0 then
    job.percent, job.told_at = 0, event.now
    if reports.may_speak(s) then
      reports.report(out, { kind = "progress", percent = 0, text = "fetching", version = job.offer.version })
    end
  end
end

function on.say(s, event, out)
  local job = s.job
  if not job or job.stage ~= "fetching" or job.full or event.percent >= 100 then return end
  reports.progress(s, event.percent, event.text, event.now, out)
end

function on.progress(s, event, out)
  local job = s.job
  if not job or job.stage ~= "fetching" or job.full then return end
  local percent = event.total > 0 and event.done * 100 // event.total or 100
  job.done = event.done
  if percent >= 100 then
    job.full = "due" -- go_on() tells it, now or when it can be
    return
  end
  reports.progress(s, percent, ("%d of %d bytes"):format(event.done, event.total), event.now, out)
  if percent - (job.kept or 0) >= RECORD_EVERY then
    job.kept = percent
    reports.push(out, { type = "remember", record = record_of(job, "fetching") })
  end
end

function on.installing(s, _, out)
  local job = s.job
  if not job or job.stage ~= "fetching" then return end
  job.full = job.full or "due"
  if s.burning then job.burning = job.burning or "due" end
  -- Before anything can be armed, so that a start that finds it armed knows whose it is.
  reports.push(out, { type = "remember", record = record_of(job, "installing") })
end

function on.expired(s, _, out)
  local job = s.job
  if not job or job.stage ~= "fetching" then return end
  if not reports.may_speak(s) then
    reports.push(out, { type = "link", code = "network" })
    return
  end
  job.asked = true
  reports.report(out, { kind = "ask", version = s.told })
end

-- The job ended without a release that is armed.
local function fail(s, code, text, out)
  local record = record_of(s.job, "failed")
  record.code, record.text = code, text
  s.outcome = { version = s.job.offer.version, code = code, text = text }
  s.job = nil
  reports.push(out, { type = "remember", record = record })
end

function on.ended(s, event, out)
  local job = s.job
  if not job or job.stage ~= "fetching" then return end
  job.asked = nil
  if not event.code then
    job.stage = "armed"
    job.full = job.full or "due"
  elseif event.code == "deferred" or event.code == "busy" then
    job.stage, job.busy = "waiting", event.code == "busy"
    reports.push(out, { type = "wait", what = "retry",
      seconds = event.code == "busy" and BUSY or math.min(event.retry_after or DEFERRED, DEFER_MOST) })
  elseif PASSING[event.code] and not s.online then
    job.stage = "suspended"
  else
    fail(s, event.code, event.text or "", out)
  end
end

-- A job that waited for its turn is an offer again.
local function retry(s)
  local offer = s.job.offer
  s.job = nil
  if follows(offer, s.next) then s.next = offer end
end

function on.timer(s, event)
  if event.what == "reply" then
    if s.waits and s.online and not s.ready then s.told = nil end
  elseif event.what == "retry" and s.job and s.job.stage == "waiting" then
    retry(s)
  end
end

-- What is known of the job now that the device settled.
local function conclude(s, event, out)
  local job = s.job
  if event.release == job.offer.version then
    if job.stage == "armed" and (s.done or s.told ~= event.release) then
      s.outcome = { version = event.release, ok = true }
    elseif job.stage ~= "fetching" then
      reports.push(out, { type = "forget" }) -- it came another way
    else
      return
    end
    s.job = nil
  elseif job.stage == "armed" then
    if event.open then
      job.stage = "suspended"
      if not s.waits then s.ask = "ask" end
    else
      local code = event.code ~= "ok" and event.code or "rolledback"
      fail(s, code, event.text or "", out)
    end
  elseif job.stage == "waiting" and job.busy then
    retry(s)
  end
end

function on.settled(s, event, out)
  s.settled, s.release = true, event.release
  if s.job then conclude(s, event, out) end
  if s.job and s.job.stage == "suspended" and not s.told and not s.waits then s.ask = "ask" end
end

function on.unsettled(s)
  s.settled = false
end

function on.acked(s, event, out)
  if not s.outcome or s.outcome.sent ~= event.kind then return end
  s.outcome = nil
  if not s.job then reports.push(out, { type = "forget" }) end
end

--- The next state and what to do.
-- @tparam table state from new() or step(); not changed
-- @tparam table event see above; `type` names it
-- @treturn table state
-- @treturn {table,...} actions, in their order
function M.step(state, event)
  local handler = on[event.type]
  if not handler then error(("unknown event '%s'"):format(tostring(event.type)), 2) end
  local s, out = copy(state), {}
  if s.job then s.job = copy(s.job) end
  handler(s, event, out)
  go_on(s, out)
  return s, out
end

return M
