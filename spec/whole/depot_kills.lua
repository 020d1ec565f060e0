--- A depot, its store process and its broker are killed at random while devices update, by a seed.
--
--     moult spec/whole/depot_kills.lua [--kills N] [--devices N] [--seed SEED]
--
-- New releases of two products come all the time: one is automatic, the other staged, with a rollout in waves for each
-- release. In the end nobody is killed any more, and each device reports once more. Then must hold: no device runs what
-- it was not offered, or an older release than before its last failure; the depot knows what each device runs; a job
-- has succeeded only where its release runs, and where that runs no job has failed; every device runs the newest
-- release, or its job for it has failed; and all counts are right. The same seed gives the same chances; when a kill
-- comes is the system's.

local brokers = require "spec.support.broker"
local catalogs = require "depot.catalog"
local devices = require "spec.whole.depot_fleet"
local natives = require "update.natives"
local store = require "depot.store"
local truth = require "spec.whole.depot_truth"

local MOULT = arg[-1] or "build/moult"
local PRODUCTS = { aliyun = "a1KillsPK01", tencent = "KILLS12345" }
local EVERY = 8      -- kills, between two releases
local AT_ONCE = 250  -- descriptors that are polled

local options = { kills = 200, devices = 200, seed = 1 }
for i = 1, #arg, 2 do
  local name, value = arg[i]:match "^%-%-(%l+)$", math.tointeger(tonumber(arg[i + 1]))
  if not options[name or ""] or not value then
    io.stderr:write "usage: moult spec/whole/depot_kills.lua [--kills N] [--devices N] [--seed SEED]\n"
    os.exit(2)
  end
  options[name] = value
end

-- Seconds without an end in sight.
local PATIENCE = 60 + options.devices // 10

local loop = assert(natives.loop.new())
local state = options.seed * 2654435761 + 88172645463325252

local function chance(n)
  state = state ~ (state << 13)
  state = state ~ (state >> 7)
  state = state ~ (state << 17)
  return (state >> 11) % n + 1
end

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a" or ""
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function shell(format, ...)
  local command = format:format(...)
  assert(os.execute(command), command)
end

local World = {}
World.__index = World

-- Make the packages of all releases; none is in the folder yet.
function World:pack()
  shell("cd '%s' && mkdir packages ready app && '%s' keygen kills -q 2>/dev/null && cp kills.pub packages/", self.dir,
    MOULT)
  self.releases = options.kills // EVERY + 1
  for sequence = 2, self.releases + 1 do
    for cloud, product in pairs(PRODUCTS) do
      write(self.dir .. "/app/main.lua", ('PROJECT, VERSION = "%s", "1.0.%d"\n'):format(cloud:upper(), sequence))
      write(self.dir .. "/recipe.lua", ([[return { project = "%s", product_key = "%s", sequence = %d,
        version = "1.0.%d", script = { dir = "app" } }]]):format(cloud:upper(), product, sequence, sequence))
      shell("cd '%s' && '%s' pack recipe.lua -o ready/%s_1.0.%d.upd -k kills.key -q >/dev/null", self.dir, MOULT,
        cloud:upper(), sequence)
    end
  end
end

-- Start the depot. Its port stays the same, since links lead there.
function World:start()
  shell("cd '%s' && { exec '%s' depot packages --listen 127.0.0.1:%d --mqtt 127.0.0.1:%d --pace 1000 >>depot.log 2>&1 "
    .. "</dev/null & } ; echo $! >depot.pid", self.dir, MOULT, self.port, self.broker.port)
  self.pid = read(self.dir .. "/depot.pid"):match "%d+"
end

function World:is_alive()
  local stat = read(("/proc/%s/stat"):format(self.pid))
  return stat ~= "" and stat:match "%) (%a)" ~= "Z"
end

function World:kill(signal)
  shell("kill -%s %s", signal, self.pid)
  while self:is_alive() do loop:poll(5) end
end

