--- A device with a program under a root, for specs of updates of files with real
-- processes.

local assert = require "luassert"
local world = require "spec.support.world"

local M = {}

-- That of version "bad" ends soon.
local SOURCE = [[
#include <unistd.h>
const char version[] = "version %s";
int main(void) { if (version[8] == 'b') { usleep(2500000); return 1; } for (;;) pause(); }
]]

-- The compiled program of a version, as bytes; each is made once.
local made = {}

local function program_of(w, version)
  if not made[version] then
    w:write("program.c", SOURCE:format(version))
    assert(w:shell "cc -o program program.c")
    made[version] = w:read "program"
    w:shell "rm program program.c"
  end
  return made[version]
end

local methods = {}

--- What lies at the names that an update changes: "old", "new", or a text that says what is mixed.
function methods:tree()
  local of = { [program_of(self, "1")] = "old", [program_of(self, "2")] = "new" }
  local found = {
    of[self:read "app/bin/meter" or ""] or "other",
    ({ ["old\n"] = "old", ["new\n"] = "new" })[self:read "app/etc/conf" or ""] or "other",
    self:read "app/etc/gone" and "old" or "new",
    self:read "app/data/table" and "new" or "old",
  }
  local first = found[1]
  for i = 2, #found do
    if found[i] ~= first then return table.concat(found, " ") end
  end
  return first
end

--- The processes that run a file of the root, in order.
function methods:runs(name)
  local pids = {}
  local list = io.popen(("for d in /proc/[0-9]*; do [ \"$d/exe\" -ef '%s/app/%s' ] && echo ${d#/proc/}; done")
    :format(self.dir, name))
  for pid in list:lines() do pids[#pids + 1] = tonumber(pid) end
  list:close()
  return pids
end

--- This tree is there, "old" or "new", its program runs once, and nothing of an update is left.
-- @treturn integer the program's process
function methods:assert_runs(tree)
  assert.equal(tree, self:tree())
  local pids = self:runs "bin/meter"
  assert.equal(1, #pids)
  self:wait_tidy()
  return pids[1]
end

--- The compiled program of a version, "1" (the factory's) or "2", as bytes.
function methods:program(version) return program_of(self, version) end

--- Temporary names of ours below the root.
function methods:traces()
  local list = io.popen(("find '%s/app' -name '.moult-*'"):format(self.dir))
  local text = list:read "a"
  list:close()
  return text
end

--- Wait until none of them is left: they are removed after the verdict, which the journal has first.
function methods:wait_tidy()
  self:wait("the end of its temporary names", function() return self:traces() == "" end)
end

--- Start the program as an init system would, after some words of shell.
function methods:boot_program(before)
  assert(self:shell(("cd app/etc && { %s setsid ../bin/meter </dev/null >/dev/null 2>&1 & }"):format(before or "")))
  self:wait("the program", function() return #self:runs "bin/meter" == 1 end)
end

--- End what was started from below the root, also if its file was replaced since.
function methods:end_programs()
  os.execute(([[for d in /proc/[0-9]*; do
      case $(readlink $d/exe) in '%s/app/'*) kill -9 ${d#/proc/};; esac
    done 2>/dev/null]]):format(self.dir))
end

--- The old tree, and the device's first release. `o`: files (Lua of further fields of files), fields (of the
-- configuration), numbers (as for configure()), alone (the device has no script).
function methods:factory(o)
  o = o or {}
  self:shell "mkdir -p app/bin app/etc update"
  self:write("app/bin/meter", program_of(self, "1"))
  self:shell "chmod 755 app/bin/meter"
  self:write("app/etc/conf", "old\n")
  self:write("app/etc/gone", "old\n")
  self:configure(('files = { roots = { "%s/app" }%s }, %s%s'):format(self.dir, o.files or "",
    o.alone and "script = false, " or "", o.fields or ""), o.numbers)
  if o.alone then
    self:release { sequence = 1, unnamed = true, tree = "old" }
  else
    self:pack { sequence = 1, version = "1.0.0", body = world.TICK }
  end
  local code, _, err = self:moult "provision p1.upd -q"
  assert(code == 0, err)
end

-- update.ini lines to either tree, without the root.
local LINES = {
  new = { "meter\t/bin\t28\t2", "conf\t/etc\t4\t4", "gone\t/etc\t2\t4", "data\t\t1\t1", "table\t/data\t1\t4" },
  old = { "meter\t/bin\t28\t2", "conf\t/etc\t4\t4", "gone\t/etc\t1\t4", "data\t\t2\t1" },
}

--- A package that makes the new tree, or with `tree = "old"` the old one; without a version it has no script,
-- and with `unnamed` no release either; with `restart` nothing stops and starts the program; `program` is its version,
-- "bad" for one that ends soon; else o is as for pack().
function methods:release(o)
  local to = o.tree or "new"
  self:shell "rm -rf update && mkdir update"
  self:write("update/meter", program_of(self, o.program or to == "new" and "2" or "1"))
  self:write("update/conf", to .. "\n")
  self:write(to == "new" and "update/table" or "update/gone", to .. "\n")
  local lines = {}
  for i, line in ipairs(LINES[to]) do
    local name, rest = line:match "^(%a+)\t(.*)$"
    if o.restart then rest = rest:gsub("\t28\t", "\t4\t") end
    lines[i] = ("%s\t%s/app%s\r\n"):format(name, self.dir, rest)
  end
  self:write("update/update.ini", table.concat(lines))
  o.manifest = ('files = { dir = "../update", version = "%d", encoding = "raw" },'):format(o.sequence) ..
    ((o.version or o.unnamed) and "" or 'version = "1.0.0",') .. (o.manifest or "")
  return self:pack(o)
end

--- A hotfix that changes the tree; o: as for pack_fix(), and ini (lines, with %s for the root).
function methods:files_fix(o)
  o.files = o.files or { meter = program_of(self, "2"), conf = "new\n" }
  o.files["update.ini"] = (o.ini or "meter\t%s/bin\t28\t2\nconf\t%s/etc\t4\t4\ngone\t%s/etc\t2\t4\n")
    :gsub("%%s", function() return self.dir .. "/app" end)
  return self:pack_fix(o)
end

--- M.new() is nil where the program cannot run.
if world.new then
  function M.new()
    local w = world.new()
    for name, method in pairs(methods) do w[name] = method end
    return w
  end
end

return M
