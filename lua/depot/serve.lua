--- `moult depot DIR`: serve until told to stop.
--
-- @module depot.serve

local admin_child = require "depot.api.child"
local admin_options = require "depot.api.options"
local log = require "depot.log"
local natives = require "update.natives"
local qinglian_config = require "depot.qinglian_config"
local signalled = require "depot.signalled"
local store_child = require "depot.store_child"

local M = {}

--- Connections at once, by default.
M.CONNECTIONS = 1000

--- A path for actions, which may run in another directory.
function M.absolute(path)
  if path:sub(1, 1) == "/" then return path end
  local ok, host = pcall(require, "update.native.host")
  return (ok and host.cwd or os.getenv "PWD" or ".") .. "/" .. path
end

function M.read_file(path, option)
  local file, why = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return nil, ("--%s %s"):format(option, why or path .. ": cannot be read"), "usage" end
  return text
end

--- Turn the text of an option into a number.
-- @treturn true|nil nil, message, "usage"
function M.number_of(opts, name, least)
  local text = opts[name]
  if not text then return true end
  local number = #text <= 9 and text:find "^%d+$" and math.tointeger(tonumber(text))
  if not number or number < least then
    return nil, ("--%s %s: expected a number from %d"):format(name, text, least), "usage"
  end
  opts[name] = number
  return true
end

--- {cert, key} of two options that name files; false without.
-- @treturn table|boolean|nil nil, message, code
function M.tls_of(opts, cert_name, key_name)
  local cert, key = opts[cert_name], opts[key_name]
  if not cert and not key then return false end
  if not cert or not key then return nil, ("--%s and --%s go together"):format(cert_name, key_name), "usage" end
  local message, code
  cert, message, code = M.read_file(cert, cert_name)
  if not cert then return nil, message, code end
  key, message, code = M.read_file(key, key_name)
  if not key then return nil, message, code end
  return { cert = cert, key = key }
end

-- An address from the command line, for messages: without user and password.
local function shown(address)
  return natives.url.shown((address:gsub("^[^/]*@", "")))
end

-- The broker of --mqtt; false without.
local function mqtt_of(opts)
  if not opts.mqtt then return false end
  local host, port = opts.mqtt:match "^%[?([^%[%]%s]+)%]?:(%d+)$"
  port = math.tointeger(tonumber(port))
  if host and host:find "@" then
    return nil, "--mqtt: give user and password by --mqtt-user and --mqtt-password, not in the address", "usage"
  end
  if not port or port < 1 or port > 65535 then
    return nil, ("--mqtt %s: expected HOST:PORT, for example 127.0.0.1:1883"):format(shown(opts.mqtt)), "usage"
  end
  local password
  if opts["mqtt-password"] then
    local text, message, code = M.read_file(opts["mqtt-password"], "mqtt-password")
    if not text then return nil, message, code end
    password = text:match "^[^\r\n]*"
  end
  return { host = host, port = port, user = opts["mqtt-user"], password = password,
    tls = opts["mqtt-ca"] and { ca = opts["mqtt-ca"] } or nil }
end

-- What --qinglian says; false without.
local function qinglian_of(opts)
  if not opts.qinglian then return false end
  if not opts.mqtt then return nil, "--qinglian needs the broker of --mqtt", "usage" end
  local text, message, code = M.read_file(opts.qinglian, "qinglian")
  if not text then return nil, message, code end
  local object, why = natives.json.decode(text, { depth = 4, size = 65536 })
  local set, wrong = qinglian_config.read(object)
  if not set then return nil, ("--qinglian %s: %s"):format(opts.qinglian, object and wrong or why), "usage" end
  return set
end

-- Offers hold the depot's address. Devices cannot use one that means "all interfaces".
local function check_base(opts)
  if opts.mqtt and not opts.url and (opts.listen or ""):find "^%[?[0:.]*%]?:%d+$" then
    return nil, ("--mqtt with --listen %s needs --url, the address that devices use"):format(opts.listen), "usage"
  end
  return true
end

