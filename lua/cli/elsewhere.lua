--- Verbs that another program runs. Its Debian package also has the native modules that they need.
--
-- @module cli.elsewhere

local built_in = require "update.built_in"
local has_host, host = pcall(require, "update.native.host")

local M = {}

local PACKAGES = {
  { name = "moult-tools", native = "pack", verbs = { keygen = true, pack = true, sign = true, delta = true } },
  { name = "moult-depot", native = "httpd", verbs = { depot = true } },
}

-- Installed as <prefix>/lib/moult/<package>, beside <prefix>/bin/moult.
local function program_of(package_name)
  local folder = has_host and host.program:match "^(.*)/[^/]*$"
  local path = folder and ("%s/../lib/moult/%s"):format(folder, package_name)
  local file = path and io.open(path, "rb")
  if not file then return nil end
  file:close()
  return path
end

--- Which package has a verb that this program cannot run.
-- @tparam string verb
-- @treturn table|nil package, program (path; nil: not installed); nil: this program can run it
function M.of(verb)
  for _, row in ipairs(PACKAGES) do
    if row.verbs[verb] and not built_in.has(row.native) then
      return { package = row.name, program = program_of(row.name) }
    end
  end
end

--- The failure if it is not installed.
-- @treturn nil, string, "usage"
function M.missing(verb, package_name)
  return nil, ("`moult %s` is not part of this program; install %s"):format(verb, package_name), "usage"
end

--- Replace this process by the program that has a verb.
-- @tparam string program
-- @tparam table words of the command line, from the verb on
-- @treturn nil,string,string message and code; only when it fails
function M.run(program, words)
  return host.become(program, words)
end

return M
