--- Histories of a device with real processes: the program runs, and by a seed
-- its processes are killed and stopped, packages are installed by hand, good,
-- bad and forged ones, and rolled back. Then nothing more happens to it, and it
-- must take the last release.
--
--     moult spec/whole/real.lua [--histories N] [--from SEED] [--jobs N]
--
-- What must hold: only what is signed starts; a release is told as the one that
-- runs, with the device idle, only after its script confirmed it; floors never fall; in the end the
-- last release is confirmed and its script runs. No time is asserted, but for a
-- minute in the end.

local json = require "update.native.json"
local loop = require "update.native.loop"
local world = require "spec.support.world"

local RELEASES = 6 -- the last one is good
local LASTING = 5  -- seconds in which things happen
local PATIENCE = 60

local BODIES = {
  good = [[
sys.taskInit(function()
  sys.wait(150)
  mark("confirmed " .. VERSION)
  update.confirm()
end)]],
  crashes = "os.exit(1)",
  hangs = "while true do end",
  waits = "",
}

-- Every script says that it runs.
local MARK = [[
function mark(text)
  local file = assert(io.open(%q, "a"))
  file:write(text, "\n")
  file:close()
end
mark("ran " .. VERSION)
]]

local function release(n) return ("1.0.%d"):format(n) end

