--- A rollout that a person pauses in mid-flight: run in the host.
--
--     moult scripts/bench.d/paused.lua MOULT COUNT
--
-- The store is real, the broker's client a fake. COUNT devices report; while they are offered the release, MOULT, the
-- command of another process, pauses the rollout. Whenever an offer goes out, a connection of its own reads what is
-- committed at that moment: an offer while that says paused is counted. All devices ask once more then, and after a
-- resume all have to be offered the release. Prints a line `name value` for each: offers before the pause, while it is
-- paused, and in all; and how many devices got none.

local accepting_mqtt = require "spec.support.accepting_mqtt"
local catalog = require "depot.catalog"
local depot_world = require "spec.support.depot_world"
local fleet = require "depot.fleet"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"
local store = require "depot.store"

local MOULT, COUNT = arg[1], math.tointeger(tonumber(arg[2]))

local dir = os.tmpname()
os.remove(dir)
local folder = depot_world.folder(dir)
local packages = dir .. "/packages"

-- The package of the rollout, as the folder's catalog has it.
local function pack()
  folder.pack("new.upd", "pk", 2, "2.0.0")
  local known = catalog.new(natives, packages)
  assert(known:refresh())
  return assert(known:packages()[1])
end

local package = pack()
local manifest = package.manifest
local offset = 0
local kept = assert(store.open(natives, packages))
local seen = assert(store.open(natives, packages)) -- what is committed
local offers = { before = 0, paused = 0, all = 0 }
local offered = {}

local base = os.time() * 1000 - natives.loop.now() * 1000 // 1
local function now() return math.tointeger(base + natives.loop.now() * 1000 // 1) + offset end

local client = accepting_mqtt()
local accept = client.publish
function client:publish(topic)
  local name = topic:match "^/ota/device/upgrade/pk/(.+)$"
  if name then
    offered[name], offers.all = true, offers.all + 1
    local phase = assert(seen:rollout(1)).state == "paused" and "paused" or "before"
    offers[phase] = offers[phase] + 1
  end
  return accept(self)
end

local depot = fleet.new({
  mqtt = client, store = kept, json = natives.json, sha256 = natives.digest.sha256, now = now,
  packages = function() return { package } end, link = function() return "http://h/x", 1800 end,
  digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
    close = function() end },
  on_event = function() end, clock = function() return natives.loop.now() * 1000 end,
}, { pace = 1000000, settle = 0 })

local loop = assert(natives.loop.new())

local function step()
  assert(depot:step())
  local wait = depot:timeout()
  if wait > 0 then loop:poll(math.min(wait, 5)) end
end

-- Step until the depot has been idle for some seconds of its clock.
local function settle()
  local quiet = 0
  while quiet < 250 do
    step()
    local due = kept:next_due()
    offset = offset + 20
    quiet = (not client:is_idle() or kept.changing or due and due <= now()) and 0 or quiet + 1
  end
end

-- What a person does by the command, while the depot goes on.
local function act(verb)
  local mark = dir .. "/" .. verb
  assert(os.execute(("{ '%s' depot rollout %s '%s' 1 >%s.log 2>&1; echo $? >%s; } &"):format(MOULT, verb,
    packages, mark, mark)))
  while true do
    step()
    local file = io.open(mark)
    local code = file and file:read "n"
    if file then file:close() end
    if code == 0 then return end
    if code then
      local log <close> = assert(io.open(mark .. ".log"))
      error(("%s: exit %d: %s"):format(verb, code, log:read "a"), 0)
    end
  end
end

-- The devices are known before, else strangers would be turned away.
local function fill()
  assert(kept:change())
  for i = 1, COUNT do
    assert(kept:put { cloud = "aliyun", product = "pk", device = "d" .. i, hash = manifest.product_key })
  end
  assert(kept:commit())
end

local function run()
  fill()
  local plan = assert(plans.read { waves = "100", in_flight = tostring(COUNT), limit = "none" })
  assert(kept:roll_out({ package = manifest.digest, target = manifest.release, hash = manifest.product_key, plan = plan,
    wave_at = now() }, now()))
  depot:look()
  client.events[1] = { kind = "connected", session = true }
  client:say(COUNT, "inform", '{"id":"1","params":{"version":"1.0.0"}}')
  while offers.all < COUNT // 3 do step() end
  act "pause"
  assert(offers.all < COUNT, "all were offered the release before the pause; take more devices")
  settle()
  client:say(COUNT, "request", '{"id":"2","params":{"version":"1.0.0"}}')
  settle()
  print("before", offers.before)
  print("paused", offers.paused)
  act "resume"
  settle()
  local missed = 0
  for i = 1, COUNT do missed = missed + (offered["d" .. i] and 0 or 1) end
  print("all", offers.all)
  print("missed", missed)
end

local ok, why = xpcall(run, debug.traceback)
depot:close()
kept:close()
seen:close()
folder.remove()
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end
