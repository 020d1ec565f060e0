--- `moult depot DIR`.
--
-- @module cli.depot

local natives = require "update.natives"

local M = {}

M.verb = {
  name = "depot",
  usage = "depot DIR [--listen HOST:PORT] [--url BASE] [--keys KEYS]",
  summary = "serve the packages in DIR to devices that ask for updates",
  text = "Answers Luat's query at /api/site/firmware_upgrade and serves each package at /NAME; / lists them. "
    .. "Prints\n`listening on http://HOST:PORT` when ready, then a line a request, until it is told to stop. "
    .. "Packages may be\ncopied in and taken away meanwhile; what no key verifies is not offered. "
    .. "A file NAME.upd.devices beside a\npackage limits it to the device ids in it, one a line.",
  positional = { 1, 1 },
  options = {
    { name = "listen", value = "HOST:PORT", help = "where to listen (127.0.0.1:8080); port 0 picks a free one" },
    { name = "url", value = "BASE", help = "base of the links that devices get (http:// and the Host they asked for)" },
    { name = "keys", value = "KEYS", help = "folder of public keys, or one (DIR when it holds *.pub, else DIR/keys)" },
  },
  common = { "json", "quiet" },
  example = "moult depot packages --listen 0.0.0.0:8080",
}

-- One line of the log.
local function line_of(event)
  local parts = { event.client, event.method, event.path }
  if event.note then
    parts[#parts + 1] = event.note
  end
  parts[#parts + 1] = tostring(event.status)
  parts[#parts + 1] = event.bytes and ("%d bytes"):format(event.bytes) or "? bytes"
  parts[#parts + 1] = ("%d ms"):format(event.ms)
  if not event.complete then
    parts[#parts + 1] = "broken off"
  end
  return table.concat(parts, " ")
end

local function on_change(env)
  return function(change)
    env.note(("%s: %s%s"):format(change.name, change.change, change.reason and ": " .. change.reason or ""))
  end
end

local function on_request(env)
  return function(event)
    if env.json then
      env.out(natives.json.encode(event))
    elseif not env.quiet then
      env.out(line_of(event))
    end
  end
end

--- Serve until SIGTERM or SIGINT.
-- @tparam table args positional {DIR}, opts
-- @tparam table env out, note, json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(args, env)
  local url = args.opts.url
  if url and not url:find("^https?://[^%s%c]+$") then
    return nil, ("--url %s: expected http:// or https:// and a host"):format(url), "usage"
  end
  local signals <close>, message, code = natives.signals.open()
  if not signals then
    return nil, message, code
  end
  local depot
  depot, message, code = require("depot").open {
    dir = args.positional[1],
    listen = args.opts.listen or "127.0.0.1:8080",
    url = url,
    keys = args.opts.keys,
    watch = { { fd = signals:fd(), read = true } },
    on_request = on_request(env),
    on_change = on_change(env),
  }
  if not depot then
    return nil, message, code
  end
  env.out("listening on http://" .. depot:address())
  repeat
    local ok
    ok, message, code = depot:step(60000)
  until not ok or signals:next()
  depot:close()
  if not message then
    return 0
  end
  return nil, message, code
end

return M
