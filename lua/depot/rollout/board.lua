--- The rollouts of a running depot: which jobs may be offered now, and what verdicts and time do to them.
--
-- Other processes change rollouts, too. So they are read again whenever the
-- database has changed, which is checked in the transaction that makes an offer
-- or a verdict. A job that may not be offered yet is pending without a due time;
-- step() makes as many of them due as may be in flight, those of the highest
-- priority first.
--
-- @module depot.rollout.board

local acts = require "depot.rollout.acts"
local automatic = require "depot.rollout.automatic"
local choice = require "depot.choice"
local disabled = require "depot.disabled"
local grants = require "depot.grants"
local hours = require "depot.rollout.hours"
local jobs = require "depot.jobs"
local life = require "depot.rollout.life"
local links = require "depot.links"
local modes = require "depot.modes"
local releases = require "depot.releases"

local M = {}

local Board = {}
for _, module in ipairs { hours, automatic } do
  for name, method in pairs(module) do Board[name] = method end
end
Board.__index = Board

-- Milliseconds.
local LOOK = 500  -- between two looks at what is due
local EMPTY = 60000 -- between two looks whether anybody is in a wave
local COUNT = 2000 -- between two counts of a wave's devices
local GRACE = 60000 -- after the end of its link in which a device that began in time may still say so

local AT_ONCE = 1000 -- jobs of one rollout that become due at a look, if it has no limit

local VERDICTS = { succeeded = true, failed = true, reverted = true }

--- @tparam table parts store, packages (function -> array of the catalog), by_digest (function -> {[digest] = entry}),
--   tell (function(event)), registry (depot.registry)
function M.new(parts)
  return setmetatable({ store = parts.store, registry = parts.registry, by_digest = parts.by_digest,
    packages = parts.packages, tell = parts.tell, withdrawn = {}, disabled = {}, off = {},
    list = {}, by_id = {}, counted = {}, empty = {}, zones = {}, next_look = 0 }, Board)
end

local function first(a, b)
  return a.priority > b.priority or a.priority == b.priority and a.id > b.id
end

--- Read the rollouts again if another process has changed the database.
-- @treturn true|nil nil, message, code
function Board:refresh()
  local version = self.store:version()
  if version and version == self.version then return true end
  local list, message, code = self.store:rollouts()
  if not list then return nil, message, code end
  table.sort(list, first)
  self.withdrawn, message, code = self.store:withdrawn()
  if self.withdrawn then self.disabled, message, code = self.store:disabled() end
  if not self.withdrawn or not self.disabled then return nil, message, code end
  local read
  read, message, code = self.registry:read()
  if not read then return nil, message, code end
  self:mark()
  self.list, self.by_id, self.version, self.counted, self.zones = list, {}, version, {}, {}
  for _, rollout in ipairs(list) do self.by_id[rollout.id] = rollout end
  return true
end

