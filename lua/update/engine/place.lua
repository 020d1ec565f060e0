--- Where a package lies, and what is known of it beforehand.
--
-- Pure. A place is made from a table of these fields; a name that is none of them raises, also when it is read:
--
-- - cloud: name, for messages and policy
-- - location: URL or path; it changes with every link that is followed
-- - http: options of update.native.source for it; headers = function(location) -> {name = value} or nil
-- - question = function(location) -> whether what comes from there is no package, but an answer
-- - renew = function -> a fresh location, when the link expired
-- - latest = function -> the location as it is now
-- - answered = function(answer, location) -> what a server's refusal means, see update.engine.retry
-- - tries, head_tries: instead of the engine's, head_tries for the head alone
-- - patience: of update.engine.patience; the updates of others go first until blocks are fetched
-- - permit: path of a signed permit; left_out: why the release's own policy is not asked; by_hand: a person wants it
-- - hoped: true when a delta was asked for; full = function -> fields of the place of the full package, see
--   update.engine.full_package; fallback: this is that place
-- - release: what the package is to make of the device; size: bytes that it was announced with, a hint
-- - watch = function(event), for those of this update
-- - copying: of update.engine.copying, for who wants the package itself
--
-- @module update.engine.place

local M = {}

local FIELDS = {}
for name in ([[cloud location http headers question renew latest answered tries head_tries patience permit left_out
  by_hand hoped full fallback release size watch copying]]):gmatch "%S+" do FIELDS[name] = true end

local methods = {}

--- The package is elsewhere from now on.
-- @tparam string location
function methods:move(location)
  rawset(self, "location", location)
end

local Place = {}

function Place.__index(_, name)
  if FIELDS[name] then return nil end
  return methods[name] or error(("a place has no field %s"):format(tostring(name)), 2)
end

function Place.__newindex(_, name)
  error(("field %s of a place is not changed from outside"):format(tostring(name)), 2)
end

--- @tparam table fields see above, or a place; not changed
-- @tparam[opt] table more fields that count rather than those
-- @treturn table place
function M.new(fields, more)
  local place = {}
  for _, given in ipairs { fields, more } do
    for name, value in pairs(given) do
      if not FIELDS[name] then error(("a place has no field %s"):format(tostring(name)), 2) end
      place[name] = value
    end
  end
  return setmetatable(place, Place)
end

--- The same place without one of its fields.
-- @tparam table place
-- @tparam string name
function M.without(place, name)
  local other = M.new(place)
  rawset(other, name, nil)
  return other
end

return M
