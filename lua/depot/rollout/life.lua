--- The states of a rollout: draft, scheduled, running, soaking, waiting, paused, finished, cancelled.
--
-- Pure: an event and a rollout in, the rollout changed in place or a reason why
-- not. Offers are made while it is running, soaking or waiting, to the waves
-- that are open. A wave soaks once enough of its devices have a verdict. One that has
-- no devices is open for as long as it would soak, then the next one opens. When
-- too many have failed, the rollout pauses until a person resumes it.
--
-- A rollout: state; before (the state that a pause interrupted), reason (why it
-- paused or ended); plan (depot.rollout.plan); wave (the last open one, 0: none);
-- verdicts, failed (since limits_from); judged (of the automatic mode: an array of
-- {release, verdicts, failed, reached (its limit paused it)}, those judged last at
-- the end); and times in ms: wave_at (when the wave
-- opened), soak_at, starts_at (for scheduled), limits_from.
--
-- @module depot.rollout.life

local M = {}

local EMPTY = 60000 -- ms for which an empty wave is open at least: its devices may be about to get their jobs

local JUDGED = 16 -- releases of the automatic mode whose verdicts are kept

local ENDED = { finished = true, cancelled = true }
local OFFERING = { running = true, soaking = true, waiting = true }

--- Whether a rollout is over.
function M.has_ended(rollout) return ENDED[rollout.state] == true end

--- Whether devices of the open waves are offered its release.
function M.is_offering(rollout) return OFFERING[rollout.state] == true end

--- Whether jobs that it has given may be offered: also those left when it has finished, and what a person tries again.
function M.keeps_jobs(rollout)
  return M.is_offering(rollout) or rollout.state == "finished" and rollout.reason ~= "superseded"
end

local function refuse(reason) return nil, reason, "refused" end

local function open_wave(rollout, now)
  rollout.wave, rollout.wave_at, rollout.soak_at = rollout.wave + 1, now, nil
  return "running"
end

local function begin(rollout, now, facts)
  if facts.obstacle then return refuse(facts.obstacle) end
  rollout.limits_from, rollout.verdicts, rollout.failed, rollout.starts_at = now, 0, 0, nil
  return open_wave(rollout, now)
end

-- Its time has come, but the release must not be rolled out any more: a person decides.
local function due(rollout, now, facts)
  if not facts.obstacle then return begin(rollout, now, facts) end
  rollout.before, rollout.reason = "scheduled", facts.obstacle
  return "paused"
end

local function start(rollout, now, facts)
  if facts.obstacle then return refuse(facts.obstacle) end
  if not facts.at or facts.at <= now then return begin(rollout, now, facts) end
  rollout.starts_at = facts.at
  return "scheduled"
end

local function wave_done(rollout, now)
  if rollout.wave < #rollout.plan.waves then
    rollout.soak_at = now
    return "soaking"
  end
  return rollout.plan.members == "fixed" and "finished" or nil
end

local function soaked(rollout, now)
  if rollout.plan.advance == "hand" then return "waiting" end
  return open_wave(rollout, now)
end

-- Nobody is in the wave, so nothing of it is to be watched.
local function empty(rollout, now)
  if rollout.wave < #rollout.plan.waves then return soaked(rollout, now) end
  return rollout.plan.members == "fixed" and "finished" or nil
end

local function pause(reason)
  return function(rollout)
    rollout.before, rollout.reason = rollout.state, reason
    return "paused"
  end
end

local function resume(rollout, now)
  local state = rollout.before
  rollout.before, rollout.reason = nil, nil
  rollout.limits_from, rollout.verdicts, rollout.failed, rollout.judged = now, 0, 0, nil
  if state == "soaking" then rollout.soak_at = now end
  return state
end

local function over(state, reason)
  return function(rollout)
    rollout.before, rollout.reason = nil, reason
    return state
  end
end

local function same() return nil end

local cancel, withdrawn = over("cancelled", "person"), over("cancelled", "withdrawn")
local overtaken, restored = over("finished", "superseded"), pause "restored"
local by_person, limit = pause "person", pause "limit"

-- A copied store must not go on by itself, so what was paused before is paused again with that reason.
local function restore_paused(rollout)
  rollout.reason = "restored"
  return "paused"
end