-- The devices do what they do for a while.
function World:live(seconds)
  local till = natives.loop.now() + seconds
  repeat
    local watches = {}
    for i, device in ipairs(self.devices) do
      local fd = device.mqtt:fd()
      if fd then watches[#watches + 1] = { fd = fd, read = true, write = device.mqtt:wants_write() } end
      if #watches == AT_ONCE or i == #self.devices then
        assert(loop:poll(5, watches))
        watches = {}
      end
    end
    local now = natives.loop.now()
    for _, device in ipairs(self.devices) do device:step(now) end
  until now >= till
end

local PLAN = { waves = { 25, 60, 100 }, soak = 0, advance = "time", limit = {}, done = 60, least = 1, in_flight = 100,
  retries = 2, backoff = 2, members = "open" }

-- The next release comes: for one product a package is enough, for the other a rollout begins.
function World:publish()
  self.newest = self.newest + 1
  for cloud in pairs(PRODUCTS) do
    shell("cp -l '%s/ready/%s_1.0.%d.upd' '%s/packages/'", self.dir, cloud:upper(), self.newest, self.dir)
  end
  local known = catalogs.new(natives, self.dir .. "/packages")
  assert(known:refresh())
  local manifest = known:file(("TENCENT_1.0.%d.upd"):format(self.newest)).manifest
  local kept = assert(store.open(natives, self.dir .. "/packages", 5000))
  assert(kept:change())
  assert(kept:roll_out({ package = manifest.digest, target = manifest.release, hash = manifest.product_key,
    plan = PLAN }, os.time() * 1000))
  assert(kept:commit())
  kept:close()
end

-- Products and devices, before the depot is first started.
function World:register()
  local names = {}
  for i = 1, options.devices do
    local cloud = i % 2 == 0 and "tencent" or "aliyun"
    self.devices[i] = devices.new { cloud = cloud, product = PRODUCTS[cloud], name = ("dev%04d"):format(i),
      port = self.broker.port, chance = chance, faults = self.faults, seen = self.seen, base = "1.0.1" }
    if cloud == "tencent" then names[#names + 1] = self.devices[i].name end
  end
  write(self.dir .. "/names", table.concat(names, "\n") .. "\n")
  for cloud, mode in pairs { aliyun = "auto", tencent = "staged" } do
    shell("cd '%s' && '%s' depot product add packages %s --product %s --cloud %s --mode %s >/dev/null", self.dir, MOULT,
      cloud:upper(), PRODUCTS[cloud], cloud, mode)
  end
  shell("cd '%s' && '%s' depot device add packages --product %s --cloud tencent --devices names >/dev/null", self.dir,
    MOULT, PRODUCTS.tencent)
end

-- Kill the store process, which the depot starts anew.
function World:kill_store()
  local pid = read(("/proc/%s/task/%s/children"):format(self.pid, self.pid)):match "%d+"
  if pid then shell("kill -KILL %s 2>/dev/null || true", pid) end
end

-- Kill the depot, its store process, the broker, or depot and broker, and start them again.
function World:strike()
  local who = chance(5)
  if who == 5 then return self:kill_store() end
  if who ~= 1 then self:kill "KILL" end
  if who == 1 or who == 4 then self.broker:stop "KILL" end
  self:live(chance(50) / 100)
  if who == 1 or who == 4 then self.broker:restart() end
  if who ~= 1 then self:start() end
end

-- Wait until nothing changes any more.
function World:settle()
  local till, before = natives.loop.now() + PATIENCE, nil
  while natives.loop.now() < till do
    self:live(3)
    local now = self:standing()
    local idle = true
    for _, device in ipairs(self.devices) do idle = idle and device:is_idle() end
    if idle and now == before then return end
    before = now
  end
end

-- What the store says of all devices, as one text.
function World:standing()
  local kept, parts = assert(store.open(natives, self.dir .. "/packages", 5000)), {}
  for i, row in ipairs(assert(kept:devices())) do
    parts[i] = ("%s %s %s %s"):format(row.device, row.release, row.target, row.state)
  end
  kept:close()
  return table.concat(parts, "\n")
end

function World:run()
  self:pack()
  self:register()
  self:start()
  for kill = 1, options.kills do
    if kill % EVERY == 1 then self:publish() end
    self:live(0.3 + chance(200) / 100)
    self:strike()
  end
  self:settle()
  for _, device in ipairs(self.devices) do device:report() end -- what was lost with a depot
  self:settle()
  truth.check(self)
end

local function new()
  local self = setmetatable({ devices = {}, faults = {}, seen = {}, newest = 1, port = brokers.free_port() }, World)
  self.broker = brokers.start { persistence = true, lines = { "autosave_interval 1", "max_queued_messages 100000" } }
  self.dir = self.broker.dir
  return self
end

local world = new()
local ok, why = xpcall(world.run, debug.traceback, world)
if world.pid and world:is_alive() then world:kill "TERM" end
local kept_log = read(world.dir .. "/depot.log")
for _, device in ipairs(world.devices) do device:close() end
local parts = {}
for what, n in pairs(world.seen) do parts[#parts + 1] = ("%s %d"):format(what, n) end
table.sort(parts)
print(("seed %d: %d kills, %d devices, %d releases: %s; %d wrong"):format(options.seed, options.kills, options.devices,
  world.newest - 1, table.concat(parts, ", "), #world.faults))
for i = 1, math.min(20, #world.faults) do print(world.faults[i]) end
if not ok or kept_log:find("stack traceback", 1, true) then io.stderr:write(why or kept_log, "\n") end
if os.getenv "KEEP" then shell("cp -r '%s' '%s'", world.dir, os.getenv "KEEP") end
world.broker:close()
os.exit(ok and #world.faults == 0 and not kept_log:find("stack traceback", 1, true) and 0 or 1)
