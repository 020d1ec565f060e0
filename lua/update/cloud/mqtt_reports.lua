--- The reports of update.cloud.mqtt_session to a cloud, and when they are allowed.
--
-- Pure. `s` is the state of the session, which it may change; `out` takes the actions.
--
-- @module update.cloud.mqtt_reports

local M = {}

local PROGRESS_EVERY = 1 -- seconds
local REPLY_MOST = 300   -- seconds for a cloud to answer

--- Seconds for a cloud to answer the first report.
M.REPLY_LEAST = 10

-- The same outcome, marked with the kind of report that told it.
local function sent(outcome, kind)
  return { version = outcome.version, ok = outcome.ok, code = outcome.code, text = outcome.text, sent = kind }
end

--- Whether reports other than the version are allowed now.
function M.may_speak(s)
  return s.online and s.told ~= nil and (s.ready or not s.waits)
end

--- Add an action.
function M.push(out, action)
  out[#out + 1] = action
end

--- Add a report.
function M.report(out, fields_of_it)
  M.push(out, { type = "report", report = fields_of_it })
end

--- Report the confirmed release. This also asks the cloud for an offer.
function M.version(s, out)
  s.told = s.release
  s.ready = false
  M.report(out, { kind = "version", version = s.release })
  if s.waits then
    M.push(out, { type = "wait", what = "reply", seconds = s.patience })
    s.patience = math.min(REPLY_MOST, 2 * s.patience)
  end
  if s.outcome and s.outcome.ok and not s.done then s.outcome = sent(s.outcome, "version") end
end

--- Report the steps of the job that the cloud has not heard of.
function M.job(s, out)
  local job = s.job
  if not job then return end
  if job.full == "due" then
    job.full, job.percent = "told", 100
    M.report(out, { kind = "progress", percent = 100, text = "every block is verified", version = job.offer.version })
  end
  if job.burning == "due" then
    job.burning = "told"
    M.report(out, { kind = "burning", version = job.offer.version })
  end
end

--- Report how the last job ended.
function M.outcome(s, out)
  local outcome = s.outcome
  if not outcome or outcome.sent or outcome.ok and not s.done then return end
  outcome = sent(outcome, outcome.ok and "done" or "fail")
  s.outcome = outcome
  M.report(out, { kind = outcome.sent, version = outcome.version, code = outcome.code, text = outcome.text })
end

--- Report progress: at most once a second, and only if it has risen.
function M.progress(s, percent, text, now, out)
  local job = s.job
  if percent <= job.percent or job.told_at and now - job.told_at < PROGRESS_EVERY or not M.may_speak(s) then return end
  job.percent, job.told_at = percent, now
  M.report(out, { kind = "progress", percent = percent, text = text, version = job.offer.version })
end

return M
