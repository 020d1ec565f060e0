--- Where a package is, and what is known about it beforehand.
--
-- Pure. A place has these fields; reading or setting any other name raises an error:
--
-- - cloud: name, for messages and policy
-- - location: URL or path; it changes with every link that is followed
-- - http: options of update.native.source for it; headers = function(location) -> {name = value} or nil
-- - question = function(location) -> whether the response is an answer rather than a package
-- - renew = function -> a fresh location after the link has expired
-- - latest = function -> the newest location
-- - answered = function(answer, location) -> what a server's refusal means, see update.engine.retry
-- - tries, head_tries: replace the engine's; head_tries is for the head only
-- - patience: an update.engine.patience; until blocks are fetched, updates of other clouds go first
-- - permit: path of a signed permit; left_out: why the release's own policy is not asked; by_hand: a person wants it
-- - hoped: true if a delta was asked for; full = function -> fields of the place of the full package, see
--   update.engine.full_package; fallback: this is that place
-- - hotfix: {name, version} of the hotfix that the cloud announced; without it, a hotfix comes only by_hand
-- - release: the release that the cloud announced; size: the announced size in bytes, a hint
-- - source = function -> the source itself, or nil, message, code; `location` is then a name for messages
-- - pause = function: waits until the missing bytes may have come
-- - held = function -> "hold", "arm", or nil, message, code: asked when everything is read back, until it no longer
--   says "hold"; the cloud decides when to arm
-- - bare: what comes is an archive of files, or a hotfix, that nobody signed, see
--   update.engine.bare_head; trigger: who wanted it
-- - hotfix_step = function(word): of a hotfix: "fetching" when policy wants it, "fetched" when every digest is right
-- - watch = function(event), called with the events of this update
-- - copying: an update.engine.copying, for a program that wants the package itself
--
-- @module update.engine.place

local M = {}

local FIELDS = {}
for name in ([[cloud location http headers question renew latest answered tries head_tries patience permit left_out
  by_hand hoped full fallback release size watch copying source pause held bare
  hotfix hotfix_step trigger]]):gmatch "%S+" do FIELDS[name] = true end

local methods = {}

--- Change the location.
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
-- @tparam[opt] table more fields that replace those
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
