--- The figures of the depot: with a fleet on a broker, and with many queries at once.

local rig = require "rig"

local M = {}

-- The lines `name value` that a script in the host prints.
local function figures(moult, script, words)
  local output = rig.run(("%s scripts/bench.d/%s %s"):format(rig.quote(moult), script, words))
  local f = {}
  for name, value in output:gmatch "(%S+)\t(%S+)\n" do
    f[name] = tonumber(value)
  end
  return f
end

-- The program itself, and one that plays its clients, as words before others.
local function programs(moult, program, words)
  return ("%s %s %s"):format(rig.quote(moult), rig.quote(rig.run("readlink -f build/" .. program):match "%S+"), words)
end

--- Devices of both clouds that update at once.
function M.fleet(moult, n, report)
  local f = figures(moult, "fleet.lua", programs(moult, "bench_fleet", n))
  report(("fleet %d"):format(n), "%.1f s until %d of %d devices have succeeded, %d lost (aim: none), at %d offers a "
    .. "second", f.seconds, f.succeeded, n, n - f.succeeded, f.pace)
  report("fleet messages", "%d from devices, %d to them, %d a second; %d downloads, %d of them again; %d processes of "
    .. "devices", f.published, f.received, f.rate, f.downloads, f.again, f.processes)
  report("fleet cpu", "depot %.1f s, broker %.1f s", f.depot_cpu, f.broker_cpu)
  report("fleet memory", "depot %d KiB resident at first, %d KiB at the peak: %.0f bytes a device; database %.0f bytes "
    .. "a device", f.depot_before, f.depot_peak, (f.depot_peak - f.depot_before) * 1024 / n, f.database / n)
end

--- A patch for devices of the Qinglian cloud.
function M.qinglian(moult, n, report)
  local f = figures(moult, "qinglian.lua", n)
  report(("qinglian %d"):format(n), "%.1f s until %d of %d devices had a patch, %d lost (aim: none), %d failed; %d "
    .. "messages both ways", f.seconds, f.done, n, n - f.done, f.failed, f.messages)
end

--- Luat's queries: how many a second, and how soon one is answered while many clients download slowly.
function M.depot(moult, quick, report)
  local first
  for _, packages in ipairs { 1, 100, quick and 300 or 2000 } do
    local words = ("%d 0 %d"):format(packages, quick and 1 or 5)
    local f = figures(moult, "depot.lua", programs(moult, "bench_crowd", words))
    first = first or f.rate
    report(("depot %d packages"):format(packages), "%d queries a second, %.2f x those of one package (aim >= 0.5 x)",
      f.rate, f.rate / first)
  end
  local readers = quick and 300 or 3000
  local words = ("1 %d %d"):format(readers, quick and 1 or 10)
  local f = figures(moult, "depot.lua", programs(moult, "bench_crowd", words))
  report(("depot %d slow readers"):format(f.readers), "a query is answered after %.2f ms, median; %.2f ms at the worst "
    .. "(aim <= 100 ms)", f.median, f.worst)
  local count = quick and 1000 or 10000
  f = figures(moult, "queries.lua", count)
  report(("depot %d staged queries"):format(count), "%d a second, %d us of CPU each, %.0f ms at the worst; each granted"
    .. " a package: %d, %d us, %.0f ms", f.nothing_rate, f.nothing_cpu, f.nothing_worst, f.granted_rate,
    f.granted_cpu, f.granted_worst)
  count = quick and 1000 or 50000
  f = figures(moult, "jobs.lua", count)
  report(("depot %d open jobs"):format(count), "superseded: %d lines, %.1f rows written a job, the offer to a device in"
    .. " it; withdrawn: %d lines, %.1f rows a job, in %.1f s", f.newer_lines, f.newer_puts / count, f.withdrawn_lines,
    f.withdrawn_puts / count, f.withdrawn_seconds)
  f = figures(moult, "paused.lua", ("'%s' %d"):format(moult, quick and 20000 or 50000))
  report(("depot %d paused"):format(quick and 20000 or 50000), "%d offered before a pause, %d while it lasted "
    .. "(aim: none), %d never, once it was resumed (aim: none)", f.before, f.paused, f.missed)
  count = quick and 10000 or 100000
  f = figures(moult, "rows.lua", count)
  report(("depot %d rows"):format(count), "slowest of five, ms of CPU (aim <= 100): status %d; lists: a name %d, a "
    .. "prefix %d, failed %d, a tag %d, hardly any %d; a group %d; rollouts %d; %d bytes a device", f.status, f.name,
    f.prefix, f.failed, f.tag, f.rare, f.group, f.rollouts, f.bytes)
  M.waits(moult, quick, report)
  f = figures(moult, "console.lua", tostring(count))
  report(("depot console %d"):format(count), "first page: %.0f ms of CPU after the start, %.0f ms at most later (aim "
    .. "<= 100); page %d bytes, list %d bytes, with style and script (aim <= 102400)", f.cold, f.warm, f.weight, f.list)
end

local LARGE = { "backup", "events", "tag", "admit", "add", "create", "pause", "resume", "cancel", "open", "withdraw",
  "forget", "retention", "recount" }

--- How long a query of a device waits while something large is done to the depot.
function M.waits(moult, quick, report)
  local count, events = quick and 2000 or 20000, quick and 5000 or 100000
  local f = figures(moult, "waits.lua", ("'%s' %d %d"):format(moult, count, events))
  local parts, refused = {}, 0
  for i, name in ipairs(LARGE) do
    parts[i], refused = ("%s %d"):format(name, f[name .. "_worst"]), refused + f[name .. "_refused"]
  end
  report(("depot %d busy"):format(count), "the longest wait of a query in ms, by what is done meanwhile: %s; "
    .. "%d told to come again (aim: none)", table.concat(parts, ", "), refused)
end

--- What people and their floods cost devices, and what a large upload costs the admin server.
function M.admin(moult, quick, report)
  local size = quick and "64M" or "5G"
  local f = figures(moult, "admin.lua", programs(moult, "bench_crowd", ("%s %d"):format(size, quick and 1 or 10)))
  report("admin flood", "a query of Luat is answered after %.2f ms alone, %.2f ms while eight clients try to log in "
    .. "(%d tries), medians", f.alone, f.flooded, f.tries)
  report(("admin upload %s"):format(size), "peak %d KiB; GET /me is answered after %.1f ms at the worst", f.peak,
    f.asked)
end

return M
