--- What becomes of a device's job: pending, upgrading, succeeded, failed, reverted,
-- superseded or cancelled.
--
-- Pure: a device's row, what happened and the time in; the row is changed in
-- place and the answer says what to do. The rules are the vendors': a job is
-- upgrading from the first progress on; only the version that a device reports
-- says that it succeeded, whatever was reported before; a device that reports
-- another version while its job is open is offered the firmware again; a
-- failure stands until somebody retries; a device that falls back after its
-- success is "reverted", which is a failure, too.
--
-- Vendors' clients report a second version by themselves within the same
-- second, the firmware's own, before or after the application's. So a report
-- is answered with an offer only when the device has been silent for a moment,
-- and one that comes right after a success changes nothing.
--
-- A row: cloud, product, device; release (reported last), other (the second of
-- two reports), module; package (digest of its manifest), target (its release),
-- kind ("verify", "batch", "auto"), state (nil: no job), step (percent), code
-- (vendor's number), text; finished, tries, renewing, renewals, offers; due (ms: to be
-- looked at then), heard, changed, ends (its last link), dead (a link of it was
-- refused), deaf (since then nobody heard its offers) (ms).
--
-- @module depot.jobs

local dialects = require "depot.dialects"

local M = {}

--- Milliseconds of silence after a report before an offer; also how long after a success a second report may come.
M.SETTLE = 2000
local BURST = 5000
-- A firmware that was downloaded whole this often, and does not run, does not work.
local TRIES = 3
-- Links that are renewed for a device whose link has ended.
local RENEWALS = 3
-- Milliseconds after the refusal of a link for which a device may fail over it still.
local DEAD = 300000
local AGAIN = 60000 -- until it is offered again, unless it says something
-- Offers of one release to one device that never comes up with it.
local OFFERS = 10

local ACTIVE = { pending = true, upgrading = true }

--- Whether a row has a job that is neither won nor lost.
function M.is_open(row)
  return ACTIVE[row.state] == true
end

--- Whether a row has a job that failed, or that succeeded and was lost again.
function M.is_lost(row)
  return row.state == "failed" or row.state == "reverted"
end

local function set(row, state, now)
  row.state, row.changed = state, now
end

local function fail(row, code, text, now)
  set(row, "failed", now)
  row.code, row.text, row.due, row.renewing = code, text, nil, nil
end

local function succeed(row, now)
  set(row, "succeeded", now)
  row.step, row.code, row.text, row.due, row.renewing, row.finished = 100, nil, nil, nil, nil, nil
end

--- Give a device a job, in place of the one it has.
-- @tparam table row
-- @tparam table job package, target, kind
-- @tparam integer now ms
function M.begin(row, job, now)
  row.package, row.target, row.kind = job.package, job.target, job.kind
  row.step, row.code, row.text = nil, nil, nil
  row.finished, row.tries, row.renewing, row.renewals = nil, 0, nil, 0
  row.offers = 0
  row.due = now
  set(row, "pending", now)
end

--- Try again what failed.
-- @treturn boolean false when the job did not fail
function M.retry(row, now)
  if not M.is_lost(row) or not row.package then return false end
  M.begin(row, row, now)
  return true
end

--- No more offers. What a device has begun cannot be called back; should it come up with the target, it has succeeded.
-- @treturn boolean false when there is no open job
function M.cancel(row, now)
  if not M.is_open(row) then return false end
  set(row, "cancelled", now)
  row.due, row.renewing = nil, nil
  return true
end

--- A device with an open job runs something newer than that would give it.
function M.supersede(row, now)
  set(row, "superseded", now)
  row.text, row.due, row.renewing = ("reports %s, which is newer"):format(row.release), nil, nil
end

--- The package of an open job is no longer there. It may be given again when it is back.
function M.withdraw(row, now)
  set(row, "cancelled", now)
  row.text, row.package, row.due, row.renewing = "the package was withdrawn", nil, nil, nil
end

--- A device that had succeeded runs what it ran before.
function M.revert(row, now)
  set(row, "reverted", now)
  row.text, row.due = ("fell back to %s after its success"):format(row.release), nil
end

--- A device that began an upgrade was not heard of for a long time.
function M.give_up(row, generic, now)
  fail(row, generic, "not heard of for a day", now)
end

local heard = {}

function heard.version(row, event, now, settle)
  if row.target and event.release == row.target then
    row.release, row.other = event.release, nil
    if row.state == "succeeded" then
      -- There may be something newer by now; not within the burst of its success, where a second name may follow.
      if now - row.changed >= BURST then row.due = now + settle end
      return nil
    end
    succeed(row, now)
    return "succeeded"
  elseif row.state == "succeeded" and now - row.changed < BURST then
    row.other = event.release
    return nil
  end
  row.other = row.due and row.due > now and row.release ~= event.release and row.release or nil
  row.release = event.release
  if M.is_open(row) and row.finished then
    row.finished, row.tries = nil, row.tries + 1
  end
  row.due = now + settle