-- state -> event -> function(rollout, now, facts) -> next state, or nil: stays; nil, message, code: refused
local ROWS = {
  draft = { start = start, cancel = cancel, withdrawn = withdrawn, overtaken = overtaken, restored = restored,
    change = same },
  scheduled = { due = due, pause = by_person, cancel = cancel, withdrawn = withdrawn, overtaken = overtaken,
    restored = restored, change = same },
  running = { wave_done = wave_done, empty = empty, limit = limit, pause = by_person, cancel = cancel,
    withdrawn = withdrawn, overtaken = overtaken, restored = restored, change = same },
  soaking = { soaked = soaked, limit = limit, pause = by_person, cancel = cancel, withdrawn = withdrawn,
    overtaken = overtaken, restored = restored, change = same },
  waiting = { advance = open_wave, limit = limit, pause = by_person, cancel = cancel, withdrawn = withdrawn,
    overtaken = overtaken, restored = restored, change = same },
  paused = { resume = resume, cancel = cancel, withdrawn = withdrawn, overtaken = overtaken,
    restored = restore_paused, change = same },
  finished = {},
  cancelled = {},
}

local ACTS = { start = "started", advance = "advanced", pause = "paused", resume = "resumed", cancel = "cancelled",
  change = "changed" }

--- Something happened to a rollout.
-- @tparam table rollout changed in place
-- @tparam string event start, due, wave_done, empty, soaked, advance, limit, pause, restored, resume, change, cancel,
--   withdrawn or overtaken
-- @tparam integer now ms
-- @tparam[opt] table facts at (ms; with start: not before then), obstacle (with start and due: why the release must not
--   be rolled out)
-- @treturn string|nil the new state, which may be the old one; nil, message, "refused"
function M.apply(rollout, event, now, facts)
  local row = ROWS[rollout.state][event]
  if not row then
    return refuse(("a rollout that is %s cannot be %s"):format(rollout.state, ACTS[event] or event))
  end
  local state, message, code = row(rollout, now, facts or {})
  if message then return nil, message, code end
  rollout.state = state or rollout.state
  return rollout.state
end

local function is_reached(limits, counts)
  if limits.count and counts.failed >= limits.count then return true end
  return limits.percent ~= nil and counts.verdicts >= limits.sample
    and counts.failed * 100 >= limits.percent * counts.verdicts
end

-- The counts of one release, which are those judged last from now on.
local function counts_of(rollout, release)
  local judged = rollout.judged or {}
  rollout.judged = judged
  for i, counts in ipairs(judged) do
    if counts.release == release then
      table.insert(judged, (table.remove(judged, i)))
      return counts
    end
  end
  if #judged == JUDGED then table.remove(judged, 1) end
  judged[#judged + 1] = { release = release, verdicts = 0, failed = 0 }
  return judged[#judged]
end

local function count(counts, verdict)
  if verdict ~= "reverted" then counts.verdicts = counts.verdicts + 1 end
  if verdict ~= "succeeded" then counts.failed = counts.failed + 1 end
  counts.verdicts = math.max(counts.verdicts, counts.failed)
end

--- A job of the rollout has a verdict. The automatic mode gives one release after the other, and each is judged by
-- itself. A device that falls back had one, so only its failure is new. A late success had
-- one before, or is none of the rollout's.
-- @tparam table rollout changed in place
-- @tparam string verdict succeeded, failed or reverted
-- @tparam integer now ms
-- @tparam[opt] string reason of depot.jobs
-- @tparam[opt] string release of the job
-- @treturn boolean whether that has paused the rollout
function M.judge(rollout, verdict, now, reason, release)
  if reason == "late" or reason == "silent" and not rollout.plan.count_silent then return false end
  count(rollout, verdict)
  local counts, limits = rollout, rollout.plan.limit
  if rollout.kind == "auto" and next(limits) then
    counts = counts_of(rollout, release)
    count(counts, verdict)
  end
  if not M.is_offering(rollout) or not is_reached(limits, counts) then return false end
  counts.reached = rollout.kind == "auto" or nil
  return M.apply(rollout, "limit", now) == "paused"
end

--- Whether a wave has been open for as long as it would soak, so that an empty one need not be waited for any more.
function M.has_waited(rollout, now)
  return now - (rollout.wave_at or 0) >= math.max(rollout.plan.soak * 1000, EMPTY)
end

--- What is due by the clock and by the verdicts of the last open wave.
-- @tparam table rollout
-- @tparam integer now ms
-- @tparam table heard devices of the wave that were heard since it opened: count, verdicts, succeeded; is_empty (nobody
--   is in the wave, heard or not)
-- @treturn string|nil event for apply(); nil: nothing
function M.due(rollout, now, heard)
  local plan = rollout.plan
  if rollout.state == "scheduled" then return now >= rollout.starts_at and "due" or nil end
  if rollout.state == "soaking" then return now - rollout.soak_at >= plan.soak * 1000 and "soaked" or nil end
  if rollout.state ~= "running" or rollout.wave == #plan.waves and plan.members ~= "fixed" then return nil end
  if heard.is_empty then return M.has_waited(rollout, now) and "empty" or nil end
  if heard.succeeded < plan.least then return nil end
  return heard.verdicts * 100 >= plan.done * heard.count and "wave_done" or nil
end

return M
