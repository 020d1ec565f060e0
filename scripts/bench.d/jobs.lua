--- The cost of many open jobs whose package is superseded or withdrawn: run in the host.
--
--     moult scripts/bench.d/jobs.lua COUNT
--
-- The database is real, the broker's client a fake. COUNT devices have an open
-- job that the broker accepted. Then a newer release appears and all report
-- again. Then both are removed and the depot starts anew, which looks at every
-- open job. Prints a line `name value` for each figure: seconds, lines of the
-- log besides those of the devices' reports and offers, and rows written.

local accepting_mqtt = require "spec.support.accepting_mqtt"
local fleet = require "depot.fleet"
local natives = require "update.natives"
local store = require "depot.store"

local COUNT = math.tointeger(tonumber(arg[1]))

local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir " .. dir))

local now, packages, lines, puts = 1000000000, {}, 0, 0
local client = accepting_mqtt()

local function entry(release, sequence)
  return { name = release .. ".upd", size = 1, tag = "t", manifest = { digest = release, release = release,
    sequence = sequence, parts = { { kind = "script" } }, product_key = natives.digest.sha256 "pk" } }
end

local OWN = { reports = true, offered = true }

local kept
local function open()
  kept = assert(store.open(natives, dir))
  local put = kept.put
  function kept.put(...)
    puts = puts + 1
    return put(...)
  end
  return fleet.new({
    mqtt = client, store = kept, json = natives.json, sha256 = natives.digest.sha256, now = function() return now end,
    packages = function() return packages end, link = function() return "http://h/x", 1800 end,
    digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
      close = function() end },
    on_event = function(event) if not OWN[event.kind] then lines = lines + 1 end end,
  }, { pace = 1000000, auto = true, settle = 0 })
end

local function report_all() client:say(COUNT, "inform", '{"id":"1","params":{"version":"1.0.0"}}') end

-- Step until the depot has been idle for ten seconds of its clock.
local function run(depot)
  local begun, worst, quiet = natives.loop.now(), 0, 0
  while quiet < 100 do
    local t = natives.loop.now()
    assert(depot:step())
    worst = math.max(worst, natives.loop.now() - t)
    now = now + 100
    local due = kept:next_due()
    quiet = (not client:is_idle() or due and due <= now + 1000 or kept.changing) and 0 or quiet + 1
  end
  return natives.loop.now() - begun, worst
end

local function figures(name, depot)
  lines, puts = 0, 0
  local seconds, worst = run(depot)
  print(name .. "_seconds", ("%.1f"):format(seconds))
  print(name .. "_worst", ("%.0f"):format(worst * 1000))
  print(name .. "_lines", lines)
  print(name .. "_puts", puts)
end

packages = { entry("2.0.0", 2) }
local depot = open()
depot:look()
client.events[1] = { kind = "connected", session = true }
report_all()
figures("first", depot)

packages = { entry("2.0.0", 2), entry("3.0.0", 3) }
depot:look()
figures("look", depot)
report_all()
figures("newer", depot)

depot:close()
kept:close()
packages, client = {}, accepting_mqtt()
depot = open()
depot:look()
client.events[1] = { kind = "connected", session = false }
figures("withdrawn", depot)
depot:close()
kept:close()
os.execute("rm -r " .. dir)
