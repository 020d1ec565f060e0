--- Whether a cloud of the configuration can be reached, for `moult doctor`.
--
-- @module cli.cloud_check

local dispatch = require "update.agent.qinglian_dispatch"
local natives = require "update.natives"
local qinglian = require "update.cloud.qinglian"
local mit_ini = require "update.cloud.mit_ini"
local registry = require "update.cloud.registry"
local unsigned = require "update.cloud.unsigned"

local M = {}

local CONNECT_WITHIN = 8 -- seconds

-- What this cloud cannot name cannot be reported; where its broker is, it tells anybody.
local function check_qinglian(s, cloud, report)
  local what, release = "cloud " .. cloud.name, s.opened and s.opened:facts().release
  if release and not qinglian.is_release(release) then
    return report("fail", what, ("release %s is not of the form 00.00, and this cloud knows no other"):format(release),
      "install a package whose release is of that form; `moult pack --for qinglian` checks it", "usage")
  end
  local host, port = dispatch.ask { natives = natives, tasks = s.tasks, loop = s.loop, cloud = cloud,
    time_floor = s.opened and s.opened:time_floor() }
  if host then return report("ok", what, ("%s:%d is its broker"):format(host, port)) end
  report("warn", what, port, "check host, port and tls; the server must answer within two seconds")
end

-- Log in once at the broker of a cloud. The broker would close another
-- connection of the same name, so nothing is tried while the agent has one.
local function check_mqtt(s, cloud, report)
  if cloud.kind == "qinglian" then return check_qinglian(s, cloud, report) end
  local what, time_floor = "cloud " .. cloud.name, s.opened and s.opened:time_floor()
  local options, message, code = require("update.cloud.mqtt_connection").of(cloud, natives, time_floor)
  if not options then
    return report("fail", what, message, "put the device's secret there, readable only by its owner", code)
  end
  if s:agent() then return report("ok", what, "the agent has the connection; see its log") end
  local client
  client, message = natives.mqtt.open(options)
  local till = natives.loop.now() + CONNECT_WITHIN
  while client and natives.loop.now() < till do
    local event = client:step()
    if event and event.kind == "connected" then
      client:close()
      return report("ok", what, ("%s:%d accepts this device"):format(options.host, options.port))
    elseif event and event.kind == "disconnected" then
      message = event.message
      break
    elseif not event then
      local fd = client:fd()
      s.tasks:watch(fd and { { fd = fd, read = true, write = client:wants_write() } } or {},
        math.min(1, client:remaining() / 1000))
    end
  end
  if client then client:close() end
  report("warn", what, message or "no answer", "check host, port, tls and the device's credentials")
end

local function check_http(s, cloud, report)
  local fetch, message = natives.fetch.open(s.loop, cloud.url:match("^%a+://[^/?#]+") .. "/", {
    proxy = cloud.proxy, ca_file = cloud.ca_file, connect_timeout = 5, deadline = 8,
    time_floor = s.opened and s.opened:time_floor(),
  })
  local status = 0
  while fetch and status == 0 do
    local data, why, code = fetch:read()
    status, message = fetch:status() or 0, why
    if data ~= nil or code ~= "again" then break end
    s.tasks:idle()
  end
  if fetch then fetch:close() end
  if status > 0 then
    report("ok", "cloud " .. cloud.name, ("%s answers"):format(natives.url.server(cloud.url)))
  else
    report("warn", "cloud " .. cloud.name, message or "no answer",
      "check the URL, the proxy and the route to the server")
  end
end

-- The agent reads mit.ini, and writes it during an update.
local function check_call(_, cloud, report)
  local what = "cloud " .. cloud.name
  local text, message, code = natives.storage.read(cloud.mit_ini)
  if not text and code ~= "missing" then
    return report("fail", what, message, "the agent has to read and write it", code)
  end
  local document, wrong = mit_ini.parse(text or "")
  if not document then
    return report("fail", what, ("%s: %s"):format(cloud.mit_ini, wrong), "restore the file from a good copy", "usage")
  end
  local pending = mit_ini.get(document, "Update", "downprover")
  report("ok", what, ("is called by the application; %s"):format(
    not text and cloud.mit_ini .. " is made by the first call" or pending == "" and "nothing is pending"
    or pending .. " is pending"))
end

--- The sources that need no signature.
-- @tparam table s cli.session
-- @tparam function report as in cli.checks
function M.trust(s, report)
  for _, entry in ipairs(s.config.trust and s.config.trust.unsigned or {}) do
    local prefix = unsigned.prefix(entry)
    report("warn", "trust", ("%s: %s"):format(prefix, unsigned.risk(prefix)),
      prefix:find "^%a+:///" and "whoever can write there decides what is put in place, once it is installed by hand; "
      .. "sign packages if you can"
      or "whoever can answer there, or on the way, decides what is put in place; sign packages if you can")
  end
end

local by_way = { http = check_http, mqtt = check_mqtt, call = check_call }

--- Look at one cloud.
-- @tparam table s cli.session
-- @tparam table cloud a row of config.clouds
-- @tparam function report as in cli.checks
function M.look(s, cloud, report)
  by_way[registry.of(cloud.kind).over](s, cloud, report)
end

return M
