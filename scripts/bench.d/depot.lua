--- How fast one depot answers: run in the host.
--
--     moult scripts/bench.d/depot.lua MOULT PROGRAM PACKAGES READERS SECONDS
--
-- PROGRAM is built from crowd.c. The folder holds PACKAGES releases of one
-- product; the clients run the newest, the oldest or one half-way. With READERS
-- the newest package has a megabyte, and that many clients download it slowly
-- meanwhile. Prints a line `name value` for each figure.

local natives = require "update.natives"
local recipe = require "cli.recipe"

local MOULT, PROGRAM = arg[1], arg[2]
local PACKAGES, READERS = math.tointeger(tonumber(arg[3])), math.tointeger(tonumber(arg[4]))
local SECONDS = arg[5]
local BATCH = READERS > 0 and 1 or 32

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function output(format, ...)
  local pipe <close> = assert(io.popen(format:format(...)))
  return pipe:read "a"
end

local function pack(dir, sequence)
  local release = ("1.0.%d"):format(sequence)
  write(dir .. "/app/main.lua", ('PROJECT, VERSION = "BENCH", "%s"\n'):format(release))
  write(dir .. "/recipe.lua", ([[return { project = "BENCH", product_key = "k", sequence = %d, version = "%s",
    script = { dir = "app" } }]]):format(sequence, release))
  local packer <close> = assert(natives.pack.open(assert(recipe.load(dir .. "/recipe.lua")),
    ("%s/packages/BENCH_%s.upd"):format(dir, release), dir .. "/bench.key"))
  repeat local word = assert(packer:step()) until word == "done"
end

local function make_packages(dir)
  for sequence = 2, PACKAGES + 1 do
    if READERS > 0 and sequence == PACKAGES + 1 then
      assert(os.execute(("head -c 1048576 /dev/urandom >%s/app/data"):format(dir)))
    end
    pack(dir, sequence)
  end
end

local function query(version, imei)
  return ("'/api/site/firmware_upgrade?project_key=k&imei=86671404000%04d&firmware_name=BENCH_core&core_version=1"
    .. "&dfota=1&version=1.0.%d'"):format(imei, version)
end

local function run(dir)
  assert(os.execute(("cd '%s' && mkdir packages packages/keys app && '%s' keygen bench -q 2>/dev/null && mv bench.pub "
    .. "packages/keys"):format(dir, MOULT)))
  make_packages(dir)
  local pipe = assert(io.popen(("echo $$; exec '%s' depot '%s/packages' --listen 127.0.0.1:0 --connections %d "
    .. "--pace 100000000 2>/dev/null"):format(MOULT, dir, READERS * 4 // 3 + 1000)))
  local pid = pipe:read "l"
  local port = pipe:read("l"):match "^listening on http://[%d.]+:(%d+)$"
  local result = output("'%s' 127.0.0.1 %s %d /BENCH_1.0.%d.upd %s %d %s %s %s", PROGRAM, port, READERS, PACKAGES + 1,
    SECONDS, BATCH, query(PACKAGES + 1, 1), query(0, 2), query(PACKAGES // 2, 3))
  os.execute("kill " .. pid)
  pipe:close()
  for name, value in result:gmatch " (%l+) ([%d.]+)" do print(name, value) end
end

local dir = output('mktemp -d "${TMPDIR:-/tmp}/moult-bench.XXXXXX"'):match "%S+"
local ok, why = xpcall(run, debug.traceback, dir)
os.execute("rm -rf " .. dir)
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end
