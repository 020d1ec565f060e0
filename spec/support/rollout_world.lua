-- A depot with rollouts, devices and a person under a virtual clock: one history by one seed.
--
-- The depot is the real fleet over a database in memory; the broker only
-- pretends. After each step the rules are checked that must hold in any history.
-- run(seed) returns nil, or what went wrong. `seen` counts what has happened, so that a spec can tell that it did.

local acts = require "depot.rollout.acts"
local fake_mqtt = require "spec.support.fake_mqtt"
local fleet = require "depot.fleet"
local grants = require "depot.grants"
local life = require "depot.rollout.life"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"
local store = require "depot.store"

local M = { seen = {} }

local HASH = natives.digest.sha256 "pk"
local RELEASES = { "1.0.0", "2.0.0", "3.0.0" }
local STEPS = 30
local GRACE = 60000 -- ms after the end of a link in which depot.rollout.board still counts it as open

local memory = setmetatable({ database = setmetatable({
  open = function(_, options) return natives.database.open(":memory:", options) end,
}, { __index = natives.database }) }, { __index = natives })

local function count(what) M.seen[what] = (M.seen[what] or 0) + 1 end

local World = {}
World.__index = World

-- A generator of its own, so that a seed means the same history everywhere.
local function generator(seed)
  local state = seed * 2654435761 + 88172645463325252
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 11) % n + 1
  end
end

local function packages()
  local list = {}
  for i, release in ipairs(RELEASES) do
    list[i] = { name = release .. ".upd", size = 1000, tag = "t", manifest = { digest = "d" .. release, sequence = i,
      release = release, parts = { { kind = "script" } }, product_key = HASH } }
  end
  return list
end

function World:open()
  self.mqtt = fake_mqtt()
  self.depot = fleet.new({
    mqtt = self.mqtt, store = self.store, json = natives.json, sha256 = natives.digest.sha256,
    now = function() return self.now end, packages = function() return self.packages end,
    link = function(entry) return "http://h/" .. entry.name, 1800 end,
    digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
      close = function() end },
    on_event = function(event)
      if event.kind == "rollout" then count(event.text:match ": (%a+)") else count(event.kind) end
    end,
  }, { settle = 0, pace = 1000000 })
  self:watch()
  self.depot:look()
  self.mqtt.events[1] = { kind = "connected", session = true }
end

-- Whether the offer of a row is open: its device has begun, or its link lives.
local function is_open(row, now)
  return row.state == "upgrading" or row.state == "pending" and row.ends ~= nil and row.ends > now
end

-- The depot makes an offer. If the device's last one is open, that is another link for it. Else it is one more at risk,
-- for which the rollout needs room. A device that begins after its link has ended may be one too many: the depot cannot
-- know, and opens no more until it has a verdict.
function World:fault_of_room(row)
  if is_open(row, self.now - GRACE) then return nil end
  local open, most = 0, assert(self.store:rollout(row.rollout)).plan.in_flight
  for _, other in ipairs(self:rows()) do
    if other.rollout == row.rollout and other.device ~= row.device and is_open(other, self.now) then open = open + 1 end
  end
  return open >= most and ("rollout %d: %d offers in flight of %d, and one more"):format(row.rollout, open, most) or nil
end

