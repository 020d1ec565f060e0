--- A way between a client and a server that carries a few bytes at a time.
--
-- It lives in the process of the spec; whoever waits polls the descriptors of
-- `watches` and calls `turn`.
--
-- @module spec.support.narrow

local socket = require "socket"

local M = {}

local Relay = {}
Relay.__index = Relay

--- To a port of 127.0.0.1, from `port` of the result.
-- @tparam integer port
-- @tparam integer width bytes each way and turn
function M.new(port, width)
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(0)
  local _, own = listener:getsockname()
  return setmetatable({ listener = listener, port = math.tointeger(tonumber(own)), to = port, width = width }, Relay)
end

--- One or two watches for loop:poll.
function Relay:watches()
  if not self.near then return { { fd = math.tointeger(self.listener:getfd()), read = true } } end
  return {
    { fd = math.tointeger(self.near:getfd()), read = true, write = self.down ~= "" },
    { fd = math.tointeger(self.far:getfd()), read = true, write = self.up ~= "" },
  }
end

-- What is held back, with what came joined; nil at the end.
local function carry(self, held, from, to)
  local data, why, partial = from:receive(65536)
  held = held .. (data or partial)
  to:send(held:sub(1, self.width)) -- so little always fits
  held = held:sub(self.width + 1)
  if why == "closed" and held == "" then return nil end
  return held
end

function Relay:turn()
  if not self.near then
    self.near = self.listener:accept()
    if not self.near then return end
    self.near:settimeout(0)
    self.near:setoption("tcp-nodelay", true)
    self.far = assert(socket.connect("127.0.0.1", self.to))
    self.far:settimeout(0)
    self.far:setoption("tcp-nodelay", true)
    self.up, self.down = "", ""
  end
  self.up = carry(self, self.up, self.near, self.far)
  self.down = carry(self, self.down, self.far, self.near)
  if not self.up or not self.down then
    self.near:close()
    self.far:close()
    self.near = nil
  end
end

function Relay:close()
  if self.near then
    self.near:close()
    self.far:close()
  end
  self.listener:close()
end

return M
