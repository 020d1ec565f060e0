--- Makes wrong programs, one line each, and sees whether a check notices.
--
--   lua5.4 main.lua BUILD [--sample N] [--seed S] [--module NAME | --known] [--part I/N] [--list] [--verbose]
--
-- Run from the top of the tree, after a build. Of each module the same share is
-- taken, picked by the seed; other lines that change change little of it. A
-- wrong line is compiled as the build compiles it and linked before the library
-- into the checks of that module. `LIVE` lines are those that nothing
-- noticed, `listed` ones those that scripts/mutants.d/listed.lua
-- gives a reason for. The last line counts.
--
-- @module main

local here = arg[0]:match "^(.*)/[^/]*$"
package.path = here .. "/?.lua;" .. package.path

local known = require "known"
local listed = require "listed"
local modules = require "modules"
local operators = require "operators"

-- A wrong program may not end: modules.lua has the seconds of the processor for
-- each check. Seconds of waiting besides: a machine that has much to do is not
-- taken for a check that noticed.
local PATIENCE = 600
local SKIPPED = 77 -- exit code of a check that cannot be asked here

-- One too far ends the program, and what was never set is not zero by chance.
local WATCHED = " -fsanitize=undefined -fsanitize-undefined-trap-on-error -ftrivial-auto-var-init=pattern"

local function read(path)
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

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function options()
  local o, i = { seed = 1, part = 0, parts = 1, build = arg[1] }, 2
  while arg[i] do
    local name, value = arg[i], arg[i + 1]
    if name == "--list" or name == "--known" or name == "--verbose" then
      o[name:sub(3)], i = true, i + 1
    elseif name == "--part" then
      o.part, o.parts, i = tonumber(value:match "^%d+"), tonumber(value:match "%d+$"), i + 2
    elseif name == "--module" then
      o.module, i = value, i + 2
    else
      o[name:match "^%-%-(%a+)$" or error("unknown option " .. name)], i = tonumber(value), i + 2
    end
  end
  return o
end

