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
-- `where` names a package: {cloud = name, location = URL or path, renew =
-- function -> a fresh location (when the link expired), answered =
-- function(answer) -> what the server's refusal means (see update.persist), http =
-- options of its own, tries = instead of the engine's, head_tries = the same
-- for the head alone, patience = seconds for which the network may fail whatever
-- the tries, and the updates of others go first until blocks are fetched; trouble =
-- a table kept for that; latest = function -> the location as it is now, permit = path of a signed permit, left_out
-- = why the release's own policy is not asked, hoped = true when a
-- delta was asked for, full = function -> the place of the full package: see
-- update.fallback, release = what the package is to make of the device, size =
-- bytes that it was announced with, a hint}.
--
-- @module update.engine

local fallback = require "update.fallback"
local offers = require "update.offer"
local persist = require "update.persist"
local unkept = require "update.unkept"
local verdicts = require "update.verdict"

local M = {}

-- Failures of a link after which another to the same package goes on where it was.
local LINK_DIED = { network = true, expired = true }

local Engine = {}
Engine.__index = Engine

local PROGRESS_EVERY = 0.25 -- seconds between progress events

-- In these phases the supervisor owns the state.
local OWNED = { armed = "armed", trial = "on trial", confirming = "being confirmed",
  rolling_back = "being rolled back" }

-- Failures that leave the transaction open: the same package goes on later.
local RESUMABLE = { network = true, missing = true, expired = true, busy = true }

