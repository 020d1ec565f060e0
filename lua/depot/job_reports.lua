--- What the message of a device does to its job.
--
-- Pure, as depot.jobs, which has the row. The rules are the vendors'. A job is
-- upgrading from the first progress on. It has succeeded when the device reports
-- the target version, whatever was reported before. A device that reports another
-- version while its job is open is offered the package again.
--
-- Vendors' clients report a second version, the firmware's own, within the same
-- second, before or after the application's. So a report is answered with an
-- offer only after a moment of silence, and a report right after a success
-- changes nothing, unless it says what the device ran before: it has fallen back,
-- and the broker kept both reports while the depot was away.
--
-- @module depot.job_reports

local dialects = require "depot.dialects"
local jobs = require "depot.jobs"

local M = {}

--- Milliseconds of silence after a report before an offer.
M.SETTLE = 2000
-- Milliseconds after a success in which a second report is ignored.
local BURST = 5000
-- New links for a device whose link has expired.
local RENEWALS = 3
-- Milliseconds after an expired link was refused in which a failure of the device is put down to that link.
local DEAD = 300000
local AGAIN = 60000 -- ms until a silent device is offered its package again

local heard = {}

--- When a device that has just succeeded is offered what came meanwhile.
-- @treturn integer ms
function M.after_success(row) return row.changed + BURST end

-- Whether a report has come a moment ago, and its answer waits for another one.
local function awaits_second(row, now)
  return row.due ~= nil and row.due > now and not (row.state == "succeeded" and row.due == M.after_success(row))
end

function heard.version(row, event, now, settle)
  if row.target and event.release == row.target then
    row.release, row.other = event.release, nil
    if row.state == "succeeded" then
      -- There may be something newer by now. Right after the success, though, this may be its second report.
      if now - row.changed >= BURST then row.due = now + settle end
      return nil
    end
    jobs.succeed(row, now)
    return "succeeded"
  elseif row.state == "succeeded" and now - row.changed < BURST and event.release ~= row.source then
    row.other = event.release
    return nil
  end
  row.other = awaits_second(row, now) and row.release ~= event.release and row.release or nil
  row.release = event.release
  if jobs.is_open(row) then jobs.come_back(row, now) end
  row.due = now + settle
end

-- Whether a message is about the open job. Of one that waits for its rollout and was never offered a device cannot tell
-- anything: the message is about the job before.
local function concerns(row, event)
  local waits = row.ends == 0 and (row.offers or 0) == 0
  return jobs.is_open(row) and not waits and (event.target == nil or event.target == row.target)
end

local function advance(row, now)
  local first = row.state == "pending"
  if first then jobs.upgrade(row, now) end
  row.code, row.text, row.renewing = nil, nil, nil
  if row.not_listening then -- it received the offer after all
    row.not_listening, row.offers = nil, (row.offers or 0) + 1
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

-- The link of a job has ended whose rollout makes no offers now: the job waits for it, or ends with it.
local function hold(row, now, settle)
  jobs.put_off(row, now)
  row.due = now + settle
end

--- The depot has refused an expired link of a device. Some clients would use it again for ever.
-- @tparam table row changed in place
-- @tparam integer now ms
-- @tparam integer settle ms until another is offered
-- @tparam[opt] boolean held its rollout makes no offers now
-- @treturn string|nil "expired": another link will be offered; "failed": it has had enough; "ignored": the download is
--   over, but the job waits; nil: nothing has changed
function M.link_died(row, now, settle, held)
  if not jobs.is_open(row) or row.renewing or row.dead and now - row.dead < DEAD and now >= row.dead then return nil end
  if held then
    if row.state ~= "upgrading" then return nil end
    hold(row, now, settle)
    return "ignored"
  end
  local link = dialects.link(row.cloud)
  if not renew(row, now) then
    jobs.fail(row, link.failed or dialects.generic(row.cloud), ("its link ended %d times"):format(RENEWALS + 1), now,
      "expired")
    return "failed"
  end
  row.dead, row.due, row.text = now, now + (link.reports and AGAIN or settle), "its link had ended"
  return "expired"
end

function heard.fail(row, event, now, settle, held)
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
  if of_link and held then
    hold(row, now, settle)
    return "ignored"
  end
  local of_dead = of_link and (link.reports or row.ends ~= nil and now > row.ends)
  if of_dead and renew(row, now) then
    -- Tencent's client then reports -5 and its version, to get another link. Aliyun's says nothing more.
    if not link.reports then row.due = now + settle end
    row.code, row.text = event.number, event.text
    return "expired"
  end
  jobs.fail(row, event.number, event.text, now, of_dead and "expired" or nil)
  return "failed"
end

-- It may only put it off, unless it had all of it before and did not keep it.
function heard.refused(row, event, now)
  if not concerns(row, event) or (row.tries or 0) == 0 then return "ignored" end
  jobs.fail(row, event.number, ("reports %s after the upgrade, and refuses it now"):format(row.release), now)
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
-- @tparam[opt] boolean held its rollout makes no offers now, so the depot refuses its links
-- @treturn string|nil "upgrading", "succeeded", "failed", "expired": the new state of the job; "ignored": it is not
--   about an open job; "aside": it is about a module that is not updated here; nil: nothing to report
function M.hear(row, event, now, settle, held)
  row.heard = now
  if is_aside(row, event) then return "aside" end
  return heard[event.kind](row, event, now, settle or M.SETTLE, held)
end

return M
