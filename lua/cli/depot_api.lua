--- `moult depot api [METHOD] PATH [NAME=VALUE ...] --server URL`: the routes of an admin server, by the route table.
--
-- @module cli.depot_api

local natives = require "update.natives"

local M = {}

M.options = {
  { name = "server", value = "URL",
    help = "an admin server, as https://depot.example: for api, and for actions at it" },
  { name = "server-ca", value = "FILE",
    help = "with --server: trust these certificates (default: those of the system)" },
  { name = "token-file", value = "FILE",
    help = "with --server: file with a token in its first line (else MOULT_TOKEN)" },
}

--- For the help of the verb.
M.text = [[
  depot api [METHOD] PATH [NAME=VALUE ...] --server URL
      ask an admin server: `api /products`, `api POST /rollouts/7/pause`. METHOD is
      GET without one. A list has an argument for each value, or NAME=@FILE with one on
      each line. Prints JSON; of a list one object a line, with --json the answer
      as it is. --out FILE: for packages and exports
  depot api upload FILE --server URL
      upload a package; after a break it goes on where it was
  depot api wait PATH NAME=VALUE[,VALUE] --server URL
      ask until it has that value; fails after --timeout seconds (3600)
  depot api routes
      list all routes with their arguments

product, device, group, release, verify, rollout, webhook, events, audit and `user list` take --server URL in place of
DIR, and print the same: `moult depot release list --server https://depot.example`. They may what the token may.]]

local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local LOOK = 1000 -- ms between two questions of `wait`

local function token_of(opts)
  local text = os.getenv "MOULT_TOKEN"
  if opts["token-file"] then
    local file <close>, why = io.open(opts["token-file"], "rb")
    if not file then return nil, "--token-file " .. why, "usage" end
    text = file:read "l"
  end
  text = (text or ""):match "^%s*(.-)%s*$"
  if text:find "^moult_%x+$" then return text end
  return nil, "give a token by --token-file or MOULT_TOKEN; the console makes one under Settings", "usage"
end

--- A client of the server that the options name.
-- @treturn table|nil depot.api.client; nil, message, code
function M.client(opts, env)
  if not opts.server then return nil, "give --server URL", "usage" end
  local token, message, code = token_of(opts)
  if not token then return nil, message, code end
  return require("depot.api.client").new { natives = natives, server = opts.server, token = token,
    ca = opts["server-ca"], note = env.note }
end

-- The text of NAME=@FILE; the file of a list may have any line ends.
local function value_of(text)
  local path = text:match "^@(.+)$"
  if not path then return text end
  local file <close>, why = io.open(path, "rb")
  if not file then return nil, why, "usage" end
  local value, fault = file:read "a"
  if not value then return nil, ("%s: %s"):format(path, fault), "usage" end
  return value
end

-- {[name] = text} of the words from `first` on; those of a name that comes twice are lines.
local function given_of(words, first)
  local given = {}
  for i = first, #words do
    local name, text = words[i]:match "^([%w_]+)=(.*)$"
    if not name then return nil, ("%s: expected NAME=VALUE"):format(words[i]), "usage" end
    local value, message, code = value_of(text)
    if not value then return nil, message, code end
    given[name] = given[name] and given[name] .. "\n" .. value or value
  end
  return given
end

local function print_answer(answer, env)
  local object = answer.object
  if env.json or type(object) ~= "table" or type(object.items) ~= "table" then
    env.out(object and natives.json.encode(object) or answer.text)
  else
    for _, item in ipairs(object.items) do env.out(natives.json.encode(item)) end
    if object.next and object.next ~= natives.json.null then env.note(("more: cursor=%s"):format(object.next)) end
  end
  if answer.next then env.note("more: cursor=" .. answer.next) end
  if answer.undo then env.note(("to take it back: moult depot api POST /undo/%s"):format(answer.undo)) end
end

local function routes(env)
  for _, row in ipairs(require("depot.api.route_table").all()) do
    local names = {}
    for _, rules in ipairs { row.query or {}, row.body or {} } do
      for name, rule in pairs(rules) do names[#names + 1] = rule.need and name or ("[%s]"):format(name) end
    end
    table.sort(names)
    env.out(("%-6s %-32s %s"):format(row.method, row.path, row.about))
    if #names > 0 then env.out("       " .. table.concat(names, " ")) end
  end
  return 0
end

local function upload(client, args, env)
  local path = args.positional[3]
  if not path or args.positional[4] then return nil, "usage: moult depot api upload FILE", "usage" end
  local done, message, code = client:upload(path, function(got, size) env.progress(got, size, path:match "[^/]+$") end)
  env.finish()
  if not done then return nil, message, code end
  env.out(env.json and natives.json.encode(done) or ("%s: taken in as %s"):format(path, done.file))
  return 0
end

local function wait(client, args, env)
  local path, word = args.positional[3], args.positional[4] or ""
  local name, values = word:match "^([%w_]+)=(.*)$"
  if not name or args.positional[5] then return nil, "usage: moult depot api wait PATH NAME=VALUE[,VALUE]", "usage" end
  local wanted = {}
  for value in values:gmatch "[^,]+" do wanted[value] = true end
  local till, shown = natives.loop.now() + (args.opts.timeout or 3600), nil
  repeat
    local answer, message, code = client:call("GET", path, {})
    if not answer then return nil, message, code end
    local value = tostring(answer.object[name])
    if wanted[value] then
      env.out(env.json and natives.json.encode(answer.object) or value)
      return 0
    end
    if value ~= shown then env.note(("%s: %s"):format(name, natives.printable.text(value))) end
    shown = value
    client:pause(LOOK)
  until natives.loop.now() > till
  return nil, ("%s of %s is still %s"):format(name, path, shown), "busy"
end

-- A function that appends to the file of --out, and one that ends it.
local function out_file(path)
  local unfinished = path .. ".part"
  local file, why = io.open(unfinished, "wb")
  if not file then return nil, why end
  return function(data) return file:write(data) end, function(fine)
    local ok, wrong = file:close()
    if fine and ok then ok, wrong = os.rename(unfinished, path) else os.remove(unfinished) end
    return ok, wrong
  end
end

local function call(client, args, env)
  local words, first = args.positional, 2
  local method = METHODS[words[2]] and words[2]
  if method then first = 3 end
  local path = words[first]
  if not path or path:sub(1, 1) ~= "/" then
    return nil, "usage: moult depot api [METHOD] PATH [NAME=VALUE ...]", "usage"
  end
  local given, message, code = given_of(words, first + 1)
  if not given then return nil, message, code end
  local sink, finish
  if args.opts.out then
    sink, finish = out_file(args.opts.out)
    if not sink then return nil, finish, "write" end
  end
  local answer
  answer, message, code = client:call(method or "GET", path, given, sink)
  if finish then
    local ok, why = finish(answer ~= nil)
    if answer and not ok then return nil, why, "write" end
  end
  if not answer then return nil, message, code end
  if not finish then print_answer(answer, env) end
  return 0
end

--- @tparam table args positional {"api", ...}, opts
-- @tparam table env
-- @treturn integer|nil 0; nil, message, code
function M.run(args, env)
  local word = args.positional[2]
  if word == "routes" then return routes(env) end
  local client, message, code = M.client(args.opts, env)
  if not client then return nil, message, code end
  local verbs = { upload = upload, wait = wait }
  return (verbs[word] or call)(client, args, env)
end

return M
