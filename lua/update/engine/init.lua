--- One update, from where a package lies to armed.
--
-- Everything that it touches is handed in. The order of durable steps:
--
--   1. the verified head goes to the device's spool   (nothing is journaled yet)
--   2. gates, then policy; refuse or defer closes the source
--   3. device:begin: the transaction is on record
--   4. blocks, each verified before it is decoded or written
--   5. device:finish: read back, extract, gates again, arm
--
-- Every step can be repeated. Nothing but the journal and what lies on the
-- medium is remembered: after a restart the same package, from whatever URL or
-- path, goes on where verified content ends. URLs are never written to the
-- state directory, because they carry secrets; a cloud offers again, and a
-- person repeats the verb.
--
-- `where` is an update.engine.place or a table of its fields. It is not changed.
--
-- @module update.engine

local bare_head = require "update.engine.bare_head"
local full_package = require "update.engine.full_package"
local heads = require "update.engine.head"
local hotfix = require "update.engine.hotfix"
local offers = require "update.engine.offer"
local places = require "update.engine.place"
local rests = require "update.engine.rests"
local retry = require "update.engine.retry"
local steps = require "update.engine.steps"
local verdicts = require "update.engine.verdict"

local M = {}

local Engine = {}
Engine.__index = Engine

-- In these phases the supervisor owns the state.
local OWNED = { armed = "armed", trial = "on trial", confirming = "being confirmed",
  rolling_back = "being rolled back" }