-- Count failures, and see what the rollouts are when an offer goes out; a verdict that comes later in the same step may
-- pause them.
function World:watch()
  local offer = self.depot.offers._offer
  self.depot.offers._offer = function(offers, row, ...)
    local fault = self:fault_of_room(row)
    local made = offer(offers, row, ...)
    self.no_room = self.no_room or made and fault or nil
    return made
  end
  local publish = self.mqtt.publish
  self.mqtt.publish = function(mqtt, ...)
    local id = publish(mqtt, ...)
    local then_ = {}
    for _, rollout in ipairs(assert(self.store:rollouts())) do then_[rollout.id] = rollout end
    mqtt.sent[#mqtt.sent].rollouts = then_
    return id
  end
  local went = self.depot.offers.went
  self.depot.offers.went = function(offers, row, what, now)
    local counts = what == "reverted" or what == "failed" and row.reason ~= "silent"
    local id = counts and row.rollout
    if id then self.failed[id] = (self.failed[id] or 0) + 1 end
    return went(offers, row, what, now)
  end
end

function World:rows() return assert(self.store:devices()) end

function World:row(device) return assert(self.store:get("aliyun", "pk", device.name)) end

-- What a device says.
function World:say(device, kind, params)
  table.insert(self.mqtt.events, { kind = "message", qos = 1, retain = false, topic = ("/ota/device/%s/pk/%s"):format(
    kind, device.name), payload = natives.json.encode { id = "1", params = params } })
end

function World:report(device) self:say(device, "inform", { version = device.release }) end

-- What a device does next; `n` from 1 to 10.
local function idle(world, device, n)
  if n <= 6 then return world:report(device) end
  if n <= 8 then return world:say(device, "request", { version = device.release }) end
  if device.before then device.release, device.before = device.before, nil end -- it falls back
  world:report(device)
end

local function offered(world, device, n)
  local alive = world.now < device.offer.ends
  if n <= 7 and alive then
    device.begun = device.offer
    return world:say(device, "progress", { step = "10", desc = "" })
  elseif n == 8 then
    return idle(world, device, world.random(8))
  end
  -- It uses a link that has ended or is refused, and gives up.
  if not alive and n <= 4 then world.depot:link_died("aliyun/pk/" .. device.name) end
  world:say(device, "progress", { step = "-2", desc = "" })
  device.offer = nil
end

local function begun(world, device, n)
  if n <= 2 then return world:say(device, "progress", { step = n == 1 and "100" or "50", desc = "" }) end
  if n <= 7 then
    world:say(device, "progress", { step = "100", desc = "" })
    if n <= 6 then device.before, device.release = device.release, device.begun.release end -- else it does not start
    world:report(device)
  else
    world:say(device, "progress", { step = n == 8 and "-3" or "-1", desc = "broken" })
  end
  device.begun, device.offer = nil, nil
end

local function act(world, device)
  local what = device.begun and begun or device.offer and offered or idle
  what(world, device, world.random(10))
end

local PLANS = {
  { waves = "10,50,100", soak = "10m", limit = "2", in_flight = "2" },
  { waves = "40,100", soak = "1m", limit = "1", in_flight = "1", advance = "hand", retries = "1", backoff = "5m" },
  { waves = "100", soak = "0", limit = "20%", sample = "3", in_flight = "3" },
  { waves = "30,60,100", soak = "1h", limit = "none", in_flight = "2", window = "08:00-17:00", zone = "Europe/Berlin" },
}

function World:parts()
  return { store = self.store, by_digest = self.depot.offers.by_digest, now = self.now }
end

function World:create()
  local entry = self.packages[self.random(2) + 1]
  local texts = PLANS[self.random(#PLANS)]
  local plan = assert(plans.read(texts))
  local id = assert(self.store:roll_out({ package = entry.manifest.digest, target = entry.manifest.release, hash = HASH,
    plan = plan, state = "draft", wave = 0, priority = self.random(2) }, self.now))
  acts.start(self:parts(), assert(self.store:rollout(id)), self.random(4) == 1 and self.now + 600000 or nil)
end

local PERSON = { "pause", "resume", "resume", "advance", "cancel", "change", "retry" }

-- The person acts in a transaction of another process: the depot sees it when it reads again.
function World:person()
  assert(self.store:commit())
  assert(self.store:change())
  local open = assert(self.store:rollouts())
  if #open == 0 or self.random(6) == 1 and #open < 3 then
    self:create()
  else
    local rollout, verb = open[self.random(#open)], PERSON[self.random(#PERSON)]
    if verb == "retry" then
      acts.retry(self:parts(), rollout)
    elseif verb == "change" then
      rollout.plan.in_flight = self.random(3)
      acts.apply(self:parts(), rollout, "change")
    else
      acts.apply(self:parts(), rollout, verb)
      if verb == "resume" then self.failed[rollout.id] = 0 end
    end
  end
  assert(self.store:commit())
  self.depot.board:take_back()
end

local TIMES = { 1000, 1000, 5000, 60000, 600000, 1900000, 7200000 }

-- Offers that went out: what each device holds, and the rules for it.
function World:take_offers()
  local sent = self.mqtt.sent
  self.mqtt.sent = {}
  for _, message in ipairs(sent) do
    local name = message.topic:match "^/ota/device/upgrade/pk/(.*)$"
      or message.topic:match "^/ota/device/request/pk/(.*)$"
    local data = name and message.object.data
    if data then
      local device = self.devices[name]
      device.offer = { release = data.version, ends = self.now + 1800000 }
      local fault = self:fault_of_offer(device, data.version, message.rollouts)
      if fault then return fault end
      table.insert(self.mqtt.events, { kind = "published", id = message.id, unheard = self.random(10) == 1 })
    end
  end
end

function World:fault_of_offer(device, release, rollouts)
  local row = self:row(device)
  local rollout = row.rollout and rollouts[row.rollout]
  if not rollout then return ("%s was offered %s without a rollout"):format(device.name, release) end
  if not life.is_offering(rollout) then
    return ("%s was offered %s while rollout %d is %s"):format(device.name, release, rollout.id, rollout.state)
  end
  local entry = self.depot.offers.by_digest[rollout.package]
  local wave = grants.wave(rollout, entry, device.name, natives.digest.sha256)
  if wave > rollout.wave or wave ~= row.wave then
    return ("%s of wave %d was offered %s in wave %d"):format(device.name, wave, release, rollout.wave)
  end
  if row.release and row.release > release then
    return ("%s runs %s, and was offered %s"):format(device.name, row.release, release)
  end
end

-- The rules that hold at any time.
function World:fault()
  if self.no_room then return self.no_room end
  for _, rollout in ipairs(assert(self.store:every_rollout(100))) do
    local tally, real = assert(self.store:tally(rollout)), assert(self.store:tally(rollout, true))
    if #tally ~= #real then return ("tally of rollout %d: %d lines for %d"):format(rollout.id, #tally, #real) end
    for i, line in ipairs(tally) do
      if line.n ~= real[i].n or line.state ~= real[i].state then
        return ("tally of rollout %d: %d %s, %d counted"):format(rollout.id, line.n, line.state, real[i].n)
      end
    end
    local limit, most = rollout.plan.limit, 3 -- of any plan, or of a change
    local failed = self.failed[rollout.id] or 0
    if limit.count and failed > limit.count + most then
      return ("rollout %d: %d failures, limit %d, in flight %d"):format(rollout.id, failed, limit.count, most)
    end
    if limit.count and failed >= limit.count and life.is_offering(rollout) then
      return ("rollout %d is %s after %d failures, limit %d"):format(rollout.id, rollout.state, failed, limit.count)
    end
  end
  for _, row in ipairs(self:rows()) do
    if row.due and row.due < self.stepped then return row.device .. " stays due, so that the depot would spin" end
  end
end

function World:step(ms)
  self.now = self.now + ms
  for _ = 1, 2 do
    self.stepped = self.now
    local ok, message = self.depot:step()
    if not ok then return message end
    local fault = self:take_offers()
    if fault then return fault end
    self.now = self.now + 600
  end
  return self:fault()
end

-- Whether a rollout has waves to open, and devices to open them for, which no newer one has taken over.
function World:is_under_way(rollout)
  if not life.is_offering(rollout) or rollout.wave == #rollout.plan.waves then return false end
  for _, row in ipairs(self:rows()) do
    if not row.release or row.release < rollout.target then return row.target == nil or row.target <= rollout.target end
  end
  return false
end

function World:is_settled()
  for _, rollout in ipairs(assert(self.store:rollouts())) do
    if self:is_under_way(rollout) then return false end
  end
  for _, row in ipairs(self:rows()) do
    if row.state == "pending" or row.state == "upgrading" then return false end
  end
  return true
end

-- In the end everybody behaves: whoever is to get a release runs it, or has a verdict. Nobody reports without an offer,
-- so the depot has to make them by itself.
function World:settle()
  for _, rollout in ipairs(assert(self.store:rollouts())) do
    rollout.plan.window, rollout.plan.limit, rollout.plan.advance, rollout.plan.in_flight = nil, {}, "time", 3
    assert(acts.apply(self:parts(), rollout, "change"))
    self.failed[rollout.id] = 0
    if rollout.state == "paused" then assert(acts.apply(self:parts(), rollout, "resume")) end
    if rollout.state == "waiting" then assert(acts.apply(self:parts(), rollout, "advance")) end
  end
  self.depot.board:take_back()
  for _ = 1, 60 do
    if self:is_settled() then return nil end
    for _, device in ipairs(self.in_order) do
      if device.offer then
        device.release, device.begun, device.offer = device.offer.release, nil, nil
        self:report(device)
      end
    end
    local fault = self:step(1900000)
    if fault then return fault end
  end
  for _, row in ipairs(self:rows()) do
    if row.state == "pending" or row.state == "upgrading" then
      local rollout = self.store:rollout(row.rollout)
      return ("%s with %s is still %s for %s; rollout %d is %s, wave %d"):format(row.device, row.release, row.state,
        row.target, rollout.id, rollout.state, rollout.wave)
    end
  end
  for _, rollout in ipairs(assert(self.store:rollouts())) do
    local jobs = 0 -- a wave in which nobody has succeeded waits for a person
    for _, line in ipairs(assert(self.store:tally(rollout))) do
      if line.wave == rollout.wave then jobs = jobs + line.n end
    end
    if jobs == 0 and self:is_under_way(rollout) then
      return ("rollout %d of %s is %s for ever in wave %d of %d"):format(rollout.id, rollout.target, rollout.state,
        rollout.wave, #rollout.plan.waves)
    end
  end
end

function World:history()
  self:person()
  for _ = 1, STEPS do
    local what = self.random(12)
    if what == 1 then
      self:person()
    elseif what == 2 then
      self.depot:close()
      self:open()
    else
      local device = self.in_order[self.random(#self.in_order)]
      act(self, device)
    end
    local fault = self:step(TIMES[self.random(#TIMES)])
    if fault then return fault end
  end
  return self:settle()
end

local kept

-- One database for all histories, as opening one takes longer than many a history. All of it is emptied, so that a seed
-- means the same history whatever came before: devices first, whose triggers write into other tables.
local function store_of()
  kept = kept or assert(store.open(memory, ""))
  kept:abandon()
  local tables <close> = assert(kept:prepare("SELECT name FROM sqlite_schema WHERE type = 'table' "
    .. "ORDER BY name <> 'device'"))
  local texts = {}
  for i, row in ipairs(assert(tables:all())) do texts[i] = ("DELETE FROM %s;"):format(row.name) end
  assert(kept.db:execute(table.concat(texts)))
  return kept
end

--- One history.
-- @tparam integer seed
-- @treturn string|nil what went wrong
function M.run(seed)
  local world = setmetatable({ random = generator(seed), now = 1767225600000, devices = {}, in_order = {}, failed = {},
    packages = packages(), store = store_of() }, World)
  for i = 1, 3 + world.random(6) do
    local device = { name = ("dev%d-%d"):format(seed % 1000, i), release = "1.0.0" }
    world.devices[device.name], world.in_order[i] = device, device
  end
  for _, entry in ipairs(world.packages) do
    assert(world.store:verify({ package = entry.manifest.digest, target = entry.manifest.release, cloud = "aliyun",
      product = "pk", device = "lab" }, world.now))
  end
  world:open()
  for _, device in ipairs(world.in_order) do world:report(device) end
  local done, fault = xpcall(world.history, debug.traceback, world)
  for _, rollout in ipairs(assert(world.store:every_rollout(100))) do
    count(rollout.state)
    if rollout.wave > 1 then count "later wave" end
    if rollout.reason then count(rollout.reason) end
  end
  return fault and (done and fault or "error: " .. fault) or nil
end

return M
