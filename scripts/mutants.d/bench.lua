--- Where a wrong line is compiled, linked into checks and asked about.
--
-- Run from the top of the tree; all that it makes lies in a folder of its own.
--
-- @module bench

local modules = require "modules"

local M = {}

-- A wrong program may not end: of the processor it gets FACTOR times what it takes with the
-- module as it is, and GRACE seconds. One that waits for ever has WAIT seconds more than ten times
-- what the sound one took by the clock. Nothing takes more than PATIENCE of either: a machine that
-- has much to do is not taken for a check that noticed.
local PATIENCE, WAIT, FACTOR, GRACE = 1200, 60, 5, 2
local SKIPPED = 77 -- exit code of a check that cannot be asked here

-- One too far ends the program, and what was never set is not zero by chance.
local WATCHED = " -fsanitize=undefined -fsanitize-undefined-trap-on-error -ftrivial-auto-var-init=pattern"

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

function M.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local read, output = M.read, M.output

local Bench = {}
Bench.__index = Bench

--- @tparam string build the folder of the build
function M.new(build)
  local dir, top = output "mktemp -d":match "[^\n]+", output "pwd":match "[^\n]+"
  -- A program looks for its Lua modules beside itself, and some specs run it as another user.
  os.execute(("chmod 711 %s && ln -s %s/lua %s/lua"):format(dir, top, dir))
  return setmetatable({ build = build, dir = dir, top = top, commands = {}, originals = {}, sound = {},
    taken = {} }, Bench)
end

function Bench:command(target)
  if not self.commands[target] then
    local last
    for line in output(("ninja -C %s -t commands %s"):format(self.build, target)):gmatch "[^\n]+" do last = line end
    self.commands[target] = assert(last, "no command makes " .. target)
  end
  return self.commands[target]
end

-- The library that a module is part of.
local function library_of(path)
  return path:find "^runtime/client/" and "libmoult" or "moult_runtime"
end

-- Compile a text in the place of a module's source; the path of the object, or nil.
function Bench:compile(mutant, text)
  local source, object = ("%s/%s.c"):format(self.dir, mutant.module), ("%s/%s.o"):format(self.dir, mutant.module)
  local command = self:command(("CMakeFiles/%s.dir/%s.o"):format(library_of(mutant.path), mutant.path))
  write(source, text)
  command = command:gsub("^ccache ", ""):gsub(" %-MD.*$", ""):gsub(" %-Werror", " -w"):gsub(" %-O%d", " -O1" .. WATCHED)
  command = command:gsub(" %-D_FORTIFY_SOURCE=%d", "") -- it calls others than those that a check plays
  local folder = ("%s/%s"):format(self.top, mutant.path:match "^(.*)/") -- its private headers
  if os.execute(("cd %s && %s -I %s -c %s -o %s 2>/dev/null"):format(self.build, command, folder, source, object)) then
    return object
  end
end

function Bench:sound_object(module)
  return ("%s/%s.sound.o"):format(self.dir, module)
end

-- The object's code, to tell changes that change nothing.
function Bench:original(mutant)
  if not self.originals[mutant.module] then
    self.originals[mutant.module] = read(assert(self:compile(mutant, mutant.source), "does not compile as it is"))
    write(self:sound_object(mutant.module), self.originals[mutant.module])
  end
  return self.originals[mutant.module]
end

-- libmoult calls its own functions, not those of a program: its other objects are linked instead of it.
local BESIDE = " $(ls CMakeFiles/libmoult.dir/runtime/client/*.o | grep -v /%s.c.o)"

-- Link a check with the object; its path.
function Bench:link(check, object, module)
  local program = ("%s/%s"):format(self.dir, check)
  local place = " %-o " .. check:gsub("%p", "%%%0")
  local own = (" %%S+/runtime/%%w+/%s%%.c%%.o"):format(module) -- a check may be made of the module itself
  local command = self:command(check):gsub(own, ""):gsub(place, (" %s -o %s"):format(object, program), 1)
  command = command:gsub(" libmoult%.so%S*", (BESIDE:format(module)))
  if os.execute(("cd %s && { %s ; } >/dev/null 2>&1"):format(self.build, command)) then return program end
  return nil
end

-- A wrong program may send its signals to anybody, and leave processes behind:
-- it sees only its own, and they go with it. Their first is a shell, so that
-- those who lost their parent are not the program's.
local APART = [[unshare --pid --fork --kill-child --mount-proc sh -c '"$@"; exit $?' sh]]
if not os.execute(APART .. " true >/dev/null 2>&1") then APART = nil end

