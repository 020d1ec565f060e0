--- The states of a device's job: pending, upgrading, succeeded, failed, reverted,
-- superseded or cancelled.
--
-- Pure: takes a device's row, what happened and the time, changes the row in
-- place and says what to do. What devices say is the business of
-- depot.job_reports. A failed job stays so until somebody retries. A device that
-- falls back after its success is "reverted", which is also a failure.
--
-- A row: cloud, product, device; release (reported last), other (the second of
-- two reports), module; source (what it ran when its job was given, if it reports
-- one release only); package (digest of its manifest), target (its release), kind
-- ("verify", "batch", "auto"), rollout and wave (that gave it, or nil), state (nil:
-- no job), step (percent), code (vendor's number), text; reason (the depot's word
-- for a verdict: came_back, never_began, expired, silent, late; nil: the device
-- said so itself); finished (downloaded completely), tries, renewing (a new link is
-- on its way), renewals, offers, failures; and times in ms: due (when to handle the
-- row), again (when a failed job is tried again), heard, changed, ends (of its last
-- link; 0: the job waits for its rollout), dead (when an expired link of it was
-- refused), not_listening (since when nobody has subscribed to its offers).
--
-- @module depot.jobs

local M = {}

-- Complete downloads of a package that does not run, after which the job has failed.
local TRIES = 3
-- Counted offers of one release to one device that does not begin.
local OFFERS = 10

--- The states of a job.
M.STATES = { "pending", "upgrading", "succeeded", "failed", "reverted", "superseded", "cancelled" }

local ACTIVE = { pending = true, upgrading = true }

--- Whether a row has a job that is not decided yet.
function M.is_open(row)
  return ACTIVE[row.state] == true
end

--- Whether a row has a job that failed, or that was reverted after its success.
function M.is_lost(row)
  return row.state == "failed" or row.state == "reverted"
end

-- The states of a job that has ended without success.
local LATE = { failed = true, reverted = true, cancelled = true, superseded = true }

local function set(row, state, now)
  row.state, row.changed, row.reason = state, now, nil
end

--- The device has begun.
function M.upgrade(row, now)
  set(row, "upgrading", now)
end

--- The device reports another version while its job is open: it has to be offered the package again.
function M.come_back(row, now)
  if row.finished then row.finished, row.tries = nil, row.tries + 1 end
  if row.state ~= "upgrading" then return end
  set(row, "pending", now)
  row.step = nil
end

--- The job has failed, with the vendor's number, a text, and a word for it unless the device said so itself.
function M.fail(row, code, text, now, reason)
  set(row, "failed", now)
  row.code, row.text, row.due, row.renewing, row.reason = code, text, nil, nil, reason
  row.failures = (row.failures or 0) + 1
end

--- A failed job is tried again by itself at a time, in ms.
function M.try_again(row, at)
  row.again, row.due = at, at
end

--- Whether the time has come to try a failed job again.
function M.is_due_again(row, now)
  return row.state == "failed" and row.again ~= nil and row.again <= now
end

--- The device runs the target. If its job had ended before, that is late: no proof of the package, and no new verdict.
function M.succeed(row, now)
  local late = LATE[row.state] and "late" or nil
  set(row, "succeeded", now)
  row.reason = late
  row.step, row.code, row.text, row.due, row.renewing, row.finished = 100, nil, nil, nil, nil, nil
end

--- Give a device a job, replacing the one that it has.
-- @tparam table row
-- @tparam table job package, target, kind, and if a rollout gives it: rollout, wave; the row itself: once more
-- @tparam integer now ms
function M.begin(row, job, now)
  if job ~= row then row.failures = 0 end
  row.package, row.target, row.kind, row.rollout, row.wave = job.package, job.target, job.kind, job.rollout, job.wave
  row.source = not row.other and row.release or nil
  row.again, row.ends = nil, nil
  row.step, row.code, row.text = nil, nil, nil
  row.finished, row.tries, row.renewing, row.renewals = nil, 0, nil, 0
  row.offers = 0
  row.due = now
  set(row, "pending", now)
end

--- Try a failed job again.
-- @treturn boolean false when the job did not fail
function M.retry(row, now)
  if not M.is_lost(row) or not row.package then return false end
  row.failures = 0
  M.begin(row, row, now)
  return true
end

--- Make no more offers. A download that has begun cannot be called back; if the device reports the target later, the
-- job has succeeded.
-- @treturn boolean false when there is no open job
function M.cancel(row, now)
  if not M.is_open(row) then return false end
  set(row, "cancelled", now)
  row.due, row.renewing = nil, nil
  return true
end

--- The open job waits until its rollout makes it due. A link that has failed meanwhile is no failure, and uses up no
-- new link; a download that had begun is over.
function M.put_off(row, now)
  if row.state == "upgrading" then set(row, "pending", now) end
  row.due, row.renewing, row.ends, row.step = nil, nil, 0, nil
end

--- A device with an open job runs something newer than its target.
function M.supersede(row, now)
  set(row, "superseded", now)
  row.text, row.due, row.renewing = ("reports %s, which is newer"):format(row.release), nil, nil
end

--- The package of an open job was removed. If it comes back, it may be given again.
function M.withdraw(row, now)
  set(row, "cancelled", now)
  row.text, row.package, row.due, row.renewing = "the package was withdrawn", nil, nil, nil
end

--- A device that had succeeded runs an older release again.
function M.revert(row, now)
  set(row, "reverted", now)
  row.text, row.due = ("fell back to %s after its success"):format(row.release), nil
end

--- A device that began an upgrade was not heard of for a long time.
function M.give_up(row, generic, now)
  M.fail(row, generic, "not heard of for a day", now, "silent")
end

--- Whether a job would change anything for this device.
function M.has(row, target)
  return row.release == target or row.other == target
end

-- Whether a device has had the job that it is given. One that was cancelled comes again by another rollout only.
local function has_had(row, job)
  return job.package == row.package and not (row.state == "cancelled" and job.rollout ~= row.rollout)
end

--- A row is due, or its device asks.
-- @tparam table row changed in place; afterwards it has no due time, unless the caller sets one
-- @tparam table|nil job what the device would get if it had no open job: package, target, kind
-- @tparam integer generic the vendor's number of a failure without a reason
-- @tparam integer now ms
-- @treturn string|nil "offer": offer its package; "failed", "succeeded": the new state of the job; nil: nothing to do
function M.consider(row, job, generic, now)
  row.due = row.state == "failed" and row.again and row.again > now and row.again or nil
  if not M.is_open(row) then
    if not job or has_had(row, job) or M.has(row, job.target) then return nil end
    M.begin(row, job, now)
  end
  row.due = nil
  if M.has(row, row.target) then
    M.succeed(row, now)
    return "succeeded"
  elseif row.tries >= TRIES then
    M.fail(row, generic, ("downloaded %d times, still reports %s"):format(row.tries, row.release), now, "came_back")
    return "failed"
  elseif row.state == "pending" and (row.offers or 0) >= OFFERS then
    M.fail(row, generic, ("offered %d times, still reports %s"):format(row.offers, row.release or "nothing"), now,
      "never_began")
    return "failed"
  end
  row.renewing = nil
  return "offer"
end

return M
