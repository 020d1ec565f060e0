--- How many of Luat's queries of a staged product a store process answers: run in the host.
--
--     moult scripts/bench.d/queries.lua COUNT [WAITING]
--
-- The store process and its database are real; this program is the front, at the other end of a socket, and nobody is
-- at the broker. COUNT devices that the depot knows ask, WAITING (200) questions at a time: first there is nothing for
-- them, then each is granted a package. Prints a line `name value` for each: answers a second, the processor's time of
-- one in us, and the longest time that one waited, in ms.

local channels = require "spec.support.depot_pair"
local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"
local store = require "depot.store"
local store_lines = require "depot.store_lines"
local store_process = require "depot.store_process"

local COUNT, WAITING = math.tointeger(tonumber(arg[1])), math.tointeger(tonumber(arg[2] or 200))

local dir = os.tmpname()
os.remove(dir)
local folder = depot_world.folder(dir)
local packages = dir .. "/packages"

local function name_of(i) return ("8667140400%05d"):format(i) end

local function question(i)
  return { id = i, answer = { method = "GET", path = "/api/site/firmware_upgrade", client = "127.0.0.1:1",
    headers = { host = "depot" }, query = { project_key = "pk", firmware_name = "METER", version = "1.0.0",
      imei = name_of(i) } } }
end

-- Each device asks once. `wanted`: the status of the answers
local function round(name, process, lines, wanted)
  local asked, answered, at, worst = 0, 0, {}, 0
  local begun, cpu = natives.loop.now(), os.clock()
  while answered < COUNT do
    while asked < COUNT and asked - answered < WAITING and lines:queued() == 0 do
      asked = asked + 1
      at[asked] = natives.loop.now()
      assert(lines:send(question(asked)))
    end
    lines:flush()
    assert(process:step(0))
    for said in lines.receive, lines do
      if said.id then
        answered = answered + 1
        local got = said.answer and (said.answer.path and 200 or said.answer.status)
        assert(got == wanted, ("device %d: %s"):format(said.id, got or "no answer"))
        worst = math.max(worst, natives.loop.now() - at[said.id])
      end
    end
  end
  print(name .. "_rate", ("%.0f"):format(COUNT / (natives.loop.now() - begun)))
  print(name .. "_cpu", ("%.0f"):format((os.clock() - cpu) / COUNT * 1e6))
  print(name .. "_worst", ("%.1f"):format(worst * 1000))
end

local function release_to_all()
  local kept = assert(store.open(natives, packages))
  local catalog = require("depot.catalog").new(natives, packages)
  assert(catalog:refresh())
  local manifest = assert(catalog:packages()[1]).manifest
  assert(kept:change())
  assert(kept:roll_out({ package = manifest.digest, target = manifest.release, hash = manifest.product_key,
    plan = assert(plans.read { waves = "100", in_flight = tostring(COUNT), limit = "none" }),
    wave_at = os.time() * 1000 }, os.time() * 1000))
  assert(kept:commit())
  kept:close()
end

-- What the depot knows of the devices before.
local function fill()
  local kept = assert(store.open(natives, packages))
  assert(kept:change())
  for i = 1, COUNT do
    assert(kept:put { cloud = "luat", product = "METER", device = name_of(i), hash = natives.digest.sha256 "pk",
      release = "1.0.0", heard = os.time() * 1000 })
  end
  assert(kept:commit())
  kept:close()
end

local function run()
  folder.pack("METER_2.0.0.upd", "pk", 2, "2.0.0")
  fill()
  local ours, theirs = channels.sockets()
  local process = assert(store_process.open { channel = theirs, address = "127.0.0.1:1", scheme = "http",
    dir = packages, mqtt = { host = "127.0.0.1", port = 1 }, pace = 100000000, hold = 0,
    auto = false })
  local lines = store_lines.new(natives, ours)
  round("nothing", process, lines, 404)
  release_to_all()
  round("granted", process, lines, 200)
  process:close()
  lines:close()
end

local ok, why = xpcall(run, debug.traceback)
folder.remove()
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end