-- A link is the base and a name, so nothing may follow the path of the base.
local function fault_of_url(url)
  if not url:find "^https?://[^/?#%s%c]+[^%s%c]*$" then return "expected http:// or https:// and a host" end
  if url:find "[?#]" then return "the base must not have a query or a fragment" end
  local host = url:match "^https?://([^/]+)"
  if host:find "@" then return "the base must not hold a user or password" end
  local port = host:match ":([^:%]]*)$"
  if port and not (port:find "^%d%d?%d?%d?%d?$" and tonumber(port) >= 1 and tonumber(port) <= 65535) then
    return "the port must be a number from 1 to 65535"
  end
end

--- The checked options: tls, mqtt, qinglian.
-- @treturn table|nil nil, message, code
function M.settings(opts)
  local url = opts.url
  local fault = url and fault_of_url(url)
  if fault then
    return nil, ("--url %s: %s"):format(shown(url), fault), "usage"
  end
  for _, address in ipairs(opts.proxy or {}) do
    if address:find "[/@]" then
      return nil, ("--proxy %s: expected a numeric address, for example 192.0.2.1"):format(shown(address)), "usage"
    end
  end
  for name, least in pairs { connections = 1, expiry = 1, pace = 1, settle = 0 } do
    local ok, message, code = M.number_of(opts, name, least)
    if not ok then return nil, message, code end
  end
  local ok, message, code = check_base(opts)
  if not ok then return nil, message, code end
  local tls, mqtt
  tls, message, code = M.tls_of(opts, "tls-cert", "tls-key")
  if tls == nil then return nil, message, code end
  mqtt, message, code = mqtt_of(opts)
  if mqtt == nil then return nil, message, code end
  local qinglian
  qinglian, message, code = qinglian_of(opts)
  if qinglian == nil then return nil, message, code end
  if opts["secret-file"] and not mqtt then
    return nil, "--secret-file seals what --mqtt needs: give both", "usage"
  end
  if opts.admin then
    local admin
    admin, message, code = admin_options.check(opts)
    if not admin then return nil, message, code end
  end
  return { tls = tls or nil, mqtt = mqtt or nil, qinglian = qinglian or nil }
end

-- Devices are served, and the store process is there.
local function say_ready(depot, set, opts, lines)
  lines.out(("listening on %s://%s"):format(set.tls and "https" or "http", depot:address()))
  local wanted = opts.connections or M.CONNECTIONS
  if depot:connections() < wanted then
    lines.note(("%d connections at most, not %d: raise the limit of open files (ulimit -n)")
      :format(depot:connections(), wanted))
  end
end

--- Serve a folder until SIGTERM or SIGINT.
-- @tparam string dir
-- @tparam table opts of the verb
-- @tparam table env out, note, json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(dir, opts, env)
  local set, message, code = M.settings(opts)
  if not set then
    return nil, message, code
  end
  local lines = log.new(natives, env)
  env.err = natives.log.err -- the caller prints why it ends, also without blocking
  local signals <close>, why, word = natives.signals.open(true)
  if not signals then
    return nil, why, word
  end
  local depot
  depot, message, code = require("depot").open {
    dir = dir,
    listen = opts.listen or "127.0.0.1:8080",
    url = opts.url,
    keys = opts.keys and M.absolute(opts.keys),
    tls = set.tls,
    connections = opts.connections or M.CONNECTIONS,
    mqtt = set.mqtt ~= nil,
    qinglian = set.qinglian,
    pace = opts.pace,
    auto = not opts.staged and not opts.admin,
    proxies = opts.proxy,
    store = store_child.starter(natives, dir, opts),
    watch = { { fd = signals:fd(), read = true } },
    on_request = lines.request,
    on_change = lines.change,
    on_message = lines.message,
    on_warning = lines.note,
  }
  if not depot then
    return nil, message, code
  end
  local admin, is_ready, ok = nil, false, true
  local function reload()
    if admin then admin:reload() end
  end
  while ok and not signalled.is_over(signals, reload) do
    ok, message, code = depot:step(admin and 1000 or 60000)
    if ok and admin then
      admin:tell(depot:store_state())
      ok, message, code = admin:step()
    end
    if ok and not is_ready and depot:store_state() == "well" then
      is_ready = true
      say_ready(depot, set, opts, lines)
      if opts.admin then
        admin, message, code = admin_child.start(natives, dir, opts, lines.note)
        ok = admin ~= nil
      end
    end
  end
  if admin then admin:close() end
  depot:close()
  if not message then
    return 0
  end
  return nil, message, code
end

return M
