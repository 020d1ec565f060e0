--- The command line: `moult VERB [options]`.
--
-- A verb is a module cli.<verb>: `verb` = {name, summary, usage, options
-- (rows of cli.args), common (names of common options it uses), example,
-- positional = {least, most}, text}, and run(args, env) -> exit code, or nil,
-- message, code word. args = {positional, opts by long name}; env = {out(line)
-- to standard output, err(line) to standard error, note(line) to standard error
-- unless quiet, progress(done, total, label), json, quiet, verbose, dry_run}.
-- Data goes to standard output, everything else to standard error.
--
-- @module cli

local args = require "cli.args"
local elsewhere = require "cli.elsewhere"
local nearest = require "update.config.nearest"

local M = {}

local EBADF = 9 -- standard output was closed on purpose

--- Verbs in the order of the listing, by group.
M.groups = {
  { "On the device", { "run", "settle", "provision", "check", "install", "confirm", "rollback", "hotfix", "status",
    "watch", "history", "explain", "keys", "doctor" } },
  { "Making packages", { "keygen", "pack", "sign", "verify", "info", "delta" } },
  { "Serving packages", { "depot" } },
  { "Help", { "help" } },
}

--- Whether this program or one that is installed beside it can run a verb.
function M.is_there(name)
  local other = elsewhere.of(name)
  return (not other or other.program) and package.searchpath("cli.verbs." .. name, package.path) ~= nil
end

--- The names of all verbs that can be run, in order.
function M.names()
  local names = {}
  for _, group in ipairs(M.groups) do
    for _, name in ipairs(group[2]) do
      if M.is_there(name) then names[#names + 1] = name end
    end
  end
  return names
end

--- The module of a verb.
-- @treturn table|nil nil, message, "usage": no such verb
function M.find(name)
  local names = M.names()
  for _, known in ipairs(names) do
    if known == name then return require("cli.verbs." .. name) end
  end
  local other = elsewhere.of(name)
  if other then return elsewhere.missing(name, other.package) end
  local near = nearest.of(name, names)
  return nil, ("unknown verb %q%s; `moult help` lists them"):format(name,
    near and (" (did you mean %s?)"):format(near) or ""), "usage"
end

local function writer(file, failed)
  return function(text)
    local ok, why, number = file:write(text, text:sub(-1) == "\n" and "" or "\n")
    -- Line by line, and only a flush tells that one was lost: a stream that flushes itself forgets that.
    if ok then ok, why, number = file:flush() end
    if not ok and failed and number ~= EBADF then failed(why) end
  end
end

local function make_progress(opts)
  local form = opts.progress or "auto"
  if opts.quiet and form == "auto" then form = "none" end
  if form == "none" then return { update = function() end, finish = function() end } end
  local width = 80
  if form == "auto" or form == "bar" then
    local terminal, columns = require("cli.terminal").stderr()
    width = columns
    if form == "auto" then form = terminal and "bar" or "plain" end
  end
  return require("cli.progress").new {
    form = form,
    width = width,
    now = require("update.natives").loop.now,
    encode = form == "json" and require("update.natives").json.encode or nil,
    write = function(text) io.stderr:write(text) io.stderr:flush() end,
  }
end

local function environment(opts)
  local meter, lost
  local err = writer(io.stderr)
  local env = {
    json = opts.json or false,
    quiet = opts.quiet or false,
    verbose = opts.verbose or false,
    dry_run = opts["dry-run"] or false,
    out = writer(io.stdout, function(why) lost = lost or why end),
  }
  -- What could not be written to standard output, a full disk behind it: nobody takes half of it for the whole.
  function env.lost() return lost end
  function env.err(text)
    if meter then meter:finish() end
    err(text)
  end
  function env.note(text)
    if not env.quiet then env.err(text) end
  end
  function env.progress(done, total, label)
    meter = meter or make_progress(opts)
    if done then meter:update(done, total, label) else meter:finish() end
  end
  function env.finish()
    if meter then meter:finish() end
  end
  return env
end

local function exit_code(word)
  local row = require("update.natives").error.find(word)
  return row and row.exit or 1
end

local function fail(env, name, message, code)
  env.finish()
  env.err(("%s: %s (%s)"):format(name and "moult " .. name or "moult", message, code))
  if env.verbose then env.err(("`moult doctor %s` explains the word"):format(code)) end
  return exit_code(code)
end

-- Data that did not arrive is a failure, whatever the verb says. One that failed by itself keeps its code.
local function settle(env, name, code)
  local why = env.lost()
  if not why then return code end
  local failed = fail(env, name, "standard output: " .. why, "write")
  return code == 0 and failed or code
end

local function check_positional(verb, given)
  local least, most = table.unpack(verb.positional or {})
  if least and given < least then
    return nil, ("too few arguments; usage: moult %s"):format(verb.usage), "usage"
  elseif most and given > most then
    return nil, ("too many arguments; usage: moult %s"):format(verb.usage), "usage"
  end
  return true
end

local function run_verb(module, parsed, env)
  local verb = module.verb
  local ok, message, code = check_positional(verb, #parsed.positional)
  if not ok then return fail(env, verb.name, message, code) end
  local trace
  local done, result
  done, result, message, code = xpcall(module.run, function(text)
    trace = debug.traceback(tostring(text), 2)
    return (tostring(text):match("^[^\n]*"))
  end, parsed, env)
  if not done then
    code = fail(env, verb.name, result, "internal")
    env.err(env.verbose and trace or "run it again with -v for the traceback")
    return code
  end
  env.finish()
  if result == nil then return fail(env, verb.name, message or "no reason given", code or "internal") end
  return result
end

--- Run one command line.
-- @tparam string ... the words after the program's name (or one array of them)
-- @treturn integer exit code
function M.main(...)
  local words = select("#", ...) == 1 and type(...) == "table" and ... or { ... }
  io.stdout:setvbuf("full")
  local name = words[1]
  if name == nil or name == "--help" or name == "-h" then
    local text = require("cli.verbs.help").overview()
    if name then
      local env = environment({})
      env.out(text)
      return settle(env, nil, 0)
    end
    io.stderr:write(text)
    return exit_code("usage")
  end
  if name:sub(1, 1) == "-" then
    return fail(environment({}), nil, ("options come after the verb; found %s before it"):format(name), "usage")
  end
  local module, message, code = M.find(name)
  if not module then
    io.stderr:write(("moult: %s (%s)\n"):format(message, code))
    return exit_code(code)
  end
  local other = elsewhere.of(name)
  if other then
    message, code = select(2, elsewhere.run(other.program, words))
    return fail(environment({}), name, message, code)
  end
  local parsed
  parsed, message, code = args.parse({ table.unpack(words, 2) }, module.verb.options)
  if not parsed then
    return fail(environment({}), name, ("%s; see `moult help %s`"):format(message, name), code)
  end
  if parsed.opts.help then
    local env = environment({})
    env.out(require("cli.verbs.help").of(module.verb))
    return settle(env, name, 0)
  end
  local env = environment(parsed.opts)
  return settle(env, name, run_verb(module, parsed, env))
end

return M
