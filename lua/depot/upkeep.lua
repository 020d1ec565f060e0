--- What the fleet does from time to time: give up silent devices, and remove old records.
--
-- Methods of depot.fleet.
--
-- @module depot.upkeep

local dialects = require "depot.dialects"
local jobs = require "depot.jobs"

local M = {}

local PRUNE = 10000 -- ms between two slices of old records

-- Remove what is old, a slice at a time.
function M:_prune(now)
  if now < self.next_prune then return true end
  self.next_prune = now + PRUNE
  local old, message, code = self.store:has_old(now)
  if not old then return old ~= nil, message, code end
  local ok
  ok, message, code = self.store:change()
  if ok then ok, message, code = self.store:prune(now) end
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
