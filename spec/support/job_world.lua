-- One device with a job, a rollout that gives it, a person and a depot: what an event does to the job.
--
-- The depot is the real fleet over a database in memory, with a virtual clock; the broker only pretends.

local acts = require "depot.rollout.acts"
local fake_mqtt = require "spec.support.fake_mqtt"
local fleet = require "depot.fleet"
local job_reports = require "depot.job_reports"
local jobs = require "depot.jobs"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"
local store = require "depot.store"

local M = {}

local HASH = natives.digest.sha256 "pk"
--- When each world begins, in ms.
M.START = 1767225600000

local START = M.START
local LOOK = 600 -- ms after which a depot has looked at its rollouts again

local memory = setmetatable({ database = setmetatable({
  open = function(_, options) return natives.database.open(":memory:", options) end,
}, { __index = natives.database }) }, { __index = natives })

local World = {}
World.__index = World

local function entry(release, sequence)
  return { name = release .. ".upd", size = 1000, tag = "t", manifest = { digest = "d" .. release, sequence = sequence,
    release = release, parts = { { kind = "script" } }, product_key = HASH } }
end

function World:open()
  self.mqtt = fake_mqtt()
  self.depot = fleet.new({
    mqtt = self.mqtt, store = self.store, json = natives.json, sha256 = natives.digest.sha256,
    now = function() return self.now end, packages = function() return self.packages end,
    link = function(e) return "http://h/" .. e.name, 1800 end,
    digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
      close = function() end },
    on_event = function() end,
  }, { pace = 1000000 })
  self.depot:look()
  self.mqtt.events[1] = { kind = "connected", session = true }
  self:step(0)
end

--- Let the depot do what is due after ms milliseconds, and once more when it has looked again.
function World:step(ms)
  for _, wait in ipairs { ms, LOOK } do
    self.now = self.now + wait
    assert(self.depot:step())
  end
end

function World:row() return assert(self.store:get("aliyun", "pk", "dn")) end

--- Change the row of the device, as nobody but a spec does.
function World:set(fields)
  local row = self:row()
  for name, value in pairs(fields) do row[name] = value end
  assert(self.store:change())
  assert(self.store:put(row))
  assert(self.store:commit())
end

--- How many offers have gone out. The broker has taken them; `unheard`: and nobody had subscribed.
function World:offers(unheard)
  local count = 0
  for _, message in ipairs(self.mqtt.sent) do
    if message.topic == "/ota/device/upgrade/pk/dn" then
      count = count + 1
      table.insert(self.mqtt.events, { kind = "published", id = message.id, unheard = unheard })
    end
  end
  self.mqtt.sent = {}
  if count > 0 then self:step(0) end
  return count
end

function World:say(kind, params)
  table.insert(self.mqtt.events, { kind = "message", qos = 1, retain = false,
    topic = ("/ota/device/%s/pk/dn"):format(kind), payload = natives.json.encode { id = "1", params = params } })
  self:step(0)
end

--- It reports a release, and all is done that follows.
function World:report(release)
  self:say("inform", { version = release })
  self:step(job_reports.SETTLE)
end

function World:progress(percent) self:say("progress", { step = tostring(percent), desc = "" }) end

function World:parts() return { store = self.store, by_digest = self.depot.offers.by_digest, now = self.now } end

--- A person acts on the rollout, in another process.
function World:person(act)
  assert(self.store:commit())
  assert(self.store:change())
  act(self:parts(), assert(self.store:rollout(1)))
  assert(self.store:commit())
  self.depot.board:take_back()
  self:step(0)
end

function World:apply(event)
  self:person(function(parts, rollout) assert(acts.apply(parts, rollout, event)) end)
end

--- A newer release comes, and a rollout of it for the same devices, now or at a time (ms).
function World:newer(at)
  self.packages[#self.packages + 1] = entry("3.0.0", 3)
  self.depot:look()
  self:person(function(parts)
    local proof = { package = "d3.0.0", target = "3.0.0", cloud = "aliyun", product = "pk", device = "lab" }
    assert(self.store:verify(proof, self.now))
    local id = assert(self.store:roll_out({ package = "d3.0.0", target = "3.0.0", hash = HASH, state = "draft",
      wave = 0, plan = plans.read { waves = "100" } }, self.now))
    assert(acts.start(parts, assert(self.store:rollout(id)), at))
  end)
end

--- Whether a device has verified the job's package.
function World:is_verified()
  local proof = self.store:is_verified "d2.0.0"
  assert(proof ~= nil)
  return proof ~= false
end

--- A release is withdrawn.
function World:withdraw(release)
  self:person(function()
    for _, e in ipairs(self.packages) do
      if e.manifest.release == release then assert(self.store:withdraw(e.manifest, self.now)) end
    end
  end)
end

--- Whether a link of the device is refused: to the package of 2.0.0, or of another release.
function World:refuses(release)
  return (self.depot.board:refuses("aliyun/pk/dn", "d" .. (release or "2.0.0")))
end

-- How a device comes to each state.
local PATHS = {
  pending = function() end,
  upgrading = function(row, now) job_reports.hear(row, { kind = "progress", percent = 10 }, now) end,
  succeeded = function(row, now)
    row.release = "2.0.0"
    jobs.succeed(row, now)
  end,
  failed = function(row, now) jobs.fail(row, -3, "broken", now) end,
  reverted = function(row, now)
    jobs.succeed(row, now)
    jobs.revert(row, now)
  end,
  superseded = function(row, now) jobs.supersede(row, now) end,
  cancelled = function(row, now) jobs.cancel(row, now) end,
}

--- A device of release 1.0.0 whose job for 2.0.0 was offered once, and came into a state a minute ago.
-- @tparam string state "–": it has no job
-- @tparam[opt] table fields of its row besides
-- @tparam[opt] table texts of the rollout's plan
function M.new(state, fields, texts)
  local self = setmetatable({ now = START, packages = { entry("1.0.0", 1), entry("2.0.0", 2) } }, World)
  self.store = assert(store.open(memory, ""))
  local row = { cloud = "aliyun", product = "pk", device = "dn", hash = HASH, release = "1.0.0", heard = START - 60000 }
  assert(self.store:change())
  local plan = assert(plans.read(texts or { waves = "100", limit = "none" }))
  assert(self.store:roll_out({ package = "d2.0.0", target = "2.0.0", hash = HASH, plan = plan }, START - 120000))
  if PATHS[state] then
    jobs.begin(row, { package = "d2.0.0", target = "2.0.0", kind = "batch", rollout = 1, wave = 1 }, START - 90000)
    row.due, row.offers, row.ends = nil, 1, START + 1710000
    PATHS[state](row, START - 60000)
  end
  if state == "succeeded" then assert(self.store:verify(row, START - 60000)) end
  for name, value in pairs(fields or {}) do row[name] = value end
  assert(self.store:put(row))
  assert(self.store:commit())
  self:open()
  return self
end

function World:close()
  self.depot:close()
  self.store:close()
end

return M
