--- `moult depot DIR`, `moult depot ACTION DIR`.
--
-- @module cli.depot

local natives = require "update.natives"

local M = {}

-- Actions: module depot.actions.<name>, with run(context).
local ACTIONS = { status = true, verify = true, batch = true, retry = true, cancel = true }

M.verb = {
  name = "depot",
  usage = "depot DIR [OPTIONS] | depot pack|verify|batch|retry|cancel|status DIR [PACKAGE] [OPTIONS]",
  summary = "serve the packages in DIR to devices that ask for updates",
  text = [[
Answers Luat's query at /api/site/firmware_upgrade and serves each package at /NAME; / lists them. Prints
`listening on http://HOST:PORT` when ready, then a line a request, until it is told to stop. Packages may be
copied in and taken away meanwhile; what no key verifies is not offered. A file NAME.upd.devices beside a
package limits it to the device ids in it, one a line.

With --mqtt it is also the cloud of devices that speak Aliyun's or Tencent's dialect on that broker. A package
belongs to the product whose key hashes to its product_key. A device that reports an older release is offered the
newest package; with --staged only devices with a job are, as on the vendors' consoles. Either way it has succeeded
when it reports the package's release, and one that failed is left alone until `retry`, or a newer package. What is
known of devices is in DIR/depot.db.

  depot pack DIR -k KEY                      make what is missing of the packages of DIR/recipe.lua
  depot verify DIR [PACKAGE] --device NAME   try a package on one device, and wait for what becomes of it
  depot batch DIR [PACKAGE]                  give a package that a device has verified to all, also to those heard
                                             of later; or to those on --from RELEASE, or to each --device
  depot retry DIR [PACKAGE]                  once more for devices that failed
  depot cancel DIR [PACKAGE]                 end open jobs; no device is given the package any more
  depot status DIR                           what the devices run, and how their jobs are

PACKAGE is a file's name in DIR, or absent for the newest of --product. The actions work with and without a
running depot, which sees their jobs within a second.

`depot pack` makes the full package, and a delta against each older core in the folder. Cores are found by name:
beside the recipe's core22.img, version 22, core17.img is core 17. A higher one is the new core, and raises core
version and sequence by as much. A package is there when its sequence, release, core and source are the recipe's.
Meanwhile a depot on this machine asks devices that are to be given one of them to wait (Luat's code 43).]],
  positional = { 1, 3 },
  options = {
    { name = "listen", value = "HOST:PORT", help = "where to listen (127.0.0.1:8080); port 0 picks a free one" },
    { name = "url", value = "BASE", help = "base of the links that devices get (where it listens)" },
    { name = "keys", value = "KEYS", help = "folder of public keys, or one (DIR when it holds *.pub, else DIR/keys)" },
    { name = "tls-cert", value = "FILE", help = "serve HTTPS with this certificate (PEM), and those above it" },
    { name = "tls-key", value = "FILE", help = "its key (PEM, not encrypted)" },
    { name = "mqtt", value = "HOST:PORT", help = "be the cloud of the devices on this broker" },
    { name = "mqtt-user", value = "NAME", help = "user to log in to the broker as" },
    { name = "mqtt-password", value = "FILE", help = "file with the user's password; its first line counts" },
    { name = "mqtt-ca", value = "FILE", help = "speak TLS to the broker, and trust these certificates" },
    { name = "expiry", value = "SECONDS", help = "how long the links in offers work (1800)" },
    { name = "pace", value = "N", help = "offers a second, at most (100)" },
    { name = "settle", value = "SECONDS",
      help = "silence after a report before an offer, since vendors' clients report twice (2)" },
    { name = "staged", help = "offer packages by jobs only: verify on one device, then batch" },
    { name = "device", value = "NAME", list = true, help = "with an action: only this device; may be repeated" },
    { name = "product", value = "PRODUCT", help = "with an action: only devices of this product" },
    { name = "cloud", value = "NAME", help = "with an action: only devices of this cloud",
      choices = { "aliyun", "tencent" } },
    { name = "from", value = "RELEASE", help = "with batch: only devices that report this release" },
    { name = "timeout", value = "SECONDS", help = "with verify: how long to wait (3600)" },
  },
  common = { "json", "quiet", "key", "progress", "dry-run" },
  example = "moult depot packages --listen 0.0.0.0:8080 --url http://updates.example:8080 --mqtt broker.example:1883\n"
    .. "moult depot verify packages METER_1.0.1.upd --device meter-0001\n"
    .. "moult depot batch packages METER_1.0.1.upd --from 1.0.0\n"
    .. "moult depot pack packages -k release.key",
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

-- What a device's message or job makes a line of the log of.
local function on_message(env)
  return function(event)
    if env.json then
      env.out(natives.json.encode(event))
    elseif event.device then
      local parts = { event.cloud, event.product .. "/" .. event.device, event.kind, event.release }
      if event.code then parts[#parts + 1] = ("(%d)"):format(event.code) end
      parts[#parts + 1] = event.text
      if not env.quiet then env.out(table.concat(parts, " ")) end
    else
      env.note(("mqtt: %s%s"):format(event.kind, event.text and ": " .. event.text or ""))
    end
  end
end

local function read_file(path, option)
  local file, why = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return nil, ("--%s %s"):format(option, why or path .. ": cannot be read"), "usage" end
  return text
end

local function number_of(opts, name, least)
  local text = opts[name]
  if not text then return true end
  local number = #text <= 9 and text:find "^%d+$" and math.tointeger(tonumber(text))
  if not number or number < least then
    return nil, ("--%s %s: expected a number from %d"):format(name, text, least), "usage"
  end
  opts[name] = number
  return true
end

-- {cert, key} of --tls-cert and --tls-key; false without.
local function tls_of(opts)
  local cert, key = opts["tls-cert"], opts["tls-key"]
  if not cert and not key then return false end
  if not cert or not key then return nil, "--tls-cert and --tls-key go together", "usage" end
  local message, code
  cert, message, code = read_file(cert, "tls-cert")
  if not cert then return nil, message, code end
  key, message, code = read_file(key, "tls-key")
  if not key then return nil, message, code end
  return { cert = cert, key = key }
end

-- The broker of --mqtt; false without.
local function mqtt_of(opts)
  if not opts.mqtt then return false end
  local host, port = opts.mqtt:match "^%[?([^%[%]%s]+)%]?:(%d+)$"
  port = math.tointeger(tonumber(port))
  if not port or port < 1 or port > 65535 then
    return nil, ("--mqtt %s: expected HOST:PORT, for example 127.0.0.1:1883"):format(opts.mqtt), "usage"
  end
  local password
  if opts["mqtt-password"] then
    local text, message, code = read_file(opts["mqtt-password"], "mqtt-password")
    if not text then return nil, message, code end
    password = text:match "^[^\r\n]*"
  end
  return { host = host, port = port, user = opts["mqtt-user"], password = password,
    tls = opts["mqtt-ca"] and { ca = opts["mqtt-ca"] } or nil }
end

-- Devices are told where we are: an address that means "every one" tells them nothing.
local function check_base(opts)
  if opts.mqtt and not opts.url and (opts.listen or ""):find "^%[?[0:.]*%]?:%d+$" then
    return nil, ("with --mqtt, say with --url where devices reach %s"):format(opts.listen), "usage"
  end
  return true
end

-- What the options say, checked; or nil, message, code.
local function settings(opts)
  local url = opts.url
  if url and not url:find "^https?://[^%s%c]+$" then
    return nil, ("--url %s: expected http:// or https:// and a host"):format(url), "usage"
  end
  for name, least in pairs { expiry = 1, pace = 1, settle = 0 } do
    local ok, message, code = number_of(opts, name, least)
    if not ok then return nil, message, code end
  end
  local ok, message, code = check_base(opts)
  if not ok then return nil, message, code end
  local tls, mqtt
  tls, message, code = tls_of(opts)
  if tls == nil then return nil, message, code end
  mqtt, message, code = mqtt_of(opts)
  if mqtt == nil then return nil, message, code end
  return { tls = tls or nil, mqtt = mqtt or nil }
end

local function serve(args, env)
  local opts = args.opts
  local set, message, code = settings(opts)
  if not set then
    return nil, message, code
  end
  local signals <close>, why, word = natives.signals.open()
  if not signals then
    return nil, why, word
  end
  local depot
  depot, message, code = require("depot").open {
    dir = args.positional[1],
    listen = opts.listen or "127.0.0.1:8080",
    url = opts.url,
    keys = opts.keys,
    tls = set.tls,
    mqtt = set.mqtt,
    expiry = opts.expiry,
    pace = opts.pace,
    settle = opts.settle and opts.settle * 1000,
    auto = not opts.staged,
    watch = { { fd = signals:fd(), read = true } },
    on_request = on_request(env),
    on_change = on_change(env),
    on_message = on_message(env),
  }
  if not depot then
    return nil, message, code
  end
  env.out(("listening on %s://%s"):format(set.tls and "https" or "http", depot:address()))
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

--- Serve until SIGTERM or SIGINT, or do an action. A folder whose name is an action's is written ./NAME.
-- @tparam table args positional {[ACTION,] DIR [, PACKAGE]}, opts
-- @tparam table env out, note, json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(args, env)
  local action = args.positional[1]
  if not ACTIONS[action] and action ~= "pack" then
    if #args.positional > 1 then
      return nil, ("%s is no action, and only one folder is served; `moult help depot`"):format(action), "usage"
    end
    return serve(args, env)
  end
  if not args.positional[2] then
    return nil, ("usage: moult depot %s DIR (a folder of that name is ./%s)"):format(action, action), "usage"
  end
  if action == "pack" then
    if args.positional[3] then return nil, "usage: moult depot pack DIR; the recipe names the packages", "usage" end
    return require("cli.depot_pack").run(args.positional[2], args.opts, env)
  end
  local ok, message, code = number_of(args.opts, "timeout", 1)
  if not ok then return nil, message, code end
  return require("depot.actions." .. action).run {
    dir = args.positional[2], name = args.positional[3], opts = args.opts, env = env, natives = natives,
  }
end

return M