--- @tparam table o natives ({package, source, transfer, url}), device, loop, keys
--   (directory), tasks (scheduler), ask (function(offer, facts, left_out) -> decision,
--   tree, name of the policy | nil, message, code), facts (function -> table
--   added to the device's), http (options of natives.source.http), log
--   (function(line): what goes wrong), note (news; as log when absent), detail (every reason; nobody when absent),
--   on (function(event)), spent (function(bytes, goes_on)
--   off the wire; goes_on: more of the transfer follows), witness
--   (function(date): what a verified server says of the time), random (function ->
--   0 to 1), tries (attempts in a row without progress that end it; 30),
--   head_tries (the same for the head), reserve (update.reserve: given up for space; or nil)
function M.new(o)
  return setmetatable({
    natives = o.natives, device = o.device, loop = o.loop, keys = o.keys, tasks = o.tasks, ask = o.ask,
    note = o.note or o.log, detail = o.detail or function() end,
    facts = o.facts or function() return {} end, http = o.http or {}, log = o.log, on = o.on or function() end,
    spent = o.spent or function() end, random = o.random or math.random, tries = o.tries or 30,
    witness = o.witness or function() end, reserve = o.reserve,
    tries_of_head = o.head_tries, resting = {}, unkept = unkept.new(o.tasks.now),
  }, Engine)
end

function Engine:open_source(where)
  if not offers.is_url(where.location) then return self.natives.source.file(where.location) end
  local options = {}
  for name, value in pairs(self.http) do options[name] = value end
  for name, value in pairs(where.http or {}) do options[name] = value end
  options.time_floor = self.device:time_floor()
  return self.natives.source.http(self.loop, where.location, options)
end

-- Tell what a server whose certificate was verified says of the time, as soon as it said it.
function Engine:look_at_date(head)
  local date = head.source.date and head.source:date()
  if date and date ~= head.date then self.witness(date) end
  head.date = date
end

-- What came off the wire since the last time.
function Engine:count(where, head, goes_on)
  if not offers.is_url(where.location) then return end
  local received = head.source:received()
  self.spent(received - (head.counted or 0), goes_on)
  head.counted = received
end

function Engine:close_source(where, head)
  if not head.source then return end
  self:count(where, head)
  head.source:close()
  head.source, head.counted = nil, nil
end

--- Close what read_head() opened.
function Engine:close(where, head)
  head.package:close()
  self:close_source(where, head)
end

-- A link that broke off in a verified head, further on than the last time: what
-- came is kept, and the same package goes on where it was after a pause.
function Engine:goes_on(head, code)
  local at = code == "network" and not self.cancelled and head.package:manifest() and head.package:offset() or 0
  if at <= (head.at or 0) then return false end
  head.at = at
  self.tasks:await(self.resting, persist.short_pause(self.random()))
  return true
end

-- One attempt at the head: {source, package, manifest, offer}, or nil,
-- message, code, {answer}: see update.persist.
function Engine:read_head(where, spool)
  local head, ok = {}, nil
  local source, message, code = self:open_source(where)
  if not source then return nil, message, code end
  head.source = source
  head.package, message, code = self.natives.package.open(source, self.keys, spool)
  while head.package do
    ok, message, code = head.package:step()
    self:look_at_date(head)
    if code == "again" then
      self.tasks:idle()
    elseif ok or not self:goes_on(head, code) then
      break
    end
  end
  if not ok then
    local answer = head.source.answer and head.source:answer() or nil
    if head.package then head.package:close() end
    self:close_source(where, head)
    local name = self.natives.url.shown(where.location)
    if not message:find(name, 1, true) then message = ("%s: %s"):format(name, message) end
    return nil, message, code, { answer = answer }
  end
  head.manifest = head.package:manifest()
  local transaction, parts = self.device:status().transaction, self.device:parts(head.package)
  head.offer = offers.of(head.manifest, {
    cloud = where.cloud, size = head.package:layout().size, transaction = transaction, parts = parts,
    fallback = where.fallback or fallback.instead(where, head.manifest, parts),
  })
  head.id, head.permit, head.left_out = head.manifest.digest:sub(1, 8), where.permit, where.left_out
  head.by_hand = where.by_hand
  return head
end

local function head_tries(self, where)
  return where.head_tries or where.tries or self.tries_of_head or self.tries
end

-- One place: its verdict, also as the fourth result.
function Engine:look(where)
  local head, message, code = persist.run(self, where, head_tries(self, where), function()
    return self:read_head(where)
  end)
  if not head then return nil, message, code end
  local verdict = verdicts.judge(self, head)
  self:close(where, head)
  return verdict, nil, nil, verdict
end

--- Read a head and judge it, without touching the state.
-- @tparam table where
-- @treturn table verdict of update.verdict | nil, message, code
function Engine:inspect(where)
  local verdict, message, code = fallback.run(self, where, function(place) return self:look(place) end)
  if verdict then return verdict end
  return nil, message, code
end

function Engine:progress(head, transfer, force)
  local now = self.tasks.now()
  if not force and self.told and now - self.told < PROGRESS_EVERY then return end
  self.told = now
  local done, total, part = transfer:progress()
  self.on { event = "progress", release = head.offer.release, sequence = head.offer.sequence,
    part = part, done = done, total = total }
end

-- Over the source that there is, or a fresh one.
function Engine:open_transfer(where, head)
  local message, code
  if not head.source then
    head.source, message, code = self:open_source(where)
    if not head.source then return nil, message, code end
    if head.transfer then head.transfer:go_on(head.source) end
  end
  if not head.transfer then
    head.transfer, message, code = self.natives.transfer.open(self.device, head.package, head.source, head.reuse)
  end
  return head.transfer, message, code
end

local function close_transfer(head)
  if head.transfer then head.transfer:close() end
  head.transfer = nil
end

-- One attempt at the blocks: true, or nil, message, code, how: see update.persist. A
-- block that was wrong came twice already (transfer.h) and ends it.
function Engine:read_blocks(where, head)
  local transfer, message, code = self:open_transfer(where, head)
  if not head.source then return nil, message, code end
  local result
  while transfer do
    if self.cancelled then
      result, message, code = nil, self.cancelled, "refused"
      break
    end
    result, message, code = transfer:step()
    self:look_at_date(head)
    if result == "block" then
      self:count(where, head, true)
      self:progress(head, transfer)
      self.tasks:turn()
    elseif code == "again" then
      self:progress(head, transfer)
      self.tasks:idle()
    else
      break
    end
  end
  local how = { answer = head.source.answer and head.source:answer() or nil }
  if transfer then
    local done, _, _, _, wasted = transfer:progress()
    how.moved = done > (head.best or 0)
    how.final = wasted > 0
    head.best = math.max(done, head.best or 0)
    if result then self:progress(head, transfer, true) end
    -- Over a link that died it stays, with what came of a block.
    if not LINK_DIED[code] then close_transfer(head) end
  end
  self:close_source(where, head)
  if result == "done" then return true end
  return nil, message, code, how
end

function Engine:finish(head)
  self.on { event = "state", phase = "installing", release = head.offer.release }
  while true do
    if self.cancelled then return nil, self.cancelled, "refused" end
    local result, message, code = self.device:finish(head.package)
    if result or code ~= "again" then return result, message, code end
    self.tasks:turn()
  end
end

-- What the gate of a delta wants to know takes a while to be read.
function Engine:learn_source(head)
  while true do
    if self.cancelled then return nil, self.cancelled, "refused" end
    local ok, message, code = self.device:learn_source(head.package)
    if ok or code ~= "again" then return ok, message, code end
    self.tasks:turn()
  end
end

-- The durable steps, with the head verified and allowed.
function Engine:carry_out(where, head)
  local ok, message, code = self:learn_source(head)
  if ok then ok, message, code = verdicts.with_permit(self.device, head, self.device.begin) end
  if not ok then return nil, message, code end
  self.begun = true
  self.note(("update %s: fetching %s"):format(head.id, self.natives.url.shown(where.location)))
  self.on { event = "state", phase = "fetching", release = head.offer.release }
  ok, message, code = persist.run(self, where, where.tries or self.tries, function()
    return self:read_blocks(where, head)
  end)
  close_transfer(head)
  if ok then
    self.note(("update %s: every block is in place; installing"):format(head.id))
    ok, message, code = self:finish(head)
  end
  local times, rest = self.unkept:ended(head.manifest.digest, not ok and code or nil)
  if times then
    message = ("%s; %d times now: the medium does not keep it, and the release rests for %d h"):format(message, times,
      rest // 3600)
  end
  if ok then
    self.note(("update %s: armed, read back %s"):format(head.id, message))
    self.on { event = "state", phase = "armed", release = head.offer.release }
    return true
  end
  if RESUMABLE[code] then
    self.log(("update %s: %s (%s); it goes on with the next offer of this package"):format(head.id, message, code))
  else
    self.log(("update %s: %s (%s); dropped"):format(head.id, message, code))
    local dropped, why = self.device:abandon(code, message)
    if not dropped and self.device:status().phase ~= "idle" then
      self.log(("update %s: it is not over yet: %s"):format(head.id, why))
    end
  end
  return nil, message, code
end

-- A cloud that waits for one release would take every other for a failure.
function Engine:as_announced(where, head)
  local release, size = head.manifest.release, head.package:layout().size
  if where.release and where.release ~= release then
    return nil, ("the package makes %s of the device, not %s, which the cloud offers"):format(release, where.release),
      "incompatible"
  end
  if where.size and where.size ~= size then
    self.note(("update %s: the cloud announced %d bytes, the signed package has %d"):format(head.id, where.size, size))
  end
  return true
end

-- Whether the package is the one that is armed already, from its head.
function Engine:is_armed(where, status)
  if status.phase ~= "armed" or not status.transaction then return false end
  local head = persist.run(self, where, 1, function() return self:read_head(where) end)
  if not head then return false end
  self:close(where, head)
  return head.manifest.digest == status.transaction.digest
end

-- While the supervisor owns the state: what asks for what is armed has it.
function Engine:not_now(where, status)
  local release = status.transaction and status.transaction.release or "a release"
  if self:is_armed(where, status) then
    return { release = release, sequence = status.transaction.sequence, already = true,
      needs_restart = self.device:needs_restart() }
  end
  return nil, ("%s is %s; wait for its end, or drop it with `moult rollback`"):format(release, OWNED[status.phase]),
    "busy"
end

-- One place, up to armed.
function Engine:attempt(where)
  local status = self.device:status()
  if OWNED[status.phase] then return self:not_now(where, status) end
  local spool, message, code = self.device:spool()
  if not spool then return nil, message, code end
  local head, ok
  head, message, code = persist.run(self, where, head_tries(self, where), function()
    return self:read_head(where, spool)
  end)
  if not head then return nil, message, code end
  ok, message, code = self:as_announced(where, head)
  if not ok then
    self:close(where, head)
    return nil, message, code
  end
  local verdict = verdicts.judge(self, head)
  verdicts.log(self, head, verdict)
  verdicts.count(self, head, verdict)
  self.on { event = "offer", offer = offers.brief(head.offer), action = verdict.decision.action,
    reason = verdict.decision.reason }
  if verdict.code or fallback.preferred(where, verdict) then
    self:close(where, head)
    return nil, verdict.message, verdict.code, verdict
  end
  head.reuse = verdict.decision.reuse
  ok, message, code = self:carry_out(where, head)
  self:close(where, head)
  if not ok then return nil, message, code, verdict end
  return { release = head.offer.release, sequence = head.offer.sequence,
    needs_restart = self.device:needs_restart() }
end

function Engine:run(where)
  return fallback.run(self, where, function(place) return self:attempt(place) end)
end

--- Install what lies at `where`, up to armed.
-- @tparam table where
-- @treturn table|nil {release, sequence, needs_restart (the device, not only
--   the script), already (true: it was armed before)} | nil, message, code, verdict (when gates or policy refused or
--   deferred)
function Engine:install(where)
  if self.busy then return nil, "another update is under way; `moult status` shows it", "busy" end
  self.busy, self.cancelled, self.told, self.aside = true, nil, nil, nil
  self.patient = where.patience and where.cloud
  local results = table.pack(xpcall(self.run, debug.traceback, self, where))
  self.busy, self.begun, self.patient = nil, nil, nil
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Another update waits: one with patience whose server does not answer ends with "busy".
function Engine:make_way()
  if not self.patient or self.begun then return end
  self.aside = true
  self.tasks:set(self.resting)
end

--- Try again now what waits for its next try.
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