local function sorted(names)
  local result = {}
  for name in pairs(names) do result[#result + 1] = name end
  table.sort(result)
  return result
end

-- A number for a text, the same on every machine: FNV-1a, then splitmix64's mixing.
local function hash(text)
  local z = 0xcbf29ce484222325
  for i = 1, #text do z = (z ~ text:byte(i)) * 0x100000001b3 end
  z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
  z = (z ~ z >> 27) * 0x94d049bb133111eb
  return z ~ z >> 31
end

-- Where a module lies: anywhere below runtime/.
local function source_of(name)
  return output(("find runtime -name %s.c"):format(name)):match "[^\n]+"
end

local function all_mutants(only)
  local result = {}
  for _, name in ipairs(sorted(modules.checks)) do
    local path = (not only or only == name) and source_of(name)
    if path then
      local text = read(path)
      local list = operators.of(text)
      for _, m in ipairs(list) do
        m.module, m.path, m.source = name, path, text
      end
      result[#result + 1] = list
    elseif not only then
      error(("%s: no such module below runtime/"):format(name))
    end
  end
  return result
end

-- Those of known.lua, of one module or all.
local function known_mutants(only)
  local result = {}
  for _, k in ipairs(known) do
    local name, from, to, nth = k[1], k[2], k[3], k[4] or 1
    if not only or only == name then
      local path = assert(source_of(name), name .. ": no such module below runtime/")
      local m = operators.exactly(read(path), from, to, nth)
      if not m then error(("known.lua: %s has no such line: %s"):format(path, from)) end
      m.module, m.path, m.source = name, path, read(path)
      result[#result + 1] = m
    end
  end
  return result
end

local function trim(text)
  return (text:gsub("^%s+", ""))
end

local function key_of(mutant)
  return ("%s:%s: %s => %s"):format(mutant.module, mutant.inside, trim(mutant.from),
    mutant.swap and "after " .. trim(mutant.to) or trim(mutant.to))
end

-- Every list in an order that the seed makes, and that a change of other lines does not.
local function by_hash(list, seed, text_of)
  local number, seen = {}, {}
  for _, v in ipairs(list) do
    local text = text_of(v)
    seen[text] = (seen[text] or 0) + 1
    number[v] = hash(("%d %d %s"):format(seed, seen[text], text))
  end
  table.sort(list, function(a, b) return number[a] < number[b] end)
end

-- In the order in which they are tried: an equal share of each module as long as it has some.
local function pick(lists, seed)
  local result, at = {}, 1
  for _, list in ipairs(lists) do by_hash(list, seed, key_of) end
  by_hash(lists, seed, function(list) return list[1] and list[1].module or "" end)
  repeat
    local found = false
    for _, list in ipairs(lists) do
      if list[at] then
        result[#result + 1], found = list[at], true
      end
    end
    at = at + 1
  until not found
  return result
end

local Bench = {}
Bench.__index = Bench

local function new_bench(build)
  local dir, top = output "mktemp -d":match "[^\n]+", output "pwd":match "[^\n]+"
  return setmetatable({ build = build, dir = dir, top = top, commands = {}, originals = {}, sound = {} }, Bench)
end

function Bench:command(target)
  if not self.commands[target] then
    local last
    for line in output(("ninja -C %s -t commands %s"):format(self.build, target)):gmatch "[^\n]+" do last = line end
    self.commands[target] = assert(last, "no command makes " .. target)
  end
  return self.commands[target]
end

-- Compile a text in the place of a module's source; the path of the object, or nil.
function Bench:compile(mutant, text)
  local source, object = ("%s/%s.c"):format(self.dir, mutant.module), ("%s/%s.o"):format(self.dir, mutant.module)
  local command = self:command(("CMakeFiles/moult_runtime.dir/%s.o"):format(mutant.path))
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

-- Link a check with the object; its path.
function Bench:link(check, object)
  local program = ("%s/%s"):format(self.dir, check)
  local place = " %-o " .. check:gsub("%p", "%%%0")
  local command = self:command(check):gsub(place, (" %s -o %s"):format(object, program), 1)
  if os.execute(("cd %s && { %s ; } >/dev/null 2>&1"):format(self.build, command)) then return program end
  return nil
end

-- A wrong program may send its signals to anybody, and leave processes behind:
-- it sees only its own, and they go with it.
local APART = "unshare --pid --fork --kill-child --mount-proc"
if not os.execute(APART .. " true >/dev/null 2>&1") then APART = nil end

-- Modules that signal processes are not tried where nothing holds them apart.
local SIGNALS = { child = true, processes_system = true, supervisor = true, supervisor_script = true,
  supervisor_protocol = true, supervisor_trouble = true, orphans = true }

function Bench:fails(program, words, limit)
  local run = "cd %s && ulimit -v 4000000 && ulimit -t %d && timeout -k 1 %d %s %s %s >%s/out 2>&1 </dev/null"
  local ok, _, code = os.execute(run:format(self.build, limit, PATIENCE, APART or "", program, words, self.dir))
  return not ok and code ~= SKIPPED
end

-- A check that fails with the module as it is, compiled as its wrong ones are, would notice everything.
function Bench:is_sound(check, words, limit, module)
  local name = check .. words .. module
  if self.sound[name] == nil then
    local program = assert(self:link(check, self:sound_object(module)))
    self.sound[name] = not self:fails(program, words, limit)
    os.remove(program)
  end
  return self.sound[name]
end

function Bench:notices(check, words, limit, object, module)
  local program = self:link(check, object)
  if not program then return nil end -- it names what there is not
  local noticed = self:fails(program, words, limit)
  os.remove(program)
  if noticed and not self:is_sound(check, words, limit, module) then
    error(("%s %s fails with %s as it is: it can tell nothing"):format(check, words, module))
  end
  return noticed
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

--- "none" does not compile, "same" the same code, or what noticed it; nil: nothing did.
function Bench:try(mutant)
  if not APART and SIGNALS[mutant.module] then return "none" end
  local original = self:original(mutant)
  local object = self:compile(mutant, changed(mutant))
  if not object then return "none" end
  if read(object) == original then return "same" end
  for _, program in ipairs(modules.programs(mutant.module, mutant.from)) do
    local noticed = self:notices(program[1], program[2], program[3], object, mutant.module)
    if noticed == nil then return "none" end
    if noticed then return program[1] end
  end
end

function Bench:close()
  os.execute("rm -rf " .. self.dir)
end

local function main()
  local o = options()
  local chosen = o.known and known_mutants(o.module) or pick(all_mutants(o.module), o.seed)
  local most = (o.sample or math.huge) / o.parts
  local bench = new_bench(o.build)
  local count = { made = 0, noticed = 0, listed = 0, live = 0, same = 0 }
  for i, mutant in ipairs(chosen) do
    if (i - 1) % o.parts == o.part and count.made < most then
      local key = key_of(mutant)
      if o.list then
        print(("%s:%d %s"):format(mutant.path, mutant.line, key))
        count.made = count.made + 1
      else
        local reason, how = listed[key], nil
        if not reason then how = bench:try(mutant) end
        if reason then
          count.listed = count.listed + 1
          print(("  listed %s:%d %s (%s)"):format(mutant.path, mutant.line, key, reason))
        elseif how == "same" then
          count.same = count.same + 1
        elseif how == nil then
          count.live = count.live + 1
          print(("  LIVE %s:%d %s"):format(mutant.path, mutant.line, key))
        elseif how ~= "none" then
          if o.verbose then print(("  %s noticed %s"):format(how, key)) end
          count.noticed = count.noticed + 1
        end
        if how ~= "none" and how ~= "same" then count.made = count.made + 1 end
        io.stdout:flush()
      end
    end
  end
  bench:close()
  print(("mutants: %d wrong lines, %d noticed, %d listed with the reason, %d live; %d more are the same code"):format(
    count.made, count.noticed, count.listed, count.live, count.same))
  os.exit(count.live == 0)
end

main()
