--- The cost of connections that break: received bytes of bodies over the size of the package.

local rig = require "rig"

local M = {}

-- Seconds after which a device that makes no progress is given up.
local PATIENCE = 600

-- Bytes after which each connection dies, and the most that may come for one of the package.
local CUTS = { { 20000, "1.05" }, { 100000, "1.02" }, { 600000, "1.02" } }

local function serve(bench, cut)
  local dir = rig.quote(bench.dir)
  local pid = rig.run(("lua5.4 scripts/bench.d/cutting.lua %s/www %d %s/cutting </dev/null >/dev/null 2>&1 & echo $!")
    :format(dir, cut, dir)):match "%d+"
  local function said()
    local text = rig.run(("for i in $(seq 200); do [ -s %s/cutting ] && break; sleep 0.05; done; cat %s/cutting")
      :format(dir, dir))
    local port, bytes, connections = text:match "(%d+) (%d+) (%d+)"
    return tonumber(port), tonumber(bytes), tonumber(connections)
  end
  return said, function() rig.run(("kill %s; rm -f %s/cutting"):format(pid, dir)) end
end

--- @tparam string moult absolute path of the program
-- @tparam boolean quick
-- @tparam function report
function M.measure(moult, quick, report)
  local bench, mib = rig.new(moult), quick and 1 or 4
  bench:device(mib)
  bench:package("update.upd", mib, 2)
  local size = tonumber(rig.run(("stat -c %%s %s/www/update.upd"):format(rig.quote(bench.dir))):match "%d+")
  for _, row in ipairs(CUTS) do
    local said, stop = serve(bench, row[1])
    bench:reset()
    rig.run(("timeout %d %s install http://127.0.0.1:%d/update.upd -c %s -q"):format(PATIENCE, rig.quote(moult),
      (said()), bench.config), { [4] = true })
    local _, bytes, connections = said()
    stop()
    report(("link %d KB"):format(row[1] // 1000), "%d bytes received for %d, over %d connections: %.4f x (aim <= %s x)",
      bytes, size, connections, bytes / size, row[2])
  end
  bench:close()
end

return M