-- Modules that signal processes are not tried where nothing holds them apart.
local SIGNALS = { child = true, processes_system = true, supervisor = true, supervisor_script = true,
  supervisor_protocol = true, supervisor_trouble = true, orphans = true }

-- Whether it fails, and with which exit code: 124 when it waited for too long.
function Bench:fails(program, words, limit, patience)
  local run = "cd %s && ulimit -v 4000000 && ulimit -t %d && timeout -k 1 %d %s %s %s >%s/out 2>&1 </dev/null;" ..
    " code=$?; times >%s/times; exit $code"
  local folder = modules.is_spec(words) and self.top or self.build
  local ok, _, code = os.execute(run:format(folder, limit, patience, APART or "", program, words, self.dir, self.dir))
  return not ok and code ~= SKIPPED, code
end

-- Seconds of the processor that the last program took, with those that it waited for.
function Bench:processor()
  local seconds = 0
  for minutes, rest in read(self.dir .. "/times"):match "\n(.*)":gmatch "(%d+)m([%d.]+)s" do
    seconds = seconds + 60 * tonumber(minutes) + tonumber(rest)
  end
  return seconds
end

-- A check that fails with the module as it is, compiled as its wrong ones are, would notice everything.
-- One that failed is asked again the next time: perhaps the machine was at its end.
function Bench:is_sound(check, words, module)
  local name = check .. words .. module
  if not self.sound[name] then
    local program = assert(self:link(check, self:sound_object(module), module))
    local began = os.time()
    local failed, code = self:fails(program, words, PATIENCE, PATIENCE)
    self.sound[name] = not failed
    self.taken[check .. words] = not failed and { processor = self:processor(), clock = os.time() - began } or nil
    os.remove(program)
    if failed then
      local last = read(self.dir .. "/out"):match "([^\n]*)\n?$"
      print(("  %s %s fails with %s as it is (exit code %d: %s): it can tell nothing"):format(check, words, module,
        code, last))
    end
  end
  return self.sound[name]
end

-- Seconds of the processor and by the clock that a wrong one may take; nil of a check that can tell nothing.
function Bench:limits(check, words, module)
  if not self.taken[check .. words] and not self:is_sound(check, words, module) then return nil end
  local taken = self.taken[check .. words]
  return math.min(PATIENCE, math.ceil(FACTOR * taken.processor) + GRACE), math.min(PATIENCE, 10 * taken.clock + WAIT)
end

function Bench:notices(check, words, object, module)
  local limit, patience = self:limits(check, words, module)
  if not limit then return false end
  local program = self:link(check, object, module)
  if not program then return nil end -- it names what there is not
  local noticed = self:fails(program, words, limit, patience)
  -- Specs wait for processes, and a busy machine may fail one.
  if noticed and modules.is_spec(words) then noticed = self:fails(program, words, limit, patience) end
  os.remove(program)
  return noticed and self:is_sound(check, words, module)
end

local function changed(mutant)
  local number, lines = 0, {}
  for line in (mutant.source .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    lines[number] = line
  end
  if mutant.swap then
    lines[mutant.line], lines[mutant.line + 1] = lines[mutant.line + 1], lines[mutant.line]
  else
    lines[mutant.line] = mutant.to
  end
  return table.concat(lines, "\n")
end

-- What notices it of some programs; "none" when it cannot be linked.
function Bench:ask(programs, object, module)
  for _, program in ipairs(programs) do
    local noticed = self:notices(program[1], program[2], object, module)
    if noticed == nil then return "none" end
    if noticed then return program[1] .. " " .. program[2] end
  end
end

--- "none" does not compile, "same" the same code, or what noticed it; nil: nothing did.
-- @tparam table mutant
-- @tparam string|nil only "quick": what takes seconds is asked alone; "late": what takes minutes
function Bench:try(mutant, only)
  if not APART and SIGNALS[mutant.module] then return "none" end
  local original = self:original(mutant)
  local object = self:compile(mutant, changed(mutant))
  if not object then return "none" end
  if read(object) == original then return "same" end
  return only ~= "late" and self:ask(modules.programs(mutant.module, mutant.from), object, mutant.module) or
    only ~= "quick" and self:ask(modules.late(mutant.module, mutant.path), object, mutant.module) or nil
end

function Bench:close()
  os.execute("rm -rf " .. self.dir)
end

return M
