--- What a person does to a rollout: start it, pause it, and so on, within a transaction of the store.
--
-- `parts` are store, by_digest ({[digest] = entry of the catalog}) and now (ms).
-- The caller commits; if a function fails, he abandons.
--
-- @module depot.rollout.acts

local jobs = require "depot.jobs"
local life = require "depot.rollout.life"

local M = {}

--- Why the release of a rollout must not be offered.
-- @treturn string|false|nil false: it may; nil, message, code
function M.obstacle(parts, rollout)
  local entry = parts.by_digest[rollout.package]
  if not entry then return "its package is not in the folder" end
  if entry.withdrawn then return "it is withdrawn" end
  if entry.disabled then return "it is switched off" end
  local proof, message, code = parts.store:is_verified(rollout.package)
  if proof == nil then return nil, message, code end
  return not proof and "no device has verified it"
end

--- The open rollouts that a newer one overtakes: of the same devices, with a lower sequence.
-- @tparam table rollout
-- @tparam {table,...} open
-- @tparam table by_digest
-- @treturn {table,...}
function M.overtaken(rollout, open, by_digest)
  local entry, list = by_digest[rollout.package], {}
  for _, other in ipairs(rollout.plan.members ~= "fixed" and open or {}) do
    local old = by_digest[other.package]
    if entry and other.id ~= rollout.id and other.kind ~= "auto" and other.hash == rollout.hash
        and (not old or old.manifest.sequence < entry.manifest.sequence)
        and (not rollout.cloud or rollout.cloud == other.cloud)
        and (not rollout.product or rollout.product == other.product)
        and (not rollout.source or rollout.source == other.source)
        and (not rollout.filter or rollout.filter == other.filter) then
      list[#list + 1] = other
    end
  end
  return list
end

--- The devices that the open waves of a rollout are for become due, unless they have a job; grants decide.
function M.make_due(parts, rollout)
  if not life.is_offering(rollout) then return true end
  for _, entry in pairs(parts.by_digest) do
    if entry.manifest.digest == rollout.package
        or rollout.kind == "auto" and entry.manifest.product_key == rollout.hash then
      local ok, message, code = parts.store:make_due(entry, parts.now)
      if not ok then return nil, message, code end
    end
  end
  return true
end

local function cancel_jobs(parts, rollout)
  return parts.store:cancel_jobs(rollout, parts.now)
end

-- What else has to happen in the transaction of an act.
local AFTER = { start = M.make_due, advance = M.make_due, resume = M.make_due, cancel = cancel_jobs,
  withdrawn = cancel_jobs,
  -- Devices that have begun go on.
  overtaken = function(parts, rollout) return parts.store:supersede_jobs(rollout, parts.now) end }

--- Apply an event to a rollout of the store, and write it.
-- @tparam table parts
-- @tparam table rollout of the store, changed in place
-- @tparam string event of depot.rollout.life
-- @tparam[opt] table facts
-- @treturn table|nil rollout; nil, message, code
function M.apply(parts, rollout, event, facts)
  local ok, message, code = life.apply(rollout, event, parts.now, facts)
  if not ok then return nil, ("rollout %d: %s"):format(rollout.id, message), code end
  if life.has_ended(rollout) then rollout.ended = parts.now end
  ok, message, code = parts.store:save_rollout(rollout)
  if ok then ok, message, code = parts.store:note_rollout(rollout, parts.now) end
  if ok and AFTER[event] then ok, message, code = AFTER[event](parts, rollout) end
  if not ok then return nil, message, code end
  return rollout
end

--- End the rollouts that one overtakes which has begun.
-- @treturn true|nil nil, message, code
function M.overtake(parts, rollout)
  local open, message, code = parts.store:rollouts()
  if not open then return nil, message, code end
  for _, other in ipairs(M.overtaken(rollout, open, parts.by_digest)) do
    local done
    done, message, code = M.apply(parts, other, "overtaken")
    if not done then return nil, message, code end
  end
  return true
end

--- Start a rollout, and end those that it overtakes; one that begins at a time does so then.
-- @tparam integer|nil at ms; nil: now
-- @treturn table|nil rollout; nil, message, code
function M.start(parts, rollout, at)
  local obstacle, message, code = M.obstacle(parts, rollout)
  if obstacle == nil then return nil, message, code end
  local done
  done, message, code = M.apply(parts, rollout, "start", { at = at, obstacle = obstacle or nil })
  if done and life.is_offering(rollout) then done, message, code = M.overtake(parts, rollout) end
  return done and rollout, message, code
end

--- The store was restored or copied: no rollout of it goes on by itself.
-- @treturn integer|nil how many are paused; nil, message, code
function M.restored(parts)
  local open, message, code = parts.store:rollouts()
  if not open then return nil, message, code end
  for _, rollout in ipairs(open) do
    local done
    done, message, code = M.apply(parts, rollout, "restored")
    if not done then return nil, message, code end
  end
  return #open
end

--- Let the devices try again whose job of the rollout failed.
-- @treturn integer|nil how many; nil, message, code
function M.retry(parts, rollout)
  if life.has_ended(rollout) then return nil, ("rollout %d has ended"):format(rollout.id), "refused" end
  local rows, message, code = parts.store:lost_jobs(rollout)
  if not rows then return nil, message, code end
  for _, row in ipairs(rows) do
    jobs.retry(row, parts.now)
    local ok
    ok, message, code = parts.store:put(row)
    if not ok then return nil, message, code end
  end
  return #rows
end

return M