end

-- Whether a message is about the job that is open.
local function concerns(row, event)
  return M.is_open(row) and (event.target == nil or event.target == row.target)
end

local function advance(row, now)
  local first = row.state == "pending"
  if first then set(row, "upgrading", now) end
  row.code, row.text, row.renewing = nil, nil, nil
  if row.deaf then -- it heard of it in spite of that
    row.deaf, row.offers = nil, (row.offers or 0) + 1
  end
  return first and "upgrading" or nil
end

function heard.progress(row, event, now)
  if not concerns(row, event) then return "ignored" end
  local what = advance(row, now)
  row.step = event.percent
  row.finished = event.percent == 100 or row.finished
  return what
end

function heard.finished(row, event, now)
  if not concerns(row, event) then return "ignored" end
  local what = advance(row, now)
  row.step, row.finished = 100, true
  return what
end

-- Another link: false when there were enough.
local function renew(row, now)
  if row.renewals >= RENEWALS then return false end
  advance(row, now)
  row.renewing, row.renewals = true, row.renewals + 1
  row.offers = math.max(0, (row.offers or 0) - 1) -- our link was dead: that offer does not count
  return true
end

--- The depot has refused a link of a device because its time was over. Some clients come by it again for ever.
-- @tparam table row changed in place
-- @tparam integer now ms
-- @tparam integer settle ms until another is offered
-- @treturn string|nil "expired": it will be; nil: nothing has changed
function M.link_died(row, now, settle)
  if not M.is_open(row) or row.renewing or row.dead and now - row.dead < DEAD and now >= row.dead then return nil end
  if not renew(row, now) then return nil end
  row.dead, row.due, row.text = now, now + (dialects.link(row.cloud).reports and AGAIN or settle), "its link had ended"
  return "expired"
end

function heard.fail(row, event, now, settle)
  if not concerns(row, event) then return "ignored" end
  local link = dialects.link(row.cloud)
  local of_link = event.number == link.failed
  if row.renewing then
    if of_link then row.code, row.text = event.number, event.text end
    return "ignored"
  elseif of_link and row.dead and now - row.dead < DEAD then
    row.dead = nil -- that is known, and another is on its way
    row.due = row.due or now + AGAIN
    return "ignored"
  end
  if of_link and (link.reports or row.ends and now > row.ends) and renew(row, now) then
    -- Tencent's goes on to say -5 and then reports its version anew, to get another; Aliyun's says no more.
    if not link.reports then row.due = now + settle end
    row.code, row.text = event.number, event.text
    return "expired"
  end
  fail(row, event.number, event.text, now)
  return "failed"
end

function heard.ask(row, event, now)
  if event.release and event.release == row.target then return heard.version(row, event, now, M.SETTLE) end
  if event.release then row.release = event.release end
end

-- Whether a message is about a module of the device beside its firmware. Packages are for the firmware, which is
-- reported without a module; a device that names one in its first report, and never reports without, means that.
local function is_aside(row, event)
  if event.module == row.module then return false end
  if event.kind ~= "version" or event.module and row.release then return true end
  row.module, row.release, row.other = event.module, nil, nil
  return false
end

--- A device said something.
-- @tparam table row changed in place
-- @tparam table event of depot.dialects
-- @tparam integer now ms
-- @tparam[opt] integer settle ms of silence before a report is answered with an offer; SETTLE when absent
-- @treturn string|nil "upgrading", "succeeded", "failed", "expired": the job went over to that; "ignored": it is not
--   about an open job; "aside": it is about a module that is not updated here; nil: nothing to tell
function M.hear(row, event, now, settle)
  row.heard = now
  if is_aside(row, event) then return "aside" end
  return heard[event.kind](row, event, now, settle or M.SETTLE)
end

--- Whether a job would change anything for this device.
function M.has(row, target)
  return row.release == target or row.other == target
end

--- The time has come to look at a row, or its device asks.
-- @tparam table row changed in place; without a due time after this, unless the caller sets one
-- @tparam table|nil job what the device would get if it had no open job: package, target, kind
-- @tparam integer generic the vendor's number of a failure without a reason
-- @tparam integer now ms
-- @treturn string|nil "offer": its package; "failed", "succeeded": the job went over to that; nil: nothing to do
function M.consider(row, job, generic, now)
  row.due = nil
  if not M.is_open(row) then
    if not job or job.package == row.package or M.has(row, job.target) then return nil end
    M.begin(row, job, now)
    row.due = nil
  end
  if M.has(row, row.target) then
    succeed(row, now)
    return "succeeded"
  elseif row.tries >= TRIES then
    fail(row, generic, ("downloaded %d times, still reports %s"):format(row.tries, row.release), now)
    return "failed"
  elseif (row.offers or 0) >= OFFERS then
    fail(row, generic, ("offered %d times, still reports %s"):format(row.offers, row.release or "nothing"), now)
    return "failed"
  end
  row.renewing = nil
  return "offer"
end

return M
