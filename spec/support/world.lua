--- A device, a depot and their packages in a temporary directory, for specs
-- that run the real program. Everything listens on 127.0.0.1, port 0.
--
-- Without the host there is nothing to run: M.new is nil then.

local loop_native = require "update.native.loop"

local M = {}

local World = {}
World.__index = World

local has_host, host = pcall(require, "update.native.host")
if not has_host then return M end
local PROGRAM = host.program

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A fresh directory with a key pair.
-- @tparam[opt] string name of a directory in it, to be used instead
function M.new(name)
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  local root = dir
  if name then
    dir = dir .. "/" .. name
    assert(os.execute("mkdir -- " .. quote(dir)))
  end
  local self = setmetatable({ root = root, dir = dir, loop = assert(loop_native.new()), running = {} }, World)
  assert(os.execute(("cd %s && mkdir keys depot && %s keygen release -q 2>/dev/null && cp release.pub keys"):format(
    quote(dir), quote(PROGRAM))))
  return self
end

function World:path(name)
  return name:sub(1, 1) == "/" and name or self.dir .. "/" .. name
end

function World:write(name, text)
  local file = assert(io.open(self:path(name), "wb"))
  assert(file:write(text))
  assert(file:close())
  return self:path(name)
end

function World:read(name)
  local file = io.open(self:path(name), "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

function World:shell(command)
  return os.execute(("cd %s && %s"):format(quote(self.dir), command))
end

--- Run the program. @return exit code, standard output, standard error
function World:moult(words, ...)
  local list = { quote(PROGRAM) }
  for _, word in ipairs { words, ... } do list[#list + 1] = word end
  local _, _, code = self:shell(("MOULT_CONFIG=config.lua %s >out.txt 2>err.txt </dev/null"):format(
    table.concat(list, " ")))
  return code, self:read("out.txt"), self:read("err.txt")
end

--- Start the program in the background, by the command self.under when there is
-- one; its output goes to NAME.log, or to another file.
function World:start(name, words, log)
  self:shell(("{ MOULT_CONFIG=config.lua exec %s %s %s >>%s 2>&1 </dev/null & } ; echo $! >%s.pid"):format(
    self.under or "", quote(PROGRAM), words, log or name .. ".log", name))
  self.running[name] = tonumber(self:read(name .. ".pid"))
end

-- A process that ended and that nobody has waited for yet is not alive.
function World:alive(name)
  local file = self.running[name] and io.open(("/proc/%d/stat"):format(self.running[name]))
  if not file then return false end
  local text = file:read("a") or ""
  file:close()
  return text:match("%) (%a)") ~= "Z" and text ~= ""
end

--- Send a signal, and wait for the end of the process.
function World:stop(name, signal)
  local pid = self.running[name]
  if not pid then return end
  os.execute(("kill -%s %d 2>/dev/null"):format(signal or "TERM", pid))
  self:wait("the end of " .. name, function() return not self:alive(name) end, 15)
  self.running[name] = nil
end

--- Sleep without load.
function World:sleep(seconds)
  self.loop:poll(math.floor(seconds * 1000))
end

--- Wait until fn() gives something true, and return that; fails after `seconds`.
function World:wait(what, fn, seconds)
  local till = loop_native.now() + (seconds or 20)
  repeat
    local value = fn()
    if value then return value end
    self:sleep(0.03)
  until loop_native.now() > till
  error(("timed out waiting for %s\n%s"):format(what, self:logs()), 2)
end

function World:logs()
  local text = {}
  for _, name in ipairs { "device", "depot" } do
    local log = self:read(name .. ".log")
    if log then text[#text + 1] = ("--- %s.log\n%s"):format(name, log:sub(-6000)) end
  end
  return table.concat(text, "\n")
end

--- Wait until a log holds a pattern.
function World:wait_log(name, pattern, seconds)
  return self:wait(("%q in %s.log"):format(pattern, name), function()
    return (self:read(name .. ".log") or ""):match(pattern)
  end, seconds)
end

--- Write config.lua; `fields` is Lua text of further fields, `numbers` replaces
-- heartbeat, confirm_after and deadline.
function World:configure(fields, numbers)
  numbers = numbers or {}
  self:write("config.lua", ([[
return {
  project = "METER", product_key = %q, hardware = "rev-a", id = "866714040000001",
  state = "state", keys = "keys", heartbeat = %d, confirm_after = %d, deadline = %d,
  %s
}
]]):format(numbers.product_key or "k-123",
    numbers.heartbeat or 3, numbers.confirm_after or 1, numbers.deadline or 20, fields or ""))
end

local MAIN = [[
PROJECT, VERSION, PRODUCT_KEY = "METER", %q, %q
local sys = require "sys"
local update = require "update"
%s
sys.run()
]]

--- Make a package of a script, a core or both; `o`: version, sequence, body
-- (Lua between the requires and sys.run), files ({[name] = text} beside
-- main.lua), core ({version, image = text, name, from = {version, image}}), manifest (Lua text of
-- further recipe fields), name (file name). @return its path
function World:pack(o)
  local folder = "src-" .. o.sequence
  self:shell(("rm -rf %s && mkdir %s %s/app"):format(folder, folder, folder))
  local recipe = { ('return { project = "METER", product_key = %q, hardware = { "rev-a" }, sequence = %d,'):format(
    o.product_key or "k-123", o.sequence) }
  if o.version then
    self:write(folder .. "/app/main.lua", MAIN:format(o.version, o.product_key or "k-123", o.body or ""))
    for name, text in pairs(o.files or {}) do
      self:shell(("mkdir -p %s/app/%s"):format(folder, name:match("^(.*)/") or ""))
      self:write(folder .. "/app/" .. name, text)
    end
    recipe[#recipe + 1] = ('version = %q, script = { dir = "app" },'):format(o.version)
  end
  if o.core then
    self:write(folder .. "/core.img", o.core.image)
    local old, from = o.core.from, ""
    if old then
      self:write(folder .. "/old.img", old.image)
      from = ('from = { { version = %d, image = "old.img" } }'):format(old.version)
    end
    recipe[#recipe + 1] = ('core = { name = %q, version = %d, image = "core.img", encoding = %q, %s },'):format(
      o.core.name or "Luat_RDA8910", o.core.version, o.core.encoding or "zstd", from)
  end
  recipe[#recipe + 1] = (o.manifest or "") .. "}"
  self:write(folder .. "/recipe.lua", table.concat(recipe, "\n"))
  local name = o.name or ("p%d.upd"):format(o.sequence)
  local code, _, err = self:moult("pack", folder .. "/recipe.lua", "-k release.key -q -o", name)
  assert(code == 0, err)
  return self:path(name)
end

--- Make the package of a hotfix; `o`: sequence, name ("clock"), version (the sequence), base ("1.0.0") and base_part
-- ("script"), product_key, lua and files ({[name] = text} below lua/ and files/), test (text of test.lua), file (its
-- name).
-- @return the name of the package
function World:pack_fix(o)
  local folder = "fix-" .. o.sequence
  self:shell(("rm -rf %s && mkdir -p %s/fix"):format(folder, folder))
  for _, kind in ipairs { "lua", "files" } do
    for name, text in pairs(o[kind] or {}) do
      self:shell(("mkdir -p %s/fix/%s"):format(folder, kind))
      self:write(("%s/fix/%s/%s"):format(folder, kind, name), text)
    end
  end
  if o.test then self:write(folder .. "/fix/test.lua", o.test) end
  self:write(folder .. "/recipe.lua", ([[return { project = "METER", product_key = %q, sequence = %d,
    hotfix = { dir = "fix", name = %q, version = %q, base = { %s = %q } } }]]):format(o.product_key or "k-123",
    o.sequence, o.name or "clock", o.version or tostring(o.sequence), o.base_part or "script", o.base or "1.0.0"))
  local name = o.file or ("fix%d.upd"):format(o.sequence)
  local code, _, err = self:moult("pack", folder .. "/recipe.lua", "-k release.key -q -o", name)
  assert(code == 0, err)
  return name
end

--- Install a package on the device that runs, and expect an exit code (0); what the command says.
function World:install(name, expected)
  local code, _, err = self:moult("install -q", name)
  assert(code == (expected or 0), ("install %s: exit code %d: %s"):format(name, code, err))
  return err
end

--- The ledger of hotfixes, an array of "name version state".
function World:ledger()
  local _, out = self:moult "hotfix list --json"
  local rows = {}
  for i, row in ipairs(require("update.native.json").decode(out).hotfixes) do
    rows[i] = ("%s %s %s"):format(row.name, row.version, row.state)
  end
  return rows
end

--- Serve packages of the folder `depot`; self.url is its address.
function World:serve()
  self:start("depot", "depot depot --listen 127.0.0.1:0 --keys keys")
  self.url = self:wait_log("depot", "listening on (http://%S+)")
  return self.url
end

--- `moult run`, until the agent answers.
function World:run(log)
  self:start("device", "run", log)
  self:wait("the agent", function()
    return self:alive("device") and self:shell("test -S state/control")
  end)
end

--- A pipe that is open for reading, and that nobody reads.
-- @treturn string its name
function World:unread()
  self:shell("mkfifo unread; { exec sleep 1000 <unread & } ; echo $! >reader.pid")
  self.running.reader = tonumber(self:read("reader.pid"))
  return "unread"
end

--- The values of mit.ini by key.
function World:mit()
  local values = {}
  for key, value in self:read("mit.ini"):gmatch "(%l+)=([^\r\n]*)\r\n" do values[key] = value end
  return values
end

--- status --json as a table.
function World:status()
  local code, out, err = self:moult("status --json")
  if code ~= 0 then return nil, err end
  return assert(require("update.native.json").decode(out))
end

--- The only device of a depot that serves the folder "depot", as its status tells; {} while there is none.
function World:depot_device()
  local _, out = self:moult "depot status depot --json"
  local status = require("update.native.json").decode(out)
  return status and status.devices[1] or {}
end

--- Wait until the depot has this state and release of its only device.
-- @treturn table the device
function World:wait_depot(state, release, seconds)
  return self:wait(("%s of %s at the depot"):format(state, release), function()
    local row = self:depot_device()
    return row.state == state and row.release == release and row
  end, seconds)
end

--- Wait until the status has these values; "idle"-like fields by name.
function World:wait_status(expected, seconds)
  return self:wait("status " .. require("update.native.json").encode(expected), function()
    local status = self:status()
    for name, value in pairs(expected) do
      if not status or status[name] ~= value then return nil end
    end
    return status
  end, seconds)
end

-- Deterministic bytes that do not compress.
local function noise(size, seed)
  local parts, state = {}, seed
  for i = 1, size // 8 do
    state = state * 6364136223846793005 + 1442695040888963407
    parts[i] = string.pack("<i8", state ~ (state >> 29))
  end
  return table.concat(parts)
end

--- The text of a Lua file that is large: a comment of `size` random bytes, in hex.
function M.ballast(size)
  return "--" .. noise(size, size):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
end

--- A core of some version, for pack().
-- @tparam integer version
-- @tparam[opt=65536] integer size bytes
function M.core(version, size)
  return { version = version, image = noise(size or 65536, version) }
end

--- Slots, a depot that is asked every `period` seconds, and release 1.0.0 with
-- core 17 provisioned. `o`: body (Lua of main.lua), files (as for pack()), config (Lua of further
-- fields), numbers (as configure()), period, slot (bytes), port (of the depot as the device sees it)
function World:device(o)
  o = o or {}
  for _, name in ipairs { "a", "b" } do
    self:write(("slot-%s.img"):format(name), ("\0"):rep(o.slot or 1 << 20))
  end
  if not self.url then self:serve() end
  self:configure(([[
  core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
  cloud = { kind = "luat", url = "http://127.0.0.1:%d/api/site/firmware_upgrade", period = %d },
  %s]]):format(o.port or tonumber(self.url:match(":(%d+)$")), o.period or 1, o.config or ""), o.numbers)
  self:pack { sequence = 1, version = "1.0.0", core = M.core(17), body = o.body, files = o.files }
  local code, _, err = self:moult "provision p1.upd -q"
  assert(code == 0, err)
end

--- Offer release 1.0.1, sequence 2, at the depot. `o` as for pack(). It comes
-- whole, and with a list: else it is held back for some seconds.
function World:publish(o)
  o = o or {}
  o.sequence, o.version, o.name = o.sequence or 2, o.version or "1.0.1", "published.upd"
  self:pack(o)
  -- The deltas first, or the full package is what a device finds: the depot may look between the two.
  assert(self:shell [[for file in published-*.upd published.upd; do
    [ -f "$file" ] || continue
    name=depot/p2${file#published} && echo '*' >"$name.devices" && mv "$file" "$name" || exit 1
  done]])
  if o.core and o.core.from then self:wait_log("depot", "p2%-from%-%d+%.upd: added") end
  return self:path "depot/p2.upd"
end

--- Relay the depot through a slow link.
-- @tparam integer rate bytes a second towards the device
-- @tparam[opt] integer port of another server
-- @treturn integer the relay's port; self:passed() tells how many bytes passed
function World:slow_link(rate, port)
  local pipe = assert(io.popen(("echo $$; exec lua5.4 scripts/demo.d/slowlink.lua %s %d %s"):format(
    port or self.url:match(":(%d+)$"), rate, quote(self:path("passed")))))
  self.running.link = pipe:read("n")
  self.link = pipe
  return pipe:read("n")
end

function World:passed()
  return tonumber(self:read("passed") or "") or 0
end

--- Wait until the last outcome has this code word.
function World:wait_last(code, seconds)
  return self:wait("last " .. code, function()
    local status = self:status()
    return status and type(status.last) == "table" and status.last.code == code and status
  end, seconds)
end

--- The history, an array of "event release".
function World:history()
  local _, out = self:moult "history --json"
  local events = {}
  for _, event in ipairs(require("update.native.json").decode(out)) do
    events[#events + 1] = ("%s %s"):format(event.event, event.release)
  end
  return events
end

--- End every process and remove the directory. Fails when a process of ours
-- was found faulty by a sanitizer.
function World:close()
  for name in pairs(self.running) do
    if self:alive(name) then self:stop(name, "KILL") end
  end
  local logs = self:logs()
  if self.link then self.link:close() end
  self.loop:close()
  os.execute("rm -rf " .. quote(self.root))
  assert(not logs:find("Sanitizer", 1, true) and not logs:find("runtime error:", 1, true), logs)
end

--- The body of a script that knows how full its battery is, and says when the
-- agent can ask it: before that, policy skips the rule.
function M.battery(percent)
  return ([[
update.setup { facts = function() return { battery = %d } end }
sys.taskInit(function()
  update.status()
  print("the agent is there")
end)]]):format(percent)
end

--- The body of a script that works and says so.
M.TICK = [[
sys.taskInit(function() while true do print("working " .. VERSION) sys.wait(200) end end)
]]

--- What a pattern finds in a text, an array.
function M.lines(text, pattern)
  local list = {}
  for match in (text or ""):gmatch(pattern) do list[#list + 1] = match end
  return list
end

--- A provisioned device that runs 1.0.0.
-- @tparam table o fields and numbers of the configuration, body and core of 1.0.0
function M.provisioned(o)
  local w = M.new()
  w:configure(o.fields, o.numbers)
  local first = w:pack { version = "1.0.0", sequence = 1, body = o.body or M.TICK, core = o.core }
  local code, _, err = w:moult("provision", first)
  assert(code == 0, err)
  return w
end

--- Devices of a describe block, closed after each of its tests.
-- @tparam function after_each of busted
-- @treturn function new(o), as provisioned()
-- @treturn {table,...} those that there are; what is put into it is closed, too
function M.kept(after_each)
  local worlds = {}
  after_each(function()
    for i, w in pairs(worlds) do
      worlds[i] = nil
      w:close()
    end
  end)
  return function(o)
    local w = M.provisioned(o or {})
    worlds[#worlds + 1] = w
    return w
  end, worlds
end

return M