-- One of what is in a list, by the seed.
local function pick(list) return list[math.random(#list)] end

local function make_packages(w)
  local packages, mark = {}, MARK:format(w:path "marks")
  for n = 1, RELEASES do
    for name, body in pairs(BODIES) do
      packages[n .. name] = w:pack {
        version = release(n), sequence = n, body = mark .. body, name = n .. name .. ".upd",
        core = n % 2 == 1 and { version = n, image = ("core %d "):format(n):rep(2000) } or nil,
      }
    end
    local text = w:read(n .. "good.upd")
    packages[n .. "forged"] = w:write(n .. "forged.upd", text:sub(1, 560) .. (text:byte(561) == 48 and "1" or "0")
      .. text:sub(562))
  end
  return packages
end

-- The processes of the device, by name.
local function processes(w)
  local found, top = {}, w:alive "device" and w.running.device
  if not top then return found end
  found.supervisor = top
  local children = io.open(("/proc/%d/task/%d/children"):format(top, top))
  if not children then return found end
  for pid in children:read("a"):gmatch("%d+") do
    local words = io.open("/proc/" .. pid .. "/cmdline")
    local text = words and words:read("a") or ""
    if words then words:close() end
    if text:find("--agent", 1, true) then found.agent = pid end
    if text:find("--script", 1, true) then found.script = pid end
  end
  children:close()
  return found
end

local function marks(w)
  local found = {}
  for line in (w:read "marks" or ""):gmatch("[^\n]+") do found[line] = true end
  return found
end

local History = {}
History.__index = History

function History:bad(format, ...)
  self.wrong = self.wrong or format:format(...)
end

-- What may be said and run at any time.
function History:judge()
  local status = self.world:status()
  local seen = marks(self.world)
  for line in pairs(seen) do
    local n = math.tointeger(tonumber(line:match("^ran 1%.0%.(%d+)$")))
    if n and self.kinds[n] == "forged" then self:bad("release %d runs, and its signature is wrong", n) end
  end
  if not status then return nil end
  for part, floor in pairs(status.floor) do
    if floor < (self.floor[part] or 0) then self:bad("the floor of %s fell to %d", part, floor) end
    self.floor[part] = floor
  end
  if status.phase == "idle" and status.release ~= release(1) and not seen["confirmed " .. status.release] then
    self:bad("%s is told as what runs, and was never confirmed", status.release)
  end
  return status
end

function History:order(words)
  self.world:shell(("MOULT_CONFIG=config.lua timeout 20 %s %s >/dev/null 2>&1 </dev/null &"):format(self.program,
    words))
end

function History:happen()
  local n, found = math.random(10), processes(self.world)
  local victim = found[pick { "supervisor", "agent", "script" }]
  if n <= 4 then
    local number = math.random(2, RELEASES - 1)
    self:order(("install -q %d%s.upd"):format(number, self.kinds[number]))
  elseif n == 5 then
    self:order("rollback")
  elseif n <= 8 and victim then
    os.execute(("kill -9 %d 2>/dev/null"):format(victim))
  elseif victim then
    os.execute(("kill -STOP %d 2>/dev/null; { sleep %.1f; kill -CONT %d 2>/dev/null; } &"):format(victim,
      math.random() * 5, victim))
  end
end

-- As a service manager does.
function History:keep_up()
  if not self.world:alive "device" then self.world:start("device", "run") end
end

-- Nothing happens any more, and the last release is offered again and again.
function History:calm_down()
  local w, status = self.world, nil
  for _, pid in pairs(processes(w)) do os.execute(("kill -CONT %d 2>/dev/null"):format(pid)) end
  for _ = 1, PATIENCE * 2 do
    self:keep_up()
    status = self:judge()
    if status and status.phase == "idle" and status.release == release(RELEASES) then break end
    -- What was fetched when its agent was killed waits for an offer, or makes way for another.
    local free = status and (status.phase == "idle" or status.phase == "fetching" or status.phase == "installing")
    if free then self:order(("install -q %dgood.upd"):format(RELEASES)) end
    w:sleep(0.5)
  end
  if not status or status.phase ~= "idle" or status.release ~= release(RELEASES) then
    return self:bad("in the end it is %s, with %s", status and status.phase or "mute", status and status.release or "?")
  end
  w:wait("the script", function() return processes(w).script end, PATIENCE)
end

local function play(w, program, seed)
  math.randomseed(seed)
  local self = setmetatable({ world = w, program = program, kinds = {}, floor = {} }, History)
  for n = 2, RELEASES - 1 do self.kinds[n] = pick { "good", "good", "crashes", "hangs", "waits", "forged" } end
  w:shell("rm -rf state slot-a.img slot-b.img marks device.log")
  local code, _, err = w:moult("provision", "-q", "1good.upd")
  if code ~= 0 then return "provision: " .. err end
  self:keep_up()
  local till = loop.now() + LASTING
  while loop.now() < till and not self.wrong do
    w:sleep(math.random() * 0.6)
    self:keep_up()
    self:happen()
    self:judge()
  end
  local ok, trouble = pcall(self.calm_down, self)
  if not ok then self:bad("%s", trouble) end
  w:stop("device", "TERM")
  return self.wrong
end

local function work(first, step, count)
  local w, wrong = world.new(), 0
  local program = require("update.native.host").program
  w:configure([[confirm = "script", core = { slots = { a = "slot-a.img", b = "slot-b.img" } },]],
    { heartbeat = 2, deadline = 4 })
  make_packages(w)
  for i = 0, count - 1 do
    local trouble = play(w, program, first + i * step)
    if trouble then
      wrong = wrong + 1
      print(("bad: seed %d: %s"):format(first + i * step, trouble))
      print((w:read "device.log" or ""):sub(-4000))
    end
  end
  w:shell("cd / && rm -rf " .. w.dir)
  print(json.encode { histories = count, wrong = wrong })
end

local function main(words)
  local number = { ["--histories"] = 100, ["--from"] = 1, ["--jobs"] = 8, ["--work"] = 0 }
  for i = 1, #words - 1, 2 do number[words[i]] = tonumber(words[i + 1]) end
  local count, jobs, pipes, histories, wrong = number["--histories"], number["--jobs"], {}, 0, 0
  if number["--work"] > 0 then return work(number["--from"], jobs, count) end
  for i = 1, math.min(jobs, count) do
    local share = (count - i) // jobs + 1
    pipes[i] = io.popen(("%s %s --work 1 --from %d --jobs %d --histories %d 2>&1"):format(arg[-1], arg[0],
      number["--from"] + i - 1, jobs, share))
  end
  for _, pipe in ipairs(pipes) do
    for line in pipe:lines() do
      local done = line:match("^{.*}$") and json.decode(line)
      if done then
        histories, wrong = histories + done.histories, wrong + done.wrong
      else
        print(line)
      end
    end
    pipe:close()
  end
  if histories ~= count then print(("bad: %d of %d histories came to their end"):format(histories, count)) end
  print(("whole-real: %d histories, %d bad"):format(histories, wrong))
  os.exit(histories == count and wrong == 0 and 0 or 1)
end

main(arg)
