--- MQTT clients of a spec, one loop, and whoever plays their broker.
--
--     local c = require("spec.support.mqtt_clients").new()
--     local m = c:open { port = port }
--     c:turn(1000, peer, function(event, client) ... end)
--     table.remove(c.list):close() -- the newest
--     c:close()
--
-- @module spec.support.mqtt_clients

local loop_native = require "update.native.loop"
local mqtt = require "update.native.mqtt"

local PATIENCE = 20 -- seconds after which something is broken, not slow

local M = {}

local Clients = {}
Clients.__index = Clients

function M.new()
  return setmetatable({ loop = assert(loop_native.new()), list = {} }, Clients)
end

--- A client of a broker on this machine that comes back soon.
function Clients:open(options)
  local o = { host = "127.0.0.1", back_off_min = 0.01, back_off_max = 0.02 }
  for name, value in pairs(options) do o[name] = value end
  local m = assert(mqtt.open(o))
  self.list[#self.list + 1] = m
  return m
end

--- One wait of at most `most` ms, and everybody's turn.
-- @tparam integer most
-- @tparam table|nil peer with watches() and turn()
-- @tparam function take called with each event and its client
function Clients:turn(most, peer, take)
  local watches, timeout = peer and peer:watches() or {}, most
  for _, m in ipairs(self.list) do
    local fd = m:fd()
    if fd then watches[#watches + 1] = { fd = fd, read = true, write = m:wants_write() } end
    timeout = math.min(timeout, m:remaining())
  end
  assert(self.loop:poll(timeout, watches))
  if peer then peer:turn() end
  for _, m in ipairs(self.list) do
    for event in m.step, m do take(event, m) end
  end
end

--- Call turn() until done() gives something, which is returned.
function M.wait(what, done, turn)
  local till = loop_native.now() + PATIENCE
  while true do
    local value = done()
    if value then return value end
    assert(loop_native.now() < till, "nothing came of " .. what)
    turn()
  end
end

function Clients:close()
  for _, m in ipairs(self.list) do m:close() end
  self.loop:close()
  collectgarbage()
end

return M