--- @tparam table o natives ({package, source, transfer, url}), device, loop, keys
--   (directory), tasks (scheduler), ask (function(offer, facts, left_out) -> decision,
--   tree, name of the policy | nil, message, code), facts (function -> table
--   added to the device's), http (options of natives.source.http), log
--   (function(line) for trouble), note (for news; default: log), detail (for every reason; default: none),
--   on (function(event)), spent (function(bytes, goes_on): bytes received;
--   goes_on: more of the transfer follows), witness (function(date): the time
--   that a verified server gave), random (function -> 0 to 1), tries (attempts
--   in a row without progress, after which to give up; 30),
--   head_tries (the same for the head), unkept (update.engine.rests, for releases that the medium does not keep;
--   absent: of this engine alone), apply_hotfix (function(id of its folder, whether only a handler can take it) ->
--   state | nil, message, code: puts it in force and tests it; absent: hotfixes are refused),
--   reserve (update.agent.reserve: given up for space; or nil)
function M.new(o)
  return setmetatable({
    natives = o.natives, device = o.device, loop = o.loop, keys = o.keys, tasks = o.tasks, ask = o.ask,
    note = o.note or o.log, detail = o.detail or function() end,
    facts = o.facts or function() return {} end, http = o.http or {}, log = o.log, on = o.on or function() end,
    spent = o.spent or function() end, random = o.random or math.random, tries = o.tries or 30,
    witness = o.witness or function() end, reserve = o.reserve, apply_hotfix = o.apply_hotfix,
    tries_of_head = o.head_tries, resting = {}, unkept = o.unkept or rests.new(o.tasks.now),
  }, Engine)
end

local function head_tries(self, where)
  return where.head_tries or where.tries or self.tries_of_head or self.tries
end

-- Look at one place. Returns its verdict, also as the fourth result.
function Engine:look(where)
  local head, message, code = retry.run(self, where, head_tries(self, where), function()
    return heads.read(self, where)
  end)
  if not head then return nil, message, code end
  local verdict = verdicts.judge(self, head)
  heads.close(self, where, head)
  return verdict, nil, nil, verdict
end

--- Read a head and judge it, without touching the state.
-- @tparam table where
-- @treturn table verdict of update.engine.verdict | nil, message, code
function Engine:inspect(where)
  local verdict, message, code = full_package.run(self, places.new(where), function(place) return self:look(place) end)
  if verdict then return verdict end
  return nil, message, code
end

-- A cloud waits for the release that it announced, and would take any other for a failure.
function Engine:as_announced(where, head)
  local release, size = offers.name_of(head.manifest), head.package:layout().size
  if where.release and where.release ~= release and where.release ~= head.manifest.files_version then
    return nil, ("the package is release %s, but the cloud announced %s"):format(release, where.release),
      "incompatible"
  end
  if where.size and where.size ~= size then
    self.note(("update %s: the cloud announced %d bytes, the signed package has %d"):format(head.id, where.size, size))
  end
  return true
end

-- Whether the head shows that this is the package that is armed already.
function Engine:is_armed(where, status)
  if status.phase ~= "armed" or not status.transaction then return false end
  local head = retry.run(self, where, 1, function() return heads.read(self, where) end)
  if not head then return false end
  heads.close(self, where, head)
  return head.manifest.digest == status.transaction.digest
end

-- While the supervisor owns the state: a request for the package that is armed succeeds, others are "busy".
function Engine:not_now(where, status)
  local release = status.transaction and status.transaction.release or "a release"
  if self:is_armed(where, status) then
    return { release = release, sequence = status.transaction.sequence, already = true,
      needs_restart = self.device:needs_restart() }
  end
  return nil, ("%s is %s; wait until that is over, or drop it with `moult rollback`"):format(release,
    OWNED[status.phase]), "busy"
end

-- Install from one place, up to armed. as_offered: even if policy prefers the full package.
function Engine:attempt(where, as_offered)
  local status = self.device:status()
  if OWNED[status.phase] then return self:not_now(where, status) end
  local spool, message, code = self.device:spool()
  if not spool then return nil, message, code end
  local head, ok, retry_after
  head, message, code, retry_after = retry.run(self, where, head_tries(self, where), function()
    return heads.read(self, where, spool)
  end)
  if not head then return nil, message, code, nil, retry_after end
  ok, message, code = self:as_announced(where, head)
  if ok then ok, message, code = hotfix.admit(self, where, head) end
  if not ok then
    heads.close(self, where, head)
    return nil, message, code
  end
  local verdict = verdicts.judge(self, head)
  verdicts.log(self, head, verdict)
  verdicts.count(self, head, verdict)
  self.on { event = "offer", offer = offers.brief(head.offer), action = verdict.decision.action,
    reason = verdict.decision.reason }
  if verdict.code or not as_offered and full_package.preferred(where, verdict) then
    heads.close(self, where, head)
    bare_head.over(self, head, verdict.code)
    return nil, verdict.message, verdict.code, verdict
  end
  head.reuse = verdict.decision.reuse
  if head.manifest.hotfix then
    local state
    state, message, code, retry_after = hotfix.carry_out(self, where, head)
    heads.close(self, where, head)
    if not state then return nil, message, code, verdict, retry_after end
    return { hotfix = { name = head.manifest.hotfix.name, version = head.manifest.hotfix.version }, state = state }
  end
  ok, message, code, retry_after = steps.carry_out(self, where, head)
  heads.close(self, where, head)
  if not ok then return nil, message, code, verdict, retry_after end
  return { release = head.offer.release, sequence = head.offer.sequence, unsigned = head.offer.unsigned,
    needs_restart = self.device:needs_restart() }
end

function Engine:run(where)
  return full_package.run(self, where, function(...) return self:attempt(...) end)
end

--- Install the package at `where`, up to armed.
-- @tparam table where
-- @treturn table|nil {release, sequence, needs_restart (the device, not only
--   the script), already (true: it was armed before)} | nil, message, code, verdict (if gates or policy refused or
--   deferred), seconds after which to ask the server again (if it said so)
function Engine:install(where)
  local place = places.new(where)
  return self:alone(function()
    self.patient = place.patience and place.cloud
    return self:run(place)
  end)
end

--- While fn runs, no update begins.
-- @treturn any what fn returned | nil, message, "busy"
function Engine:alone(fn)
  if self.busy then return nil, "another update is under way; `moult status` shows it", "busy" end
  self.busy, self.cancelled, self.aside = true, nil, nil
  local results = table.pack(xpcall(fn, debug.traceback))
  self.busy, self.begun, self.patient, self.stands = nil, nil, nil, nil
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Whether an update is under way.
function Engine:is_busy()
  return self.busy == true
end

--- Whether its blocks are being fetched.
function Engine:has_begun()
  return self.begun == true
end

--- Whether an update of this cloud is under way and its place has patience.
-- @tparam string cloud name
function Engine:is_patient_with(cloud)
  return self.patient == cloud
end

--- The head is verified and allowed: from now on no other update goes first.
function Engine:begin()
  self.begun, self.stands = true, nil
end

--- All is in place and waits to be armed: what else is wanted goes first.
-- @tparam string cloud name
function Engine:stand_by(cloud)
  self.begun, self.patient, self.stands = nil, cloud, true
end

--- Whether an update has everything in place and waits to be armed.
function Engine:stands_by()
  return self.stands == true
end

--- Whether this differs from the last message.
-- @tparam string key
function Engine:is_news(key)
  local news = key ~= self.said
  self.said = key
  return news
end

--- Another update wants to start. If the current one has patience and waits for its server, it ends with "busy".
function Engine:make_way()
  if not self.patient or self.begun then return end
  self.aside = true
  self.tasks:set(self.resting)
end

--- If the update waits for its next try, try now.
function Engine:try_now()
  self.tasks:set(self.resting)
end

--- Drop the update that is under way; install() then returns "refused".
-- @tparam string why
function Engine:cancel(why)
  if not self.busy then return end
  self.cancelled = why
  self.tasks:set(self.resting)
end

return M
