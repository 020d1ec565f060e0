--- Examples in C, compiled by what is in the build tree. M.compile is nil when the build has no libmoult.
--
-- @module spec.support.c_program

local M = {}

local has_host, host = pcall(require, "update.native.host")
if not has_host then return M end

local top = io.popen "pwd":read "l"
local build = host.program:match "^(.*)/[^/]*$"
build = build:sub(1, 1) == "/" and build or top .. "/" .. build
local library = io.open(build .. "/libmoult.so.0")
if not library then return M end
library:close()

--- What a compiler is told to find the headers.
M.include = ("-I%s/runtime/client"):format(top)

--- Compile examples/c/NAME.c to NAME in the directory of a world.
-- @tparam table world of spec.support.world
-- @tparam string name
-- @tparam[opt] string source another file
function M.compile(world, name, source)
  local sanitizer = os.getenv "MOULT_SANITIZED" and "-fsanitize=address,undefined" or ""
  assert(world:shell(("cc -Wall -Wextra -Werror %s %s %s -o %s -L%s -lmoult -Wl,-rpath,%s"):format(
    sanitizer, M.include, source or ("%s/examples/c/%s.c"):format(top, name), name, build, build)))
end

--- Start it in the background; its output goes to NAME.log.
-- @tparam table world
-- @tparam string name
-- @tparam string words
function M.start(world, name, words)
  world:shell(("{ MOULT_CONTROL=state/control exec ./%s %s >>%s.log 2>&1 </dev/null & } ; echo $! >%s.pid"):format(
    name, words, name, name))
  world.running[name] = tonumber(world:read(name .. ".pid"))
end

return M
