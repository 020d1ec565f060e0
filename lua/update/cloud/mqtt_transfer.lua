--- The job of update.cloud.mqtt_session, from the begin of its transfer to the verdict.
--
-- Pure. `s` is the state of the session, which it may change; `out` takes the actions.
--
-- The stages of a job: "fetching"; "waiting" for its next try, which policy or
-- another update delays; "suspended" until the cloud sends a link again; "armed"
-- until the verdict.
--
-- @module update.cloud.mqtt_transfer

local reports = require "update.cloud.mqtt_reports"
local version = require "update.version"

local M = {}

local RECORD_EVERY = 10   -- percent of progress between two records
local DEFERRED = 900      -- seconds, unless policy says how long
local DEFER_MOST = 86400  -- seconds, whatever policy says
local BUSY = 60           -- seconds; usually the end of the other update comes sooner

-- Failures that are nobody's fault while the cloud cannot be reached.
local PASSING = { network = true, expired = true }

--- The record of a job that is kept over a restart.
-- @tparam table job
-- @tparam string stage "fetching", "installing" or "failed"
-- @treturn table see update.cloud.resume_record
function M.record(job, stage)
  local offer = job.offer
  return { version = offer.version, size = offer.size, md5 = offer.md5, offset = job.done or 0, stage = stage }
end

--- Whether an offer replaces another: an older one is dropped.
-- @tparam table offer
-- @tparam table|nil other
function M.follows(offer, other)
  return not other or version.compare(offer.version, other.version) >= 0
end

-- The job ended, and nothing is armed.
local function fail(s, code, text, out)
  local record = M.record(s.job, "failed")
  record.code, record.text = code, text
  s.outcome = { version = s.job.offer.version, code = code, text = text }
  s.job = nil
  reports.push(out, { type = "remember", record = record })
end

local function fetching(s)
  return s.job and s.job.stage == "fetching" and s.job or nil
end

--- Handlers by event; see update.cloud.mqtt_session.
M.on = {}
local on = M.on

function on.begun(s, event, out)
  local job = fetching(s)
  if not job or job.percent >= 0 then return end
  job.percent, job.told_at = 0, event.now
  if reports.may_speak(s) then
    reports.report(out, { kind = "progress", percent = 0, text = "fetching", version = job.offer.version })
  end
end

function on.say(s, event, out)
  local job = fetching(s)
  if not job or job.full or event.percent >= 100 then return end
  reports.progress(s, event.percent, event.text, event.now, out)
end

function on.progress(s, event, out)
  local job = fetching(s)
  if not job or job.full then return end
  local percent = event.total > 0 and event.done * 100 // event.total or 100
  job.done = event.done
  if percent >= 100 then
    job.full = "due" -- the session reports it as soon as it can
    return
  end
  reports.progress(s, percent, ("%d of %d bytes"):format(event.done, event.total), event.now, out)
  if percent - (job.kept or 0) >= RECORD_EVERY then
    job.kept = percent
    reports.push(out, { type = "remember", record = M.record(job, "fetching") })
  end
end

function on.installing(s, _, out)
  local job = fetching(s)
  if not job then return end
  job.full = job.full or "due"
  if s.burning then job.burning = job.burning or "due" end
  -- Before anything can be armed: the next start then knows which cloud the armed release came from.
  reports.push(out, { type = "remember", record = M.record(job, "installing") })
end

function on.expired(s, _, out)
  local job = fetching(s)
  if not job then return end
  if not reports.may_speak(s) then
    reports.push(out, { type = "link", code = "network" })
    return
  end
  job.asked = true
  reports.report(out, { kind = "ask", version = s.told })
end

function on.ended(s, event, out)
  local job = fetching(s)
  if not job then return end
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

--- Turn a waiting job back into an offer, which the session starts next.
function M.retry(s)
  local offer = s.job.offer
  s.job = nil
  if M.follows(offer, s.next) then s.next = offer end
end

--- The device has settled: what became of the job?
-- @tparam table s state with a job
-- @tparam table event "settled"
-- @tparam table out
function M.conclude(s, event, out)
  local job = s.job
  if event.release == job.offer.version then
    if job.stage == "armed" and (s.done or s.told ~= event.release) then
      s.outcome = { version = event.release, ok = true }
    elseif job.stage ~= "fetching" then
      reports.push(out, { type = "forget" }) -- the release was installed in another way
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
    M.retry(s)
  end
end

return M
