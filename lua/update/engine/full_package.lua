--- From a delta to the full package: when it does not fit, or policy prefers
-- the other.
--
-- A delta fits exactly one old core. When the gate `source` is the only one
-- that closes, or reading the old core finds that it is another, the cloud is
-- asked again for the full package: `where.full()` gives the place, nil or
-- absent when the cloud has no such question. The offer of that package says
-- `fallback`, so that policy can refuse to let it through on a metered link
-- (limits.data_cap); nothing larger is fetched without policy's yes.
--
-- @module update.engine.full_package

local places = require "update.engine.place"

local M = {}

-- The full package is not to be had: what was said of the delta stands.
local ABSENT = { nothing = true, missing = true }

--- Whether a part of an offer is a delta.
-- @tparam table offer of update.engine.offer
function M.is_delta(offer)
  for _, part in ipairs(offer.manifest.parts or {}) do
    if part.delta then return true end
  end
  return false
end

--- Whether a delta was asked for, and a full core came that the device takes.
-- @tparam table where
-- @tparam table manifest verified
-- @tparam {string,...} parts names of those that the device takes
function M.instead(where, manifest, parts)
  if not where.hoped then return false end
  local taken = false
  for _, name in ipairs(parts) do taken = taken or name == "core" end
  for _, part in ipairs(manifest.parts or {}) do
    if part.kind == "core" and part.delta then return false end
  end
  return taken and manifest.core_name ~= nil
end

--- Whether the full package is to be asked for although the delta would do.
-- @tparam table where
-- @tparam table verdict of update.engine.verdict
function M.preferred(where, verdict)
  return where.full ~= nil and not verdict.code and verdict.decision.prefer == "full" and M.is_delta(verdict.offer)
end

-- Whether nothing but the source of a delta is in the way.
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
  -- Who asks without retries does so here, too.
  return where.renew and place or places.without(place, "renew")
end

--- Make an attempt, and if need be another one at the full package.
-- @tparam table engine update.engine: log, note
-- @tparam table where update.engine.place
-- @tparam function attempt(place, as_offered) -> result | nil, message, code, verdict, more. With a verdict as its
--   result, that one's code counts. As offered: policy's preference for the full package is passed over
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
