--- Debian's mosquitto on a free port of 127.0.0.1, for specs, demo and benches.
--
--     local broker = require "spec.support.broker"
--     local b = broker.start { tls = true }   -- it accepts connections when this returns
--     b.host, b.port                          -- "127.0.0.1", a number; the same after a restart
--     b:stop() b:restart() b:close()          -- close removes everything
--
-- Everything it needs lies in a temporary directory, `b.dir`.
--
-- @module spec.support.broker

local loop_native = require "update.native.loop"
local socket = require "socket"

local M = {}

local PATIENCE = 20 -- seconds after which a broker is broken, not slow
local TRIES = 5     -- ports, when somebody else was faster

local Broker = {}
Broker.__index = Broker

local loop

local function sleep()
  loop = loop or assert(loop_native.new())
  loop:poll(10)
end

local function shell(command, ...)
  return os.execute(command:format(...))
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
  return path
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("a")
  file:close()
  return text
end

--- A port of 127.0.0.1 that nobody has at the moment.
function M.free_port()
  local probe = assert(socket.bind("127.0.0.1", 0))
  local _, port = probe:getsockname()
  probe:close()
  return math.tointeger(tonumber(port))
end

--- Certificates in `dir`: ca.crt; server.crt for 127.0.0.1, localhost and
-- broker.test; client.crt for the name `client`; their keys *.key. Also
-- other.crt, a CA that signed none of them.
function M.certificates(dir)
  write(dir .. "/server.ext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:broker.test\n")
  write(dir .. "/client.ext", "extendedKeyUsage=clientAuth\n")
  local new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
  assert(shell([[cd '%s' && { %s -x509 -days 20000 -subj /CN=authority -keyout ca.key -out ca.crt &&
    %s -x509 -days 2 -subj /CN=stranger -keyout other.key -out other.crt &&
    for name in server client; do
      %s -subj /CN=$name -keyout $name.key -out $name.csr &&
      openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext \
        -out $name.crt || exit 1
    done; } >openssl.log 2>&1]], dir, new, new, new), "no certificates")
end

local function config_of(self)
  local o, lines = self.options, {}
  if o.config then return o.config(self) end
  local function add(format, ...)
    lines[#lines + 1] = format:format(...)
  end
  add("listener %d %s", self.port, self.host)
  add("user root") -- said to no effect when it is not root that runs it
  add("allow_anonymous %s", o.users and "false" or "true")
  add("log_dest file %s/broker.log", self.dir)
  for _, kind in ipairs { "error", "warning", "notice", "information" } do add("log_type %s", kind) end
  add("persistence %s", o.persistence and "true" or "false")
  if o.persistence then add("persistence_location %s/", self.dir) end
  if o.users then
    os.remove(self.dir .. "/users")
    for name, password in pairs(o.users) do
      assert(shell("touch '%s/users' && mosquitto_passwd -b '%s/users' '%s' '%s'", self.dir, self.dir, name, password))
    end
    add("password_file %s/users", self.dir)
  end
  if o.acl then add("acl_file %s", write(self.dir .. "/acl", o.acl)) end
  if o.tls then
    for option, name in pairs { cafile = "ca.crt", certfile = "server.crt", keyfile = "server.key" } do
      add("%s %s/%s", option, self.dir, name)
    end
    if o.require_certificate then add("require_certificate true") end
  end
  if o.psk then
    local keys = {}
    for identity, key in pairs(o.psk) do keys[#keys + 1] = identity .. ":" .. key end
    add("psk_file %s", write(self.dir .. "/psk", table.concat(keys, "\n") .. "\n"))
    add("psk_hint %s", "hint")
    add("use_identity_as_username true")
  end
  for _, line in ipairs(o.lines or {}) do add("%s", line) end
  return table.concat(lines, "\n") .. "\n"
end

local function accepts(self)
  local probe = self.host:find ":" and socket.tcp6() or socket.tcp()
  probe:settimeout(1)
  local ok = probe:connect(self.host, self.port)
  probe:close()
  return ok and self:alive()
end

-- @return whether it runs; false when the port was taken
local function launch(self)
  write(self.dir .. "/broker.conf", config_of(self))
  os.remove(self.dir .. "/broker.log")
  assert(shell([[cd '%s' && { ulimit -n $(ulimit -Hn); PATH=$PATH:/usr/sbin exec mosquitto -c broker.conf \
    >output.log 2>&1 </dev/null & } ; echo $! >pid]], self.dir))
  self.pid = math.tointeger(tonumber(read(self.dir .. "/pid")))
  local till = loop_native.now() + PATIENCE
  repeat
    if accepts(self) then return true end
    if not self:alive() then
      local log = self:log()
      if log:find("already in use", 1, true) then return false end
      error("the broker did not start:\n" .. log)
    end
    sleep()
  until loop_native.now() > till
  error("the broker does not answer:\n" .. self:log())
end

--- Start a broker. `options`: tls (true), require_certificate (of clients),
-- psk = {[identity] = key in hex}: TLS with a shared key, and the identity is the user;
-- users = {[name] = password}, acl (text of an acl_file), persistence (sessions
-- survive a restart), lines (further lines of mosquitto.conf), address (127.0.0.1),
-- config (function(broker) -> the whole of mosquitto.conf).
function M.start(options)
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  options = options or {}
  local self = setmetatable({ dir = dir, host = options.address or "127.0.0.1", options = options }, Broker)
  if self.options.tls then M.certificates(dir) end
  for _ = 1, TRIES do
    self.port = M.free_port()
    if launch(self) then return self end
  end
  error("no free port for the broker")
end

function Broker:alive()
  local stat = self.pid and read(("/proc/%d/stat"):format(self.pid)) or ""
  return stat ~= "" and stat:match("%) (%a)") ~= "Z"
end

--- Its log since it was last started.
function Broker:log()
  return read(self.dir .. "/broker.log") .. read(self.dir .. "/output.log")
end

--- End it, and wait until it has ended. `signal`: "TERM" by default; "KILL" loses what it did not save.
function Broker:stop(signal)
  if not self.pid then return end
  shell("kill -%s %d 2>/dev/null", signal or "TERM", self.pid)
  local till = loop_native.now() + PATIENCE
  while self:alive() do
    assert(loop_native.now() < till, "the broker does not end")
    sleep()
  end
  self.pid = nil
end

--- Hold it still, or let it go on: connections stay, nothing is answered.
function Broker:freeze() shell("kill -STOP %d", self.pid) end
function Broker:thaw() shell("kill -CONT %d", self.pid) end

--- Start it again on its port, stopping it first when it runs.
function Broker:restart(signal)
  self:stop(signal)
  assert(launch(self), "somebody else took the broker's port")
end

--- The path of one of the files of M.certificates().
function Broker:file(name)
  return self.dir .. "/" .. name
end

function Broker:close()
  self:stop("KILL")
  shell("rm -rf '%s'", self.dir)
end

return M
