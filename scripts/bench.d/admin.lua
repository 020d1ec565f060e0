--- What an admin server costs the depot beside it: run in the host.
--
--     moult scripts/bench.d/admin.lua MOULT PROGRAM BYTES SECONDS
--
-- PROGRAM is built from crowd.c: it asks Luat's queries one after the other, first alone, then while eight clients try
-- to log in without a pause. Then a sparse file of BYTES is uploaded while somebody asks GET /me. Prints a line `name
-- value` for each figure: median (ms) of a query alone and in the flood, tries; the slowest GET /me (ms), peak (KiB of
-- the admin server).

local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"

local MOULT, PROGRAM, BYTES, SECONDS = arg[1], arg[2], arg[3], arg[4]

local function output(format, ...)
  local pipe <close> = assert(io.popen(format:format(...)))
  return pipe:read "a"
end

-- The median of Luat's queries, in ms.
local function median(port)
  local query = "'/api/site/firmware_upgrade?project_key=k&imei=866714040000001&firmware_name=METER_core"
    .. "&core_version=1&dfota=1&version=1.0.0'"
  local result = output("'%s' 127.0.0.1 %s 0 /METER.upd %s 1 %s %s %s", PROGRAM, port, SECONDS, query, query, query)
  return result:match "median ([%d.]+)"
end

local FLOOD = [[
for i in 1 2 3 4 5 6 7 8; do
  while [ ! -e %s/stop ]; do
    curl -s -o /dev/null -H 'Origin: %s' -H 'Content-Type: application/json' \
      -d '{"name":"user'$i'","password":"correct horse battery"}' %s/api/v1/session && echo >>%s/tries
  done &
done
wait]]

local function flood(folder, port, url)
  local dir = folder.dir
  local pipe = assert(io.popen(FLOOD:format(dir, url, url, dir)))
  local value = median(port)
  folder.write("stop", "")
  pipe:close()
  print("flooded", value)
  print("tries", (output("wc -l <%s/tries", dir):match "%d+"))
end

-- A token of an admin, by the store.
local function token_of(dir)
  local kept = assert(require("depot.store").open(natives, dir .. "/packages", 2000))
  local secret = depot_world.user(kept, "bench", { [""] = "admin" })
  kept:close()
  return secret
end

local UPLOAD = [[truncate -s %s '%s/sparse.upd' && MOULT_TOKEN=%s '%s' depot api upload '%s/sparse.upd' --server %s \
  --progress none >'%s/upload' 2>&1; echo >'%s/uploaded']]

local function upload(dir, url)
  local token = token_of(dir)
  local pid = output("pgrep -f 'depot admi[n] %s/packages'", dir):match "%d+"
  local pipe = assert(io.popen(UPLOAD:format(BYTES, dir, token, MOULT, dir, url, dir, dir)))
  local worst = 0
  repeat
    local said = output("curl -s -o /dev/null -w '%%{http_code} %%{time_total}' -H 'Authorization: Bearer %s' "
      .. "%s/api/v1/me; sleep 0.1", token, url)
    local status, seconds = said:match "^(%d+) ([%d.]+)"
    assert(status == "200", said)
    worst = math.max(worst, tonumber(seconds) * 1000)
    local ended = io.open(dir .. "/uploaded")
    if ended then ended:close() end
  until ended
  pipe:close()
  -- All bytes came, and then it is no package.
  local why <close> = assert(io.open(dir .. "/upload"))
  local text = why:read "a"
  assert(text:find("corrupt", 1, true) or text:find("untrusted", 1, true), text)
  print("asked", ("%.1f"):format(worst))
  print("peak", output("grep VmHWM /proc/%s/status", pid):match "%d+")
end

local function run(dir)
  local folder = depot_world.folder(dir)
  folder.pack("METER.upd", "k", 2, "1.0.1")
  assert(os.execute(("'%s' depot '%s/packages' --listen 127.0.0.1:0 --admin 127.0.0.1:0 --pace 100000000 "
    .. "--connections 100 >'%s/log' 2>&1 & echo $! >'%s/pid'"):format(MOULT, dir, dir, dir)))
  local port, url
  repeat
    os.execute "sleep 0.1"
    local file <close> = assert(io.open(dir .. "/log"))
    local text = file:read "a"
    port, url = text:match "listening on http://[%d.]+:(%d+)", text:match "admin on (http://[%d.:]+)"
  until port and url
  print("alone", median(port))
  flood(folder, port, url)
  upload(dir, url)
end

local dir = output('mktemp -d "${TMPDIR:-/tmp}/moult-bench.XXXXXX"'):match "%S+"
local ok, why = xpcall(run, debug.traceback, dir)
os.execute(("kill $(cat %s/pid); sleep 1; rm -rf %s"):format(dir, dir))
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end
