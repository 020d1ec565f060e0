--- A fleet of simulated devices against a depot and a broker: run in the host.
--
--     moult scripts/bench.d/fleet.lua MOULT PROGRAM N
--
-- PROGRAM is built from fleet.c. Half of the devices are Aliyun's, half are
-- Tencent's. Each reports its release, is offered a package of 64 KiB when the
-- pace allows, downloads it and reports the new release. Prints a line `name
-- value` for each figure.

local broker = require "spec.support.broker"
local natives = require "update.natives"

local MOULT, PROGRAM, COUNT = arg[1], arg[2], math.tointeger(tonumber(arg[3]))
local PACE = 500 -- offers a second, and devices that connect a second
local PRODUCTS = { "a1BenchPK01", "BENCH12345" }
local PATIENCE = 180 -- seconds without an end in sight

local loop = assert(natives.loop.new())

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function shell(format, ...)
  local command = format:format(...)
  assert(os.execute(command), command)
end

local function wait(what, done)
  local till = natives.loop.now() + PATIENCE
  while true do
    local result = done()
    if result then return result end
    assert(natives.loop.now() < till, "waited in vain for " .. what)
    loop:poll(50)
  end
end

-- Start a command in the background; its pid.
local function start(dir, name, command)
  write(("%s/%s.log"):format(dir, name), "")
  shell("cd '%s' && { exec %s >%s.log 2>&1 </dev/null & } ; echo $! >%s.pid", dir, command, name, name)
  return read(("%s/%s.pid"):format(dir, name)):match "%d+"
end

-- Packages of both products, with 64 KiB of random bytes.
local function make_packages(dir)
  shell("cd '%s' && mkdir -p packages app && '%s' keygen bench -q 2>/dev/null && head -c 65536 /dev/urandom "
    .. ">app/data", dir, MOULT)
  write(dir .. "/app/main.lua", 'PROJECT, VERSION = "BENCH", "2.0.0"\n')
  for i, product in ipairs(PRODUCTS) do
    write(dir .. "/recipe.lua", ([[return { project = "BENCH", product_key = "%s", sequence = 2, version = "2.0.0",
      script = { dir = "app" } }]]):format(product))
    shell("cd '%s' && '%s' pack recipe.lua -o packages/%d.upd -k bench.key -q >/dev/null", dir, MOULT, i)
  end
end

-- A process and those that it has started: the depot has its store process.
local function family(pid)
  local pids = { pid }
  for child in read(("/proc/%s/task/%s/children"):format(pid, pid)):gmatch "%d+" do pids[#pids + 1] = child end
  return pids
end

-- Seconds of CPU that they have used.
local function cpu_of(pid)
  local ticks = 0
  for _, one in ipairs(family(pid)) do
    local user, system = read(("/proc/%s/stat"):format(one)):match("%) %a" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
    ticks = ticks + (tonumber(user) or 0) + (tonumber(system) or 0)
  end
  return ticks / 100
end

-- KiB: resident now, and at the peak.
local function memory_of(pid)
  local now, peak = 0, 0
  for _, one in ipairs(family(pid)) do
    local status = read(("/proc/%s/status"):format(one))
    now, peak = now + (tonumber(status:match "VmRSS:%s+(%d+)") or 0), peak + (tonumber(status:match "VmHWM:%s+(%d+)")
      or 0)
  end
  return now, peak
end

-- How many processes the devices need: each device has two sockets.
local function shares()
  local pipe <close> = assert(io.popen "ulimit -Hn")
  local limit = tonumber(pipe:read "a") or 1024 * 1024
  local room = math.max(1, (limit - 64) // 2)
  local list, first = {}, 0
  while first < COUNT do
    list[#list + 1] = { first = first, count = math.floor(math.min(room, COUNT - first)) }
    first = first + list[#list].count
  end
  return list
end

local function run(b)
  local dir = b.dir
  make_packages(dir)
  local depot = start(dir, "depot", ("'%s' depot packages --keys bench.pub --listen 127.0.0.1:0 --mqtt 127.0.0.1:%d "
    .. "--pace %d"):format(MOULT, b.port, PACE))
  wait("the depot", function() return read(dir .. "/depot.log"):find("mqtt: listening", 1, true) end)
  local before = memory_of(depot)
  local db <close> = assert(natives.database.open(dir .. "/packages/depot.db"))
  local count = assert(db:prepare "SELECT count(*) AS n FROM device WHERE state = 'succeeded'")
  local begun = natives.loop.now()
  local parts = shares()
  for i, part in ipairs(parts) do
    start(dir, "devices" .. i, ("'%s' 127.0.0.1 %d %d %d %d 1.0.0 2.0.0 %s %s"):format(PROGRAM, b.port, part.first,
      part.count, PACE // #parts, PRODUCTS[1], PRODUCTS[2]))
  end

  local total = { published = 0, received = 0, downloads = 0, again = 0 }
  for i in ipairs(parts) do
    local line = wait("the devices", function()
      local text = read(("%s/devices%d.log"):format(dir, i))
      return text:match "^[^\n]+\n" and text
    end)
    assert(line:find "^fleet: done", line)
    for name in pairs(total) do
      total[name] = total[name] + tonumber(line:match(name .. " (%d+)"))
    end
  end
  local last, since = -1, natives.loop.now()
  repeat
    local n = assert(count:first()).n
    if n ~= last then last, since = n, natives.loop.now() end
    if n < COUNT then loop:poll(20) end
  until n >= COUNT or natives.loop.now() - since > 30
  local seconds = since - begun
  local _, peak = memory_of(depot)
  local pages = assert(db:prepare "SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size")
  for _, figure in ipairs {
    { "seconds", ("%.1f"):format(seconds) }, { "succeeded", last }, { "pace", PACE }, { "processes", #parts },
    { "published", total.published }, { "received", total.received }, { "downloads", total.downloads },
    { "again", total.again }, { "rate", ("%.0f"):format((total.published + total.received) / seconds) },
    { "depot_cpu", ("%.1f"):format(cpu_of(depot)) }, { "broker_cpu", ("%.1f"):format(cpu_of(b.pid)) },
    { "depot_before", before }, { "depot_peak", peak }, { "database", pages:first().n },
  } do
    print(figure[1], figure[2])
  end
  return depot
end

local b = broker.start {}
local ok, result = xpcall(run, debug.traceback, b)
if ok then os.execute("kill " .. result) else os.execute(("kill $(cat '%s'/*.pid) 2>/dev/null"):format(b.dir)) end
b:close()
if not ok then
  io.stderr:write(result, "\n")
  os.exit(1)
end
