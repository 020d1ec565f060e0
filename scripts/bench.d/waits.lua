--- How long a device's query waits while something large is done to the depot: run in the host.
--
--     moult scripts/bench.d/waits.lua MOULT DEVICES EVENTS
--
-- The store process and its database are real; this program is the front, at the other end of a socket, and nobody is
-- at the broker. DEVICES of a staged product are known, with EVENTS. Eight queries at a time are asked all the while,
-- and MOULT, the command of another process, does one thing after the other. Prints a line `name value` for each: how
-- long it took in ms, the longest wait of a query in ms, and how many queries were told to come again.

local channels = require "spec.support.depot_pair"
local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"
local store = require "depot.store"
local store_lines = require "depot.store_lines"
local store_process = require "depot.store_process"

local MOULT, COUNT, EVENTS = arg[1], math.tointeger(tonumber(arg[2])), math.tointeger(tonumber(arg[3]))
local WAITING = 8
local DAY = 86400000

local dir = os.tmpname()
os.remove(dir)
local folder = depot_world.folder(dir)
local packages = dir .. "/packages"

local function name_of(i) return ("86671404%07d"):format(i) end

local process, lines
local asked, answered, at = 0, 0, {}
local worst, refused = 0, 0

local function ask()
  while asked - answered < WAITING and lines:queued() == 0 do
    asked = asked + 1
    at[asked] = natives.loop.now()
    assert(lines:send { id = asked, answer = { method = "GET", path = "/api/site/firmware_upgrade",
      client = "127.0.0.1:1", headers = { host = "depot" }, query = { project_key = "pk", firmware_name = "METER",
        version = "1.0.0", imei = name_of(asked * 7919 % COUNT + 1) } } })
  end
  lines:flush()
end

local function hear()
  for said in lines.receive, lines do
    if said.id then
      answered = answered + 1
      worst = math.max(worst, natives.loop.now() - at[said.id])
      at[said.id] = nil
      if not said.answer or said.answer.status == 503 then refused = refused + 1 end
    end
  end
end

local function step()
  ask()
  assert(process:step(1))
  hear()
end

-- One thing is done: begin() begins it, and is_done() says when it is over.
local function measure(name, is_done)
  worst, refused = 0, 0
  local begun = natives.loop.now()
  repeat step() until is_done()
  local took = natives.loop.now() - begun
  print(name .. "_ms", ("%.0f"):format(took * 1000))
  print(name .. "_worst", ("%.0f"):format(worst * 1000))
  print(name .. "_refused", refused)
  io.stdout:flush()
  local till = natives.loop.now() + 1.2 -- what it has made to do
  repeat step() until natives.loop.now() > till
end

local function command(name, format, ...)
  local mark = ("%s/%s"):format(dir, name)
  assert(os.execute(("{ '%s' depot %s >%s.log 2>&1; echo $? >%s.part; mv %s.part %s; } &"):format(MOULT,
    format:format(...), mark, mark, mark, mark)))
  measure(name, function()
    local file = io.open(mark)
    local code = file and file:read "n"
    if file then file:close() end
    if code and code ~= 0 then
      local log <close> = assert(io.open(mark .. ".log"))
      error(("%s: exit %d: %s"):format(name, code, log:read "a"), 0)
    end
    return code
  end)
end

-- What the depot knows before, and whom a package is for.
local function fill()
  local kept, now = assert(store.open(natives, packages)), os.time() * 1000
  local hash = natives.digest.sha256 "pk"
  local catalog = require("depot.catalog").new(natives, packages)
  assert(catalog:refresh())
  local manifest = assert(catalog:packages()[1]).manifest
  local names, more = {}, {}
  assert(kept:change())
  assert(kept:add_product(hash, "METER", "staged", now))
  assert(kept:name_product("luat", "METER", hash))
  for i = 1, COUNT do
    local row = { cloud = "luat", product = "METER", device = name_of(i), hash = hash, release = "1.0.0", heard = now }
    assert(kept:put(row))
    names[i], more[i] = name_of(i), name_of(COUNT + i)
  end
  for i = 1, EVENTS do
    assert(kept:note_event { at = now - (EVENTS - i), what = "offered", hash = hash, cloud = "luat", product = "METER",
      device = name_of(i % COUNT + 1), release = "1.0.1" })
  end
  assert(kept:verify({ package = manifest.digest, target = manifest.release, cloud = "luat", product = "METER",
    device = name_of(1) }, now))
  assert(kept:commit())
  kept:close()
  folder.write("names", table.concat(names, "\n"))
  folder.write("more", table.concat(more, "\n"))
end

-- Events that are too old, for the depot itself to remove.
local function age()
  local db <close> = assert(natives.database.open(packages .. "/depot.db"))
  assert(db:prepare("UPDATE event SET at = at - ?"):run(500 * DAY))
  assert(db:prepare("INSERT INTO event (at, what) VALUES (?, 'connection')"):run(os.time() * 1000))
end

local function commands()
  command("nothing", "--help")
  command("backup", "backup %s %s/copy", packages, dir)
  command("events", "events %s --format csv", packages)
  command("status", "status %s", packages)
  command("list", "device list %s --json", packages)
  command("tag", "device tag %s --filter name:8667* --tag lab", packages)
  command("admit", "device set %s --filter name:8667* --admitted yes", packages)
  command("add", "device add %s --product pk --cloud luat --devices %s/more", packages, dir)
  command("create", "rollout create %s METER_2.0.0.upd --devices %s/names --members fixed", packages, dir)
  command("pause", "rollout pause %s 1", packages)
  command("resume", "rollout resume %s 1", packages)
  command("cancel", "rollout cancel %s 1", packages)
  command("open", "rollout create %s METER_2.0.0.upd --waves 100", packages)
  command("withdraw", "release withdraw %s METER_2.0.0.upd", packages)
  command("forget", "device forget %s %s", packages, name_of(7))
end

local function run()
  folder.pack("METER_2.0.0.upd", "pk", 2, "2.0.0")
  fill()
  local ours, theirs = channels.sockets()
  process = assert(store_process.open { channel = theirs, address = "127.0.0.1:1", scheme = "http", dir = packages,
    mqtt = { host = "127.0.0.1", port = 1 }, pace = 100000000, hold = 0, auto = false })
  lines = store_lines.new(natives, ours)
  commands()
  age()
  local fleet = process.cloud.fleet
  fleet.next_prune = 0
  local pruned
  measure("retention", function()
    pruned = pruned or natives.loop.now() + 3
    fleet.next_prune = 0
    return natives.loop.now() > pruned
  end)
  fleet.next_recount = 0
  local till = natives.loop.now() + 1
  measure("recount", function() return natives.loop.now() > till end)
  process:close()
  lines:close()
end

local ok, why = xpcall(run, debug.traceback)
folder.remove()
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end
