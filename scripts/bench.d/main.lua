--- The figures, one line each: see `scripts/bench --help`.

local delta = require "delta"
local link = require "link"
local rig = require "rig"
local servers = require "servers"
local swupdate = require "swupdate"

local MOULT = rig.run("readlink -f build/moult"):match("%S+")
local RESTART = { [4] = true } -- install's exit code when a restart is needed, which is success here

local quick = false
local wanted = {}

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

local function column(runs, field)
  local result = {}
  for i, run in ipairs(runs) do
    result[i] = run[field]
  end
  return result
end

local function report(name, format, ...)
  print(("bench: %-28s " .. format):format(name, ...))
  io.stdout:flush()
end

-- Medians of two programs' runs, and the median of the pairs' quotients.
local function compare(name, field, ours, floor, aim)
  local quotients = {}
  for i = 1, #ours do
    quotients[i] = ours[i][field] / floor[i][field]
  end
  report(name, "%.3f s, floor %.3f s, %.3f x (aim <= %.2f x; %.3f to %.3f in %d pairs)", median(column(ours, field)),
    median(column(floor, field)), median(quotients), aim, math.min(table.unpack(quotients)),
    math.max(table.unpack(quotients)), #ours)
end

local measurements = {}

function measurements.install()
  local mib, pairs_wanted = quick and 16 or 128, quick and 3 or 11
  local bench = rig.new(MOULT)
  bench:device(mib)
  bench:package("update.upd", mib, 2)
  bench:serve()
  local steps = {
    { "ours", ("%s install %s -c %s -q"):format(rig.quote(MOULT), bench:url("update.upd"), bench.config), RESTART },
    { "floor", ("build/bench_floor %s %s --readback"):format(bench:url("update.upd"), bench.target) },
  }
  local runs = { ours = {}, floor = {} }
  -- The first pair only warms the caches; then each pair begins with the other program.
  for i = 0, pairs_wanted do
    for turn = 0, 1 do
      local step = steps[(i + turn) % 2 + 1]
      bench:reset()
      local run = bench:measure_synced(step[2], step[3])
      if i > 0 then
        table.insert(runs[step[1]], run)
      end
    end
  end
  local name = ("install %d MiB "):format(mib)
  compare(name .. "sync, wall", "sync_wall", runs.ours, runs.floor, 1.05)
  compare(name .. "sync, cpu", "sync_cpu", runs.ours, runs.floor, 1.05)
  compare(name .. "all, wall", "wall", runs.ours, runs.floor, 1.10)
  compare(name .. "all, cpu", "cpu", runs.ours, runs.floor, 1.10)
  bench:close()
end

-- Both updaters take turns; the first pair warms up. Also the peak memory of each.
local function beside_swupdate(bench, pairs_wanted)
  local commands = {
    { "ours", ("%s install %s -c %s -q"):format(rig.quote(MOULT), bench:url("update.upd"), bench.config), RESTART },
    { "theirs", swupdate.command(bench) },
  }
  local runs, anon = { ours = {}, theirs = {} }, { ours = 0, theirs = 0 }
  for i = 0, pairs_wanted do
    for turn = 0, 1 do
      local name, command, codes = table.unpack(commands[(i + turn) % 2 + 1])
      bench:reset()
      local run = name == "ours" and bench:measure_synced(command, codes) or rig.measure("", command, codes)
      if i > 0 then table.insert(runs[name], run) end
      if i <= 3 then
        bench:reset()
        anon[name] = math.max(anon[name], rig.measure("--memory", command, codes).anon)
      end
    end
  end
  return runs, anon
end

-- swupdate neither syncs nor reads back, so our part up to the sync is the fair comparison.
local function report_swupdate(what, runs, aim)
  for _, field in ipairs { "sync_cpu", "cpu" } do
    local quotients = {}
    for i = 1, #runs.ours do quotients[i] = runs.ours[i][field] / runs.theirs[i].cpu end
    report(("%s cpu, %s"):format(what, field == "cpu" and "all" or "sync"),
      "%.3f s, swupdate %.3f s, %.3f x (aim <= %.2f x)", median(column(runs.ours, field)),
      median(column(runs.theirs, "cpu")), median(quotients), aim)
  end
  report(what .. " wall", "%.3f s, swupdate %.3f s", median(column(runs.ours, "wall")),
    median(column(runs.theirs, "wall")))
end

function measurements.swupdate()
  if not swupdate.present() then
    return report("swupdate", "not measured: needs swupdate, cpio and zstd (apt-get install swupdate cpio zstd)")
  end
  local mib, pairs_wanted = quick and 16 or 128, quick and 3 or 11
  for _, encoding in ipairs { "raw", "zstd" } do
    local zstd = encoding == "zstd"
    local bench = rig.new(MOULT)
    bench:device(mib)
    bench:package("update.upd", mib, 2, false, zstd and encoding)
    swupdate.package(bench, zstd)
    bench:serve()
    local runs, anon = beside_swupdate(bench, pairs_wanted)
    local what = zstd and "swupdate zstd, blank target," or "swupdate"
    report_swupdate(what, runs, zstd and 1.3 or 0.65)
    report(what .. " memory", "%d KiB anonymous, swupdate %d KiB", anon.ours, anon.theirs)
    bench:close()
  end
end

function measurements.memory()
  local peaks = {}
  for _, size in ipairs(quick and { { 4, 2 }, { 16, 2 } } or { { 16, 9 }, { 128, 9 }, { 1024, 5 } }) do
    local mib, runs = table.unpack(size)
    local bench = rig.new(MOULT)
    bench:device(mib)
    bench:package("update.upd", mib, 2)
    bench:serve()
    -- The peak lasts only some milliseconds, while policy runs, so one run may miss it.
    local peak = { anon = 0 }
    for _ = 1, runs do
      bench:reset()
      local run = rig.measure("--memory", ("%s install %s -c %s -q"):format(rig.quote(MOULT),
        bench:url("update.upd"), bench.config), RESTART)
      if run.anon > peak.anon then
        peak = run
      end
    end
    peaks[#peaks + 1] = peak.anon
    report(("memory %d MiB"):format(mib), "%d KiB anonymous at the peak of %d runs, %d processes", peak.anon, runs,
      peak.processes)
    bench:close()
  end
  report("memory growth", "%+.1f %% from the smallest to the largest (aim: none)",
    (peaks[#peaks] / peaks[1] - 1) * 100)
end

function measurements.kills()
  local mib, kills = quick and 16 or 128, 10
  local rate = (quick and 8 or 32) << 20
  local bench = rig.new(MOULT)
  bench:device(mib)
  bench:package("update.upd", mib, 2)
  bench:serve(rate)
  bench:reset()
  local size = tonumber(rig.run(("stat -c %%s %s/www/update.upd"):format(bench.dir)):match("%d+"))
  local prefix, received = bench:count_received()
  local install = ("%s%s install %s -c %s -q"):format(prefix, rig.quote(MOULT), bench:url("update.upd"), bench.config)
  local whole = size / rate * 1000 -- milliseconds at that rate
  for _ = 1, kills do
    local run = rig.measure(("--kill %d"):format(math.random(whole // 40, whole // 8)), install,
      { [4] = true, [137] = true })
    assert(run.exit == 137, "the install was done before its tenth kill")
  end
  rig.measure("", install, RESTART)
  local bytes = received()
  report("kills", "%d kills: %d bytes received for %d, %.4f x, %.0f KiB a kill (aim <= 256 KiB a kill)", kills, bytes,
    size, bytes / size, (bytes - size) / kills / 1024)
  bench:close()
end

function measurements.link()
  link.measure(MOULT, quick, report)
end

function measurements.start()
  local bench = rig.new(MOULT)
  local runs, count = {}, quick and 5 or 41
  for i = 1, count do
    runs[i] = rig.measure("", rig.quote(MOULT) .. " --version")
  end
  local memory = rig.measure("--memory", rig.quote(MOULT) .. " scripts/bench.d/wait.lua")
  report("start", "%.1f ms wall, %.1f ms cpu: moult --version, median of %d", median(column(runs, "wall")) * 1000,
    median(column(runs, "cpu")) * 1000, count)
  report("start memory", "%d KiB anonymous, %d KiB proportional: a script that does nothing", memory.anon, memory.pss)
  bench:device(1)
  bench:reset()
  local idle = rig.measure(("--memory --for %d"):format(quick and 1500 or 4000),
    ("%s run -c %s"):format(rig.quote(MOULT), bench.config), { [143] = true })
  report("run", "%d KiB anonymous, %d KiB proportional, %d processes: supervisor, agent and script, idle", idle.anon,
    idle.pss, idle.processes)
  bench:close()
end

function measurements.policy()
  local count = quick and 5 or 51
  local median_ms = rig.run(("%s scripts/bench.d/policy.lua %d"):format(rig.quote(MOULT), count)):match("%S+")
  report("policy", "%s ms for a decision in a process of its own, median of %d", median_ms, count)
end

function measurements.hook()
  local mib = quick and 16 or 128
  local path = rig.run("mktemp"):match("%S+")
  rig.run(("head -c %d /dev/urandom > %s"):format(mib << 20, path))
  local read, call = rig.run(("%s scripts/bench.d/hook.lua %s"):format(rig.quote(MOULT), path)):match("(%S+) (%S+)")
  report("hook", "%s us a call of a Lua function; %s us to have 64 KiB as a Lua string", call, read)
  os.remove(path)
end

local corpus, only -- of the deltas

function measurements.delta()
  local cache = os.getenv("XDG_CACHE_HOME") or (os.getenv("HOME") or "/tmp") .. "/.cache"
  delta.measure({ moult = MOULT, corpus = corpus or cache .. "/moult-bench", only = only, quick = quick }, report)
end

local devices -- of the fleet

function measurements.fleet()
  servers.fleet(MOULT, devices or quick and 200 or 10000, report)
end

function measurements.qinglian()
  servers.qinglian(MOULT, quick and 100 or 1000, report)
end

function measurements.admin()
  servers.admin(MOULT, quick, report)
end

function measurements.depot()
  servers.depot(MOULT, quick, report)
end

for i, word in ipairs(arg) do
  local name, value = word:match("^%-%-(%l+)=(.+)$")
  if word == "--quick" then
    quick = true
  elseif name == "corpus" then
    corpus = rig.run("mkdir -p " .. rig.quote(value) .. " && readlink -f " .. rig.quote(value)):match("[^\n]+")
  elseif name == "pair" then
    only = only or {}
    only[#only + 1] = value
  elseif arg[i - 1] == "fleet" and word:find "^%d+$" then
    devices = math.max(1, math.tointeger(word))
  elseif word ~= "all" and not measurements[word] then
    io.stderr:write(("bench: no measurement called %s; try --help\n"):format(word))
    os.exit(2)
  elseif word ~= "all" then
    wanted[#wanted + 1] = word
  end
end
if #wanted == 0 then
  wanted = { "install", "swupdate", "memory", "kills", "link", "start", "policy", "hook" }
end
for _, word in ipairs(wanted) do
  measurements[word]()
end
