--- How a device behaves towards a cloud that speaks MQTT, as a state machine.
--
-- Pure: `step(state, event)` returns the next state and an array of actions.
-- The caller owns connection, timers, engine and records.
-- update.cloud.mqtt_transfer handles the events of a job, update.cloud.mqtt_reports
-- decides what is reported.
--
-- Rules: a release is reported only once it is confirmed: at each start (to a
-- cloud that answers: for each connection) and when it changes. Nothing else is
-- reported before that, nor while a release is on trial. One offer is worked on
-- at a time; a newer one waits. Only the report of the confirmed release means
-- success.
--
-- Events:
--
-- - `connected`, `disconnected`
-- - `reply`: ok, text: the cloud's answer to the report of the version
-- - `offer`: offer, retained. A retained offer is stale: clouds do not retain them, and a fresh one follows each report
-- - `unfit`: version, text, retained: an offer of a kind that cannot be installed here
-- - `begun`: now: policy agreed, and blocks are being fetched
-- - `progress`: done, total (stored bytes), now (seconds, monotonic)
-- - `say`: percent, text, now: progress that a script reports
-- - `installing`: every block is in place
-- - `expired`: the transfer needs another link
-- - `ended`: code, text, retry_after: how the install ended; without a code a release is armed
-- - `settled`: release, code, text, open: nothing is armed or on trial; the confirmed release, how the last transaction
--   ended, and whether one is still open or will be tried again
-- - `unsettled`: something is armed or on trial
-- - `ask`: it is time to ask for an update, because a message may have been lost
-- - `timer`: what: the time of that `wait` is over
-- - `acked`: kind: a report has arrived
--
-- Actions:
--
-- - `report`: report for the dialect's encode(): kind "version", "ask", "get", "progress", "burning", "done", "fail"
--   (with `code`, our word)
-- - `install`: offer
-- - `link`: offer with a fresh link for the transfer that asked for one, or code: why there is none
-- - `remember`: record {version, size, md5, offset, stage, code, text}, to be kept over a restart; `forget`
-- - `wait`: what, seconds: send `timer` after that time
--
-- @module update.cloud.mqtt_session

local fields = require "update.cloud.message_fields"
local reports = require "update.cloud.mqtt_reports"
local transfer = require "update.cloud.mqtt_transfer"

local M = {}

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

local function offer_of(record)
  return { version = record.version, size = record.size, md5 = record.md5 }
end

--- The state at the start of the agent.
-- @tparam table o waits (boolean: the cloud answers reports of the version), burning and done (boolean: the cloud
--   expects these reports), record (the one that was remembered, or nil)
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

local function start_next(s, out)
  local offer = s.next
  if not offer or not s.settled or s.job and s.job.stage ~= "suspended" then return end
  s.next = nil
  if offer.version == s.release then return end
  local before = s.job and fields.same(s.job.offer, offer) and s.job or nil
  s.job = { offer = offer, stage = "fetching", done = before and before.done,
    percent = before and before.percent or -1 }
  reports.push(out, { type = "remember", record = transfer.record(s.job, "fetching") })
  reports.push(out, { type = "install", offer = offer })
end

-- Do everything that the new state allows, in order.
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
    s.told, s.ready = nil, false -- the report of the version also asks for an offer
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

-- An offer while a job is under way: a fresh link for the job, or an offer for later.
local function meanwhile(s, offer, out)
  local job = s.job
  if fields.same(job.offer, offer) then
    if job.stage ~= "fetching" then return end
    job.offer = offer
    if job.asked then reports.push(out, { type = "link", offer = offer }) end
    job.asked = nil
    return
  end
  if transfer.follows(offer, job.offer) and transfer.follows(offer, s.next) then s.next = offer end
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
    s.job = nil -- it has not begun, so the newest offer counts
  end
  if transfer.follows(offer, s.next) then s.next = offer end
end

-- Report it as failed, else the cloud would wait for ever.
function on.unfit(s, event, out)
  if event.retained or not reports.may_speak(s) then return end
  reports.report(out, { kind = "fail", version = event.version, code = "incompatible", text = event.text })
end

function on.timer(s, event)
  if event.what == "reply" then
    if s.waits and s.online and not s.ready then s.told = nil end
  elseif event.what == "retry" and s.job and s.job.stage == "waiting" then
    transfer.retry(s)
  end
end

function on.settled(s, event, out)
  s.settled, s.release = true, event.release
  if s.job then transfer.conclude(s, event, out) end
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
-- @treturn {table,...} actions, in order
function M.step(state, event)
  local handler = on[event.type] or transfer.on[event.type]
  if not handler then error(("unknown event '%s'"):format(tostring(event.type)), 2) end
  local s, out = copy(state), {}
  if s.job then s.job = copy(s.job) end
  handler(s, event, out)
  go_on(s, out)
  return s, out
end

return M
