--- What the fleet does from time to time: give up silent devices, remove old records, count anew, and write down what
-- devices run on a day.
--
-- Methods of depot.fleet.
--
-- @module depot.upkeep

local dialects = require "depot.dialects"
local jobs = require "depot.jobs"

local M = {}

-- Milliseconds.
local PRUNE = 10000      -- between two slices of old records
local RECOUNT = 86400000 -- between two counts of the jobs of rollouts
local DAY = 86400000
local COUNT = 3600000    -- between two counts of what devices run on the day
local LONG = 30 * DAY    -- without any event: the clock may be wrong

-- Whether the clock may have been wrong for a day at most: it was set forward, or nothing happened for very long.
function M:_is_clock_new(now, base)
  local before = self.prune_base
  self.prune_base = base or 0
  if before then return self.prune_base - before > DAY end
  local newest, message, code = self.store:newest_event()
  if newest == nil then return nil, message, code end
  return newest ~= false and now - newest > LONG
end

-- Remove what is old, a slice at a time. A wrong clock, until it is put right, would make all of it old.
function M:_prune(now, base)
  if now < self.next_prune then return true end
  self.next_prune = now + PRUNE
  local new, message, code = self:_is_clock_new(now, base)
  if new == nil then return nil, message, code end
  if new then
    self.next_prune = now + DAY
    return true
  end
  local old
  old, message, code = self.store:has_old(now)
  if not old then return old ~= nil, message, code end
  local ok
  ok, message, code = self.store:change()
  if ok then ok, message, code = self.store:prune(now) end
  return ok ~= nil, message, code
end

-- Counts that were wrong are a fault of ours: it is told.
function M:_note_fault(now, rollout, of)
  local text = ("the counts of %s were wrong, and are counted anew"):format(of)
  local ok, message, code = self.store:note_event { at = now, what = "fault", rollout = rollout, text = text }
  if ok then self.commits:tell { kind = "store", text = text } end
  return ok, message, code
end

-- Once a day, count devices and the jobs of rollouts anew, and mend what was wrong.
function M:_recount(now)
  self.next_recount = self.next_recount or now + RECOUNT
  if now < self.next_recount then return true end
  self.next_recount = now + RECOUNT
  local ok, message, code = self.store:change()
  local wrong, were_wrong
  if ok then wrong, message, code = self.store:recount() end
  if wrong then were_wrong, message, code = self.store:recount_standings() end
  if were_wrong == nil then return nil, message, code end
  for _, id in ipairs(wrong) do
    ok, message, code = self:_note_fault(now, id, ("rollout %d"):format(id))
    if not ok then return nil, message, code end
  end
  if not were_wrong then return true end
  return self:_note_fault(now, nil, "devices")
end

-- What devices run is written as the counts of the day, once an hour: the last of them stay.
function M:_note_day(now)
  -- A day that lies further ahead was set by a clock that was wrong.
  if now < self.next_day and self.next_day <= now + COUNT then return true end
  self.next_day = now + COUNT
  local ok, message, code = self.store:change()
  if ok then ok, message, code = self.store:note_day(now) end
  return ok ~= nil, message, code
end

function M:_sweep(now, base)
  return self.silence:sweep(now, base, function(row)
    local ok, message, code = self.store:change()
    if not ok then return nil, message, code end
    jobs.give_up(row, dialects.generic(row.cloud), now)
    self.offers:went(row, "failed", now)
    return self.store:put(row)
  end)
end

return M
