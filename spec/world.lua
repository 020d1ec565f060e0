--- A device, a depot and their packages in a temporary directory, for specs
-- that run the real program. Everything listens on 127.0.0.1, port 0.

local loop_native = require "update.native.loop"

local M = {}

local World = {}
World.__index = World

local PROGRAM = require("update.native.host").program

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A fresh directory with a key pair.
function M.new()
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  local self = setmetatable({ dir = dir, loop = assert(loop_native.new()), running = {} }, World)
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

--- Start the program in the background; its output goes to NAME.log.
function World:start(name, words)
  self:shell(("{ MOULT_CONFIG=config.lua exec %s %s >>%s.log 2>&1 </dev/null & } ; echo $! >%s.pid"):format(
    quote(PROGRAM), words, name, name))
  self.running[name] = tonumber(self:read(name .. ".pid"))
end

function World:alive(name)
  local pid = self.running[name]
  return pid and os.execute(("kill -0 %d 2>/dev/null"):format(pid)) == true
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

--- Write config.lua; `fields` is Lua text of further fields.
function World:configure(fields)
  self:write("config.lua", ([[
return {
  project = "METER", product_key = "k-123", hardware = "rev-a", id = "866714040000001",
  state = "state", keys = "keys", heartbeat = 3, confirm_after = 1, deadline = 20,
  %s
}
]]):format(fields or ""))
end

local MAIN = [[
PROJECT, VERSION, PRODUCT_KEY = "METER", %q, "k-123"
local sys = require "sys"
local update = require "update"
%s
sys.run()
]]

--- Make a package of a script, a core or both; `o`: version, sequence, body
-- (Lua between the requires and sys.run), files ({[name] = text} beside
-- main.lua), core ({version, image = text, name}), manifest (Lua text of
-- further recipe fields), name (file name). @return its path
function World:pack(o)
  local folder = "src-" .. o.sequence
  self:shell(("rm -rf %s && mkdir %s %s/app"):format(folder, folder, folder))
  local recipe = { ('return { project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = %d,'):format(
    o.sequence) }
  if o.version then
    self:write(folder .. "/app/main.lua", MAIN:format(o.version, o.body or ""))
    for name, text in pairs(o.files or {}) do self:write(folder .. "/app/" .. name, text) end
    recipe[#recipe + 1] = ('version = %q, script = { dir = "app" },'):format(o.version)
  end
  if o.core then
    self:write(folder .. "/core.img", o.core.image)
    recipe[#recipe + 1] = ('core = { name = %q, version = %d, image = "core.img", encoding = %q },'):format(
      o.core.name or "Luat_RDA8910", o.core.version, o.core.encoding or "zstd")
  end
  recipe[#recipe + 1] = (o.manifest or "") .. "}"
  self:write(folder .. "/recipe.lua", table.concat(recipe, "\n"))
  local name = o.name or ("p%d.upd"):format(o.sequence)
  local code, _, err = self:moult("pack", folder .. "/recipe.lua", "-k release.key -q -o", name)
  assert(code == 0, err)
  return self:path(name)
end

--- Serve packages of the folder `depot`; self.url is its address.
function World:serve()
  self:start("depot", "depot depot --listen 127.0.0.1:0 --keys keys")
  self.url = self:wait_log("depot", "listening on (http://%S+)")
  return self.url
end

--- `moult run`, until the agent answers.
function World:run()
  self:start("device", "run")
  self:wait("the agent", function()
    return self:alive("device") and self:shell("test -S state/control")
  end)
end

--- status --json as a table.
function World:status()
  local code, out, err = self:moult("status --json")
  if code ~= 0 then return nil, err end
  return assert(require("update.native.json").decode(out))
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

--- End every process and remove the directory.
function World:close()
  for name in pairs(self.running) do
    if self:alive(name) then self:stop(name, "KILL") end
  end
  self.loop:close()
  os.execute("rm -rf " .. quote(self.dir))
end

return M
