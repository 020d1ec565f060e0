--- A world of spec.support.world with a broker and, on demand, a depot that is the Qinglian cloud and a device of it.
--
-- @module spec.support.qinglian_world

local brokers = require "spec.support.broker"
local json = require "update.native.json"
local world = require "spec.support.world"

local M = {}

local World = {}
World.__index = World

M.KEY, M.IV, M.MAC = "0123456789ABCDEF", ("5a"):rep(16), "00:0c:29:4b:5b:1f"

--- @treturn table w, broker, port (of the dispatcher), and the methods below
function M.new()
  return setmetatable({ w = world.new(), broker = brokers.start(), port = brokers.free_port() }, World)
end

--- A module that says a word.
function M.says(word) return ("return function() return %q end"):format(word) end

--- Start the depot. `o`: options (of the depot)
function World:serve(o)
  o = o or {}
  self.w:write("qinglian.json", json.encode { listen = "127.0.0.1:" .. self.port,
    broker = "127.0.0.1:" .. self.broker.port, products = { ["1001"] = M.KEY } })
  self.w:start("depot", ("depot depot --listen 127.0.0.1:0 --keys keys --settle 1 --mqtt %s:%d %s "
    .. "--qinglian qinglian.json"):format(self.broker.host, self.broker.port, o.options or ""))
  self.w:wait_log("depot", "listening on")
end

--- Replace the broker by one over TLS, to which the depot connects; devices may use TLS at its dispatcher.
-- @treturn string options for serve()
function World:use_tls()
  self.broker:close()
  self.broker = brokers.start { tls = true }
  return ("--mqtt-ca %s --tls-cert %s --tls-key %s"):format(self.broker:file "ca.crt", self.broker:file "server.crt",
    self.broker:file "server.key")
end

--- Provision a device of release 01.00.
-- @tparam[opt] string more fields of its cloud, instead of iv
-- @tparam[opt] table files of its script
-- @tparam[opt] string body of its script
-- @tparam[opt] string config more of the configuration
function World:device(more, files, body, config)
  local w = self.w
  w:write("secret", M.KEY .. "\n")
  w:shell "chmod 600 secret"
  for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(6 << 20)) end
  w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
    cloud = { kind = "qinglian", product = "1001", device = %q, secret_file = "secret", host = "127.0.0.1",
      port = %d, %s }, %s]]):format(M.MAC, self.port, more or ("iv = %q"):format(M.IV), config or ""),
    { product_key = "1001" })
  w:pack { sequence = 1, version = "01.00", core = world.core(17), product_key = "1001", files = files,
    body = body }
  local code, _, err = w:moult "provision p1.upd -q"
  assert(code == 0, err)
end

--- Provision and run a device whose script says every moment what its module `clock` says, which is "old".
-- @tparam table o more, config (as device() takes them), files (of the script, besides), program (Lua before it)
function World:run_clock(o)
  local files = o.files or {}
  files["clock.lua"] = M.says "old"
  self:device(o.more, files, (o.program or "") .. [[
sys.taskInit(function() while true do print("clock " .. require("clock")()) sys.wait(500) end end)]], o.config)
  self.w:run()
  self.w:wait_log("device", "clock old", 40)
end

--- The device, as the depot knows it.
function World:known() return self.w:depot_device() end

function World:wait_known()
  self.w:wait("the device at the depot", function() return self:known().release == "01.00" end, 40)
end

function World:wait_state(state, release) return self.w:wait_depot(state, release, 90) end

function World:close()
  self.w:close()
  self.broker:close()
end

return M
