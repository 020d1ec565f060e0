--- Deltas compared with other programs: their size, and the cost of making and
-- applying them.
--
-- Every patch is applied and the result compared with the new image. Making is
-- measured once. Patches of other programs are kept in .patches of the corpus
-- with their cost, and made again if the images, the program or its options
-- change. Applying is measured in rounds in which the programs take turns.

local corpus = require "corpus"
local peers = require "peers"
local rig = require "rig"

local M = {}

local quote, run = rig.quote, rig.run
local MIB = 1 << 20

-- The numbers that are kept for making a patch.
local KEPT = { "bytes", "cpu", "wall", "rss" }

local function read_kept(path, key)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read("a")
  file:close()
  if text:match("^[^\n]*") ~= key then return nil end
  local figure = {}
  for name, value in text:gmatch("\n(%l+) (%S+)") do figure[name] = tonumber(value) end
  return figure
end

local function write_kept(path, key, figure)
  local lines = { key }
  for _, name in ipairs(KEPT) do lines[#lines + 1] = ("%s %s"):format(name, figure[name]) end
  rig.write(path, table.concat(lines, "\n") .. "\n")
end

local function size_of(path)
  return math.tointeger(tonumber(run("stat -c %s " .. quote(path)):match("%d+")))
end

-- Make one patch, or use the one that was kept.
local function create(row, paths, pair, kept)
  local command = row.create(paths)
  local version = row.version and run(row.version):match("[^\n]*")
  local key = table.concat({ pair.old_sha256, pair.new_sha256, version or "", (row.create {
    old = "OLD", new = "NEW", patch = "PATCH", size = paths.size }) }, " ")
  local figure = version and read_kept(kept, key)
  if figure and os.execute("test -s " .. paths.patch) then return figure end
  local cost = rig.measure("", command)
  figure = { bytes = size_of(paths.raw_patch), cpu = cost.cpu, wall = cost.wall, rss = cost.rss }
  if version then write_kept(kept, key, figure) end
  return figure
end

local function paths_of(pair, folder, name)
  local raw = ("%s/%s.%s"):format(folder, pair.name, (name:gsub("%W+", "-")))
  return {
    old = quote(pair.old), new = quote(pair.new), patch = quote(raw), raw_patch = raw,
    size = math.max(pair.old_size, pair.new_size),
  }
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Apply the patches in turn, `rounds` times after one warm-up; then once or twice for memory.
local function apply_all(made, pair, out, rounds)
  local function apply(one, options)
    os.remove(out)
    one.paths.out = quote(out)
    return rig.measure(options, one.row.apply(one.paths))
  end
  for _, one in ipairs(made) do
    one.walls, one.cpus, one.anon = {}, {}, 0
    apply(one, "")
    run(("cmp %s %s"):format(quote(out), quote(pair.new)))
  end
  for _ = 1, rounds do
    for _, one in ipairs(made) do
      local cost = apply(one, "")
      table.insert(one.walls, cost.wall)
      table.insert(one.cpus, cost.cpu)
    end
  end
  -- The samples are 2 ms apart, so short runs are measured more often.
  for _, one in ipairs(made) do
    for _ = 1, median(one.walls) < 0.5 and 9 or 2 do
      one.anon = math.max(one.anon, apply(one, "--memory").anon)
    end
  end
  os.remove(out)
end

local function best_peer(made)
  local best
  for _, one in ipairs(made) do
    if one.row.name ~= "moult" and (not best or one.created.bytes < best.created.bytes) then best = one end
  end
  return best
end

-- The best of the programs that are missing here and were measured with these images elsewhere: bytes, name.
local function best_elsewhere(pair, made)
  local known = peers.elsewhere[pair.old_sha256:sub(1, 12) .. " " .. pair.new_sha256:sub(1, 12)] or {}
  local bytes, name
  for peer, size in pairs(known) do
    local here = false
    for _, one in ipairs(made) do here = here or one.row.name == peer end
    if not here and (not bytes or size < bytes) then bytes, name = size, peer end
  end
  return bytes, name
end

local function show(report, pair, made, idle)
  local best = best_peer(made)
  for _, one in ipairs(made) do
    local created, ours = one.created, one.row.name == "moult"
    report(("delta %s, %s"):format(pair.name, one.row.name),
      "%9d bytes; create %.2f s cpu, %d MiB; apply %.3f s cpu, %.3f s wall, %d KiB%s", created.bytes, created.cpu,
      created.rss // 1024, median(one.cpus), median(one.walls), ours and one.anon - idle or one.anon,
      ours and " above the idle program" or "")
    if ours and best then
      local aim = pair.new_size > MIB and 0.93 or 1.05
      report(("delta %s, size"):format(pair.name), "%.3f x the best peer, %s (aim <= %.2f x)",
        created.bytes / best.created.bytes, best.row.name, aim)
      local bytes, name = best_elsewhere(pair, made)
      if bytes then
        report(("delta %s, size"):format(pair.name), "%.3f x %s, which made %d bytes of these images elsewhere",
          created.bytes / bytes, name, bytes)
      end
    end
  end
  local by_name = {}
  for _, one in ipairs(made) do by_name[one.row.name] = one end
  if by_name.moult and by_name.bsdiff then
    local ours, theirs = by_name.moult, by_name.bsdiff
    -- For a small image the time is that of starting and syncing.
    local aims = pair.new_size > 16 * MIB and { " (aim <= 0.2 x)", " (aim <= 0.5 x)" } or { "", "" }
    report(("delta %s, time"):format(pair.name), "create %.3f x the CPU of bsdiff%s, apply %.2f x the wall time of "
      .. "bspatch%s, which syncs nothing", ours.created.cpu / theirs.created.cpu, aims[1],
      median(ours.walls) / median(theirs.walls), aims[2])
  end
end

-- Which rows can be measured here; the others are named once.
local function present(moult, report)
  local rows = { peers.moult(quote(moult)) }
  if #rows == 0 then report("delta", "moult is not measured: it has no verb delta") end
  for _, row in ipairs(peers.list) do
    local missing = peers.lacks(row)
    if missing then
      report("delta", "%s is not measured: %s", row.name, missing)
    else
      rows[#rows + 1] = row
    end
  end
  return rows
end

--- Measure the pairs of a corpus.
-- @tparam table options moult (path of the program), corpus (directory, made when it is empty), only (array of
--   names of pairs, or nil: all), quick (one round)
-- @tparam function report(name, format, ...)
function M.measure(options, report)
  local list = corpus.pairs(options.corpus, function(text) io.stderr:write("bench: ", text, "\n") end,
    options.only)
  local folder = options.corpus .. "/.patches"
  run("mkdir -p " .. quote(folder))
  local manifest = corpus.manifest(list)
  rig.write(options.corpus .. "/MANIFEST", manifest)
  for line in manifest:gmatch("[^\n]+") do report("delta corpus", "%s", (line:gsub("\t", "; "))) end
  local rows = present(options.moult, report)
  local idle = rig.measure("--memory", quote(options.moult) .. " scripts/bench.d/wait.lua").anon
  for _, pair in ipairs(list) do
    local made = {}
    for _, row in ipairs(rows) do
      if pair.old_size <= (row.most or math.huge) then
        local paths = paths_of(pair, folder, row.name)
        made[#made + 1] = { row = row, paths = paths, created = create(row, paths, pair, paths.raw_patch .. ".cost") }
      else
        report(("delta %s, %s"):format(pair.name, row.name), "not measured: takes too long above %d MiB",
          row.most // MIB)
      end
    end
    apply_all(made, pair, folder .. "/out", options.quick and 1 or pair.new_size > 16 * MIB and 3 or 7)
    show(report, pair, made, idle)
  end
end

return M