--- Mark the packages that are withdrawn or switched off, and the mode of each.
function Board:mark()
  releases.mark(self.packages(), self.withdrawn)
  disabled.mark(self.packages(), self.disabled)
  self.off = {}
  for _, entry in ipairs(self.packages()) do
    if entry.disabled then self.off[#self.off + 1] = entry.manifest.digest end
  end
  modes.mark(self.packages(), self.registry:modes())
end

--- What was changed since the last commit is lost.
function Board:take_back() self.version = nil end

-- The rollout that gave a device its job, unless that ended with it; nil, "unknown": the store cannot tell.
function Board:_rollout_of(row)
  local rollout = self.by_id[row.rollout]
  if rollout then return rollout end
  rollout = self.store:rollout(row.rollout)
  if rollout == nil then return nil, "unknown" end
  return rollout and life.keeps_jobs(rollout) and rollout or nil
end

--- Whether the offers of a device's job are stopped, so that its links are refused unless it has begun.
-- @treturn string|nil the state of its rollout, "off": its product is; "disabled": its release is; "ended": one of them
--   is over for good; "unknown": the store cannot tell; nil: they are not
function Board:stops(row)
  if self.registry:mode(row.hash) == "off" then return "off" end
  local entry = self.by_digest()[row.package or ""]
  if entry and entry.withdrawn then return "ended" end
  if entry and entry.disabled then return "disabled" end
  if not row.rollout then return nil end
  local rollout, unknown = self:_rollout_of(row)
  if not rollout then return unknown or "ended" end
  return not life.keeps_jobs(rollout) and rollout.state or nil
end

-- Whether a file is of another release than the job of a device, and that release is not to be had any more.
function Board:_is_outdated(row, digest)
  local entry = self.by_digest()[digest or ""]
  if not entry or entry.manifest.release == row.target or self:refresh() ~= true then return false end
  return not choice.is_offered(entry)
end

--- Whether the link of a device is refused: its job was cancelled, or its rollout makes no offers now; and its
-- download has not begun. Or another file has the name of its package, which would not be what the offer said. Or it is
-- the link of a job before, to a release that is withdrawn or switched off by now.
-- @tparam string who as from depot.links
-- @tparam[opt] string digest of the file that the link is to
-- @treturn boolean
-- @treturn boolean|nil whether it is to be given another link
function Board:refuses(who, digest)
  local cloud, product, device = links.place(who)
  local row = cloud and self.store:get(cloud, product, device)
  if row == false then return cloud ~= nil end -- forgotten
  if row and jobs.is_open(row) and not self.by_digest()[row.package] then return true, true end
  if row and self:_is_outdated(row, digest) then return true end
  if not row or row.step then return false end
  if row.state == "cancelled" then return true end
  return row.state == "pending" and self:refresh() == true and self:stops(row) ~= nil
end

local function is_in_flight(row, now)
  return row.state == "upgrading" or row.ends ~= nil and row.ends + GRACE > now
end

--- Why the open job of a device must not be offered now; nil: it may.
function Board:holds(row, now)
  local stopped = self:stops(row)
  if stopped or not row.rollout then return stopped end
  local rollout = self:_rollout_of(row)
  if not rollout then return "unknown" end
  if is_in_flight(row, now) then return nil end
  if not self:_is_open(rollout, now, row.zone) then return "window" end
  local most = rollout.plan.in_flight
  if most and (self.store:in_flight(rollout, now - GRACE) or most) >= most then return "in flight" end
  return nil
end

function Board:_say(rollout, text)
  self.tell { kind = "rollout", text = ("%d of %s: %s"):format(rollout.id, rollout.target, text) }
end

--- A device's job has changed: in the same transaction, judge its rollout.
-- @treturn true|nil nil, message, code
function Board:went(row, what, now)
  local rollout = row.rollout and VERDICTS[what] and self.by_id[row.rollout]
  if not rollout then return true end
  if self.counted[rollout.id] then self.counted[rollout.id].stale = true end
  if what == "failed" and rollout.plan.retries >= row.failures then
    jobs.try_again(row, now + rollout.plan.backoff * 1000)
  end
  local ok, message, code = true, nil, nil
  if life.judge(rollout, what, now, row.reason, row.target) then
    local counts = rollout.judged and rollout.judged[#rollout.judged] or rollout
    self:_say(rollout, ("paused: %d of %d verdicts%s are failures"):format(counts.failed, counts.verdicts,
      counts.release and " of " .. counts.release or ""))
    ok, message, code = self.store:note_rollout(rollout, now)
  end
  if ok then ok, message, code = self.store:save_rollout(rollout) end
  return ok and true, message, code
end

-- Devices of the wave that were heard since it opened. Counted rarely, as that reads each of their rows, and only after
-- a verdict, as nothing else can complete a wave.
function Board:_heard(rollout, now)
  if rollout.state ~= "running" or rollout.wave == #rollout.plan.waves and rollout.plan.members ~= "fixed" then
    return { count = 0, verdicts = 0, succeeded = 0 }
  end
  local seen = self.counted[rollout.id]
  if not seen or seen.stale and now - seen.at >= COUNT then
    local heard, message, code = self.store:heard_in_wave(rollout)
    if not heard then return nil, message, code end
    seen = { at = now, heard = heard }
    self.counted[rollout.id] = seen
  end
  return seen.heard
end

-- Whether nobody is in the last open wave. Only looked at when that would open the next one, and once a minute.
function Board:_is_empty(rollout, now)
  if rollout.state ~= "running" or not life.has_waited(rollout, now) then return false end
  local seen = self.empty[rollout.id]
  if seen and seen.wave == rollout.wave and now >= seen.at and now - seen.at < EMPTY then return false end
  self.empty[rollout.id] = { wave = rollout.wave, at = now }
  local entry = self.by_digest()[rollout.package]
  if not entry then return false end
  local about = self.store:about()
  return self.store:is_wave_empty(rollout, now, function(row)
    return grants.covers(rollout, row, about)
      and choice.order(self.packages(), row, entry.manifest.release, entry.manifest.sequence) ~= "newer"
      and grants.wave(rollout, entry, row.device, self.store.sha256) == rollout.wave
  end)
end

local SAYS = { due = "has begun", soaked = "the next wave is open",
  empty = "the next wave is open, since nobody is in the last", wave_done = "the wave is done" }

-- Do to a rollout what is due by time and verdicts.
function Board:_advance(rollout, now)
  local heard, message, code = self:_heard(rollout, now)
  if not heard then return nil, message, code end
  heard.is_empty, message, code = self:_is_empty(rollout, now)
  if heard.is_empty == nil then return nil, message, code end
  local event = life.due(rollout, now, heard)
  if not event then return true end
  local ok
  ok, message, code = self.store:change()
  if ok then ok, message, code = self:refresh() end
  if not ok or self.by_id[rollout.id] ~= rollout then return ok, message, code end -- changed meanwhile: next time
  local parts, obstacle = { store = self.store, by_digest = self.by_digest(), now = now }, nil
  if event == "due" then obstacle, message, code = acts.obstacle(parts, rollout) end
  if message then return nil, message, code end
  self.counted[rollout.id] = nil
  ok, message, code = acts.apply(parts, rollout, event, { obstacle = obstacle or nil })
  if ok and event ~= "wave_done" then ok, message, code = acts.make_due(parts, rollout) end
  self:_say(rollout, rollout.reason and "paused: " .. rollout.reason or SAYS[event])
  if not ok or event ~= "due" or not life.is_offering(rollout) then return ok and true, message, code end
  ok, message, code = acts.overtake(parts, rollout)
  self.version = nil -- those that it has ended are read again
  return ok and self:refresh(), message, code
end

-- Make as many waiting jobs due as may be in flight.
function Board:_feed(rollout, now)
  if not life.is_offering(rollout) or self.registry:mode(rollout.hash) == "off" then return true end
  local open_in, why, word = self:_open_zones(rollout, now)
  if open_in == false then return nil, why, word end
  if open_in and #open_in == 0 then return true end
  local room, most = AT_ONCE, rollout.plan.in_flight
  if most then
    local open, message, code = self.store:in_flight(rollout, now - GRACE)
    if not open then return nil, message, code end
    local due
    due, message, code = self.store:due_of_rollout(rollout, now)
    if not due then return nil, message, code end
    room = most - open - due
  end
  if room <= 0 or not self.store:has_waiting(rollout, most and now - GRACE or 0, open_in, self.off) then
    return true
  end
  local ok, message, code = self.store:change()
  if ok then ok, message, code = self.store:feed(rollout, now, most and now - GRACE or 0, room, open_in, self.off) end
  return ok and true, message, code
end

--- Do what is due.
-- @tparam integer now ms
-- @treturn true|nil nil, message, code
function Board:step(now)
  if now < self.next_look and now > self.next_look - 2 * LOOK then return true end
  self.next_look = now + LOOK
  local ok, message, code = self:refresh()
  if ok then ok, message, code = self:_automate(now) end
  for _, rollout in ipairs(self.list) do
    if ok then ok, message, code = self:_go_on(rollout, now) end
    if ok then ok, message, code = self:_advance(rollout, now) end
    if ok and self.by_id[rollout.id] == rollout then ok, message, code = self:_feed(rollout, now) end
  end
  return ok, message, code
end

return M
