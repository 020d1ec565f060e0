--- A broker for specs that says exactly the bytes it is told to, at the time
-- it is told to, and nothing by itself.
--
-- It lives in the process of the spec, and nothing here waits: whoever waits
-- polls the descriptors of `watches` and calls `turn`.
--
-- @module spec.support.raw_mqtt

local socket = require "socket"

local M = {}

local Server = {}
Server.__index = Server

--- Listen on a free port of 127.0.0.1.
function M.listen()
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(0)
  local _, port = listener:getsockname()
  return setmetatable({ listener = listener, port = math.tointeger(tonumber(port)), received = "", unsent = "",
    connections = 0 }, Server)
end

local function packet(first, body)
  local length, bytes = #body, {}
  repeat
    local rest = length // 128
    bytes[#bytes + 1] = string.char(length % 128 + (rest > 0 and 128 or 0))
    length = rest
  until length == 0
  return string.char(first) .. table.concat(bytes) .. body
end
M.packet = packet

function M.connack(code, session)
  return packet(0x20, string.char(session and 1 or 0, code or 0))
end

--- @tparam table o qos, mid, dup, retain
function M.publish(topic, payload, o)
  o = o or {}
  local first = 0x30 + (o.dup and 8 or 0) + (o.qos or 0) * 2 + (o.retain and 1 or 0)
  local mid = (o.qos or 0) > 0 and string.pack(">I2", o.mid or 1) or ""
  return packet(first, string.pack(">s2", topic) .. mid .. payload)
end

function M.suback(mid, code)
  return packet(0x90, string.pack(">I2B", mid, code))
end

function M.puback(mid)
  return packet(0x40, string.pack(">I2", mid))
end

function Server:watches()
  local fd = math.tointeger((self.sock or self.listener):getfd())
  return { { fd = fd, read = true, write = #self.unsent > 0 } }
end

local function hang_up(self)
  if self.sock then
    self.sock:close()
    self.sock = nil
  end
end

--- Accept, send and receive what goes without waiting.
function Server:turn()
  if not self.sock then
    self.sock = self.listener:accept()
    if not self.sock then return end
    self.sock:settimeout(0)
    self.sock:setoption("tcp-nodelay", true)
    self.received, self.unsent = "", ""
    self.connections = self.connections + 1
  end
  if #self.unsent > 0 then
    local sent, why, partial = self.sock:send(self.unsent)
    self.unsent = self.unsent:sub((sent or partial) + 1)
    if why == "closed" then return hang_up(self) end
  end
  local data, why, partial = self.sock:receive(65536)
  self.received = self.received .. (data or partial)
  if why == "closed" then hang_up(self) end
end

--- Take the first packet off what came.
-- @treturn table|nil {first (byte), kind (1 to 14), body, mid (of kinds that have one)}
function Server:take()
  local length, at, shift = 0, 2, 0
  repeat
    local byte = self.received:byte(at)
    if not byte then return nil end
    length = length + ((byte & 127) << shift)
    at, shift = at + 1, shift + 7
  until byte < 128
  if #self.received < at - 1 + length then return nil end
  local first, body = self.received:byte(1), self.received:sub(at, at - 1 + length)
  self.received = self.received:sub(at + length)
  local result = { first = first, kind = first >> 4, body = body }
  if result.kind == 3 then
    local topic, next_at = string.unpack(">s2", body)
    result.topic = topic
    if first & 6 ~= 0 then result.mid, next_at = string.unpack(">I2", body, next_at) end
    result.payload = body:sub(next_at)
  elseif result.kind > 3 and #body >= 2 then
    result.mid = string.unpack(">I2", body)
  end
  return result
end

function Server:say(bytes)
  self.unsent = self.unsent .. bytes
  return self
end

--- End the connection, and forget what came and what has not gone.
function Server:cut()
  hang_up(self)
  self.received, self.unsent = "", ""
end

function Server:close()
  self:cut()
  self.listener:close()
end

return M
