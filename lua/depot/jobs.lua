--- The states of a device's job: pending, upgrading, succeeded, failed, reverted,
-- superseded or cancelled.
--
-- Pure: takes a device's row, what happened and the time, changes the row in
-- place and says what to do. The rules are the vendors'. A job is upgrading from
-- the first progress on. It has succeeded when the device reports the target
-- version, whatever was reported before. A device that reports another version
-- while its job is open is offered the package again. A failed job stays so
-- until somebody retries. A device that falls back after its success is
-- "reverted", which is also a failure.
--
-- Vendors' clients report a second version, the firmware's own, within the same
-- second, before or after the application's. So a report is answered with an
-- offer only after a moment of silence, and a report right after a success
-- changes nothing.
--
-- A row: cloud, product, device; release (reported last), other (the second of
-- two reports), module; package (digest of its manifest), target (its release),
-- kind ("verify", "batch", "auto"), state (nil: no job), step (percent), code
-- (vendor's number), text; finished (downloaded completely), tries, renewing (a
-- new link is on its way), renewals, offers; and times in ms: due (when to handle
-- the row), heard, changed, ends (of its last link), dead (when an expired link of
-- it was refused), deaf (since when nobody has subscribed to its offers).
--
-- @module depot.jobs

local dialects = require "depot.dialects"

local M = {}

--- Milliseconds of silence after a report before an offer.
M.SETTLE = 2000
-- Milliseconds after a success in which a second report is ignored.
local BURST = 5000
-- Complete downloads of a package that does not run, after which the job has failed.
local TRIES = 3
-- New links for a device whose link has expired.
local RENEWALS = 3
-- Milliseconds after an expired link was refused in which a failure of the device is put down to that link.
local DEAD = 300000
local AGAIN = 60000 -- ms until a silent device is offered its package again
-- Offers of one release to one device that never reports it.
local OFFERS = 10

local ACTIVE = { pending = true, upgrading = true }

--- Whether a row has a job that is not decided yet.
function M.is_open(row)
  return ACTIVE[row.state] == true
end

--- Whether a row has a job that failed, or that was reverted after its success.
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

--- Give a device a job, replacing the one that it has.
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

--- Try a failed job again.
-- @treturn boolean false when the job did not fail
function M.retry(row, now)
  if not M.is_lost(row) or not row.package then return false end
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
  fail(row, generic, "not heard of for a day", now)
end

local heard = {}

function heard.version(row, event, now, settle)
  if row.target and event.release == row.target then
    row.release, row.other = event.release, nil
    if row.state == "succeeded" then
      -- There may be something newer by now. Right after the success, though, this may be its second report.
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

-- Whether a message is about the open job.
local function concerns(row, event)
  return M.is_open(row) and (event.target == nil or event.target == row.target)
end

local function advance(row, now)
  local first = row.state == "pending"
  if first then set(row, "upgrading", now) end
  row.code, row.text, row.renewing = nil, nil, nil
  if row.deaf then -- it received the offer after all
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

-- Give the device another link: false if it has had enough.
local function renew(row, now)
  if row.renewals >= RENEWALS then return false end
  advance(row, now)
  row.renewing, row.renewals = true, row.renewals + 1
  row.offers = math.max(0, (row.offers or 0) - 1) -- the link had expired, so that offer does not count
  return true
end

--- The depot has refused an expired link of a device. Some clients would use it again for ever.
-- @tparam table row changed in place
-- @tparam integer now ms
-- @tparam integer settle ms until another is offered
-- @treturn string|nil "expired": another link will be offered; nil: nothing has changed
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
    row.dead = nil -- this failure is known, and another link is on its way
    row.due = row.due or now + AGAIN
    return "ignored"
  end
  if of_link and (link.reports or row.ends and now > row.ends) and renew(row, now) then
    -- Tencent's client then reports -5 and its version, to get another link. Aliyun's says nothing more.
    if not link.reports then row.due = now + settle end
    row.code, row.text = event.number, event.text
    return "expired"
  end
  fail(row, event.number, event.text, now)
  return "failed"
end

-- It may only put it off, unless it had all of it before and did not keep it.
function heard.refused(row, event, now)
  if not concerns(row, event) or (row.tries or 0) == 0 then return "ignored" end
  fail(row, event.number, ("reports %s after the upgrade, and refuses it now"):format(row.release), now)
  return "failed"
end

function heard.ask(row, event, now)
  if event.release and event.release == row.target then return heard.version(row, event, now, M.SETTLE) end
  if event.release then row.release = event.release end
end

-- Whether a message is about a module besides the firmware. Packages are for the firmware, which is reported without a
-- module. If a device names a module in its first report, and never reports without one, that module is its firmware.
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
-- @tparam[opt] integer settle ms of silence before a report is answered with an offer; default SETTLE
-- @treturn string|nil "upgrading", "succeeded", "failed", "expired": the new state of the job; "ignored": it is not
--   about an open job; "aside": it is about a module that is not updated here; nil: nothing to report
function M.hear(row, event, now, settle)
  row.heard = now
  if is_aside(row, event) then return "aside" end
  return heard[event.kind](row, event, now, settle or M.SETTLE)
end

--- Whether a job would change anything for this device.
function M.has(row, target)
  return row.release == target or row.other == target
end

--- A row is due, or its device asks.
-- @tparam table row changed in place; afterwards it has no due time, unless the caller sets one
-- @tparam table|nil job what the device would get if it had no open job: package, target, kind
-- @tparam integer generic the vendor's number of a failure without a reason
-- @tparam integer now ms
-- @treturn string|nil "offer": offer its package; "failed", "succeeded": the new state of the job; nil: nothing to do
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
