--- Falls back from a delta to the full package, if the delta does not fit or
-- policy prefers the full one.
--
-- A delta fits exactly one old core. If only the gate `source` is closed, or if
-- reading the old core shows that it is another one, the cloud is asked for the
-- full package. `where.full()` returns its place; it is nil or absent if the
-- cloud has no such question. The offer of that package has `fallback` set, so
-- that policy can refuse it on a metered link (limits.data_cap). The larger
-- package is never fetched without policy's consent.
--
-- @module update.engine.full_package

local places = require "update.engine.place"

local M = {}

-- There is no full package: the result for the delta stands.
local ABSENT = { nothing = true, missing = true }

--- Whether a part of an offer is a delta.
-- @tparam table offer of update.engine.offer
function M.is_delta(offer)
  for _, part in ipairs(offer.manifest.parts or {}) do
    if part.delta then return true end
  end
  return false
end

--- Whether the device asked for a delta and was offered a full core instead.
-- @tparam table where
-- @tparam table manifest verified
-- @tparam {string,...} parts names of those that the device installs
function M.instead(where, manifest, parts)
  if not where.hoped then return false end
  local taken = false
  for _, name in ipairs(parts) do taken = taken or name == "core" end
  for _, part in ipairs(manifest.parts or {}) do
    if part.kind == "core" and part.delta then return false end
  end
  return taken and manifest.core_name ~= nil
end

--- Whether policy prefers the full package although the delta fits.
-- @tparam table where
-- @tparam table verdict of update.engine.verdict
function M.preferred(where, verdict)
  return where.full ~= nil and not verdict.code and verdict.decision.prefer == "full" and M.is_delta(verdict.offer)
end

-- Whether only the base of the delta is in the way.
local function misfit(code, verdict)
  if code ~= "incompatible" then return false end
  local closed, source = 0, false
  for _, line in ipairs(verdict.tree) do
    if line.gate and line.result == "stop" then
      closed, source = closed + 1, source or line.gate == "source"
    end
  end
  return closed == 0 or closed == 1 and source
end

local function place_of_full(where, fallback)
  local full = where.full()
  if not full then return nil end
  local place = places.new(full, { tries = where.tries, head_tries = where.head_tries, permit = where.permit,
    patience = where.patience, fallback = fallback })
  -- A place without a fresh link gets none here either.
  return where.renew and place or places.without(place, "renew")
end

--- Make an attempt, and if necessary another one with the full package.
-- @tparam table engine update.engine: log, note
-- @tparam table where update.engine.place
-- @tparam function attempt(place, as_offered) -> result | nil, message, code, verdict, more. If the result is a
--   verdict, its code counts. as_offered: ignore that policy prefers the full package
-- @return what the attempt that counts returned
function M.run(engine, where, attempt)
  local first = table.pack(attempt(where, false))
  local _, message, code, verdict = table.unpack(first, 1, 4)
  if not verdict or not where.full or not M.is_delta(verdict.offer) then return table.unpack(first, 1, first.n) end
  local preferred = M.preferred(where, verdict)
  if not preferred and not misfit(code or verdict.code, verdict) then return table.unpack(first, 1, first.n) end
  local full = place_of_full(where, not preferred)
  if full then
    engine.note(preferred and ("%s: policy prefers the full package; asking for it"):format(verdict.offer.release)
      or ("%s: %s; asking for the full package"):format(verdict.offer.release, message or verdict.message))
    local other = table.pack(attempt(full, true))
    if other[1] or not ABSENT[other[3]] then return table.unpack(other, 1, other.n) end
    engine.log(("%s: no full package available: %s (%s)"):format(verdict.offer.release, other[2], other[3]))
  end
  if preferred then return attempt(where, true) end -- a preference is no refusal
  return table.unpack(first, 1, first.n)
end

return M
