--- Makes wrong programs, one line each, and sees whether a check notices.
--
--   lua5.4 main.lua BUILD [--sample N] [--seed S] [--module NAME [--line N] | --known | --keys FILE] [--after N]
--     [--part I/N] [--quick | --late] [--list] [--verbose]
--
-- Run from the top of the tree, after a build. Of each module the same share is
-- taken, picked by the seed; other lines that change change little of it. A
-- wrong line is compiled as the build compiles it and linked before the library
-- into the checks of that module; what is alive then is shown to more of the
-- program, unless --quick; with --late to that alone. --line N takes those of that line, --keys those that
-- a file names as they are printed here, --after N leaves out the first N. `LIVE`
-- lines are those that nothing noticed, `listed` ones those that
-- scripts/mutants.d/listed.lua gives a reason for. The last line counts.
--
-- @module main

local here = arg[0]:match "^(.*)/[^/]*$"
package.path = here .. "/?.lua;" .. package.path

local bench = require "bench"
local known = require "known"
local listed = require "listed"
local modules = require "modules"
local operators = require "operators"

local read, output = bench.read, bench.output

local function options()
  local o, i = { seed = 1, after = 0, part = 0, parts = 1, build = arg[1] }, 2
  while arg[i] do
    local name, value = arg[i], arg[i + 1]
    if name == "--list" or name == "--known" or name == "--verbose" then
      o[name:sub(3)], i = true, i + 1
    elseif name == "--quick" or name == "--late" then
      o.only, i = name:sub(3), i + 1
    elseif name == "--part" then
      o.part, o.parts, i = tonumber(value:match "^%d+"), tonumber(value:match "%d+$"), i + 2
    elseif name == "--module" or name == "--keys" then
      o[name:sub(3)], i = value, i + 2
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

local function all_mutants(only, line)
  local result = {}
  for _, name in ipairs(sorted(modules.checks)) do
    local path = (not only or only == name) and source_of(name)
    if path then
      local text = read(path)
      local list = {}
      for _, m in ipairs(operators.of(text)) do
        m.module, m.path, m.source = name, path, text
        if not line or m.line == line then list[#list + 1] = m end
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

-- Those of a file: one a line, after the path and the number of the line, which may have moved.
local function named(lists, path)
  local wanted, found, result = {}, {}, {}
  for line in io.lines(path) do
    local key = line:match "%.c:%d+ (.+)$"
    if key then wanted[key] = true end
  end
  for _, list in ipairs(lists) do
    for _, m in ipairs(list) do
      local key = key_of(m)
      if wanted[key] then
        result[#result + 1], found[key] = m, true
      end
    end
  end
  for _, key in ipairs(sorted(wanted)) do
    if not found[key] then error(("%s: there is no such line: %s"):format(path, key), 0) end
  end
  return result
end

local function chosen_ones(lists, o)
  if not lists then return known_mutants(o.module) end
  return o.keys and named(lists, o.keys) or pick(lists, o.seed)
end

-- The list is to follow the code.
local function tell_unused(lists)
  local used = {}
  for _, list in ipairs(lists) do
    for _, m in ipairs(list) do used[key_of(m)] = true end
  end
  for _, key in ipairs(sorted(listed)) do
    if not used[key] then print("  listed, and there is no such line any more: " .. key) end
  end
end

local function main()
  local o = options()
  local lists = not o.known and all_mutants(o.module, o.line)
  if lists and not o.module then tell_unused(lists) end
  local chosen = chosen_ones(lists, o)
  local most = (o.sample or math.huge) / o.parts
  local stand = bench.new(o.build)
  local count = { made = 0, noticed = 0, listed = 0, live = 0, same = 0 }
  for i, mutant in ipairs(chosen) do
    if i > o.after and (i - 1) % o.parts == o.part and count.made < most then
      local key = key_of(mutant)
      if o.list then
        print(("%s:%d %s"):format(mutant.path, mutant.line, key))
        count.made = count.made + 1
      else
        local reason, how = listed[key], nil
        if not reason then how = stand:try(mutant, o.only) end
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
  stand:close()
  print(("mutants: %d wrong lines, %d noticed, %d listed with the reason, %d live; %d more are the same code"):format(
    count.made, count.noticed, count.listed, count.live, count.same))
  os.exit(count.live == 0)
end

main()
