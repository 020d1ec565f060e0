--- A client for specs that drives the server of the same process.
--
-- Bytes go out exactly as given and come back as they are, so that a spec can
-- say things that no decent client says. Nothing here blocks: whoever waits
-- calls `step` in between, which is what the server does when it is its turn.
--
-- @module spec.support.raw_http

local socket = require "socket"

local M = {}

--- Seconds after which a spec that waits is broken, not slow.
local PATIENCE = 20

local Client = {}
Client.__index = Client

--- Connect to "HOST:PORT".
-- @tparam string address
-- @tparam[opt] string from address of ours, such as "127.0.0.2"
-- @treturn table client: send(bytes), received (string), closed (boolean)
function M.connect(address, from)
  local host, port = address:match("^(.*):(%d+)$")
  local sock = assert(socket.tcp())
  sock:settimeout(PATIENCE)
  if from then assert(sock:bind(from, 0)) end
  assert(sock:connect(host, tonumber(port)))
  sock:settimeout(0)
  return setmetatable({ sock = sock, received = "", closed = false, unsent = "", reading = true }, Client)
end

function Client:send(bytes)
  self.unsent = self.unsent .. bytes
  return self
end

--- Send and receive what goes without waiting.
function Client:turn()
  if self.closed then
    return
  end
  if #self.unsent > 0 then
    local sent, why, partial = self.sock:send(self.unsent)
    self.unsent = self.unsent:sub((sent or partial) + 1)
    if why == "closed" then
      self.unsent = ""
    end
  end
  if self.reading then
    repeat
      local data, why, partial = self.sock:receive(65536)
      self.received = self.received .. (data or partial)
      self.closed = why == "closed"
    until why
  end
end

function Client:close()
  self.closed = true
  self.sock:close()
end

--- Parse the first answer in `received`; nil while it is not complete.
-- @tparam[opt] boolean head the answer is one to HEAD and has no body
-- @treturn table {status, reason, headers (lower-case names), body, rest}
function Client:answer(head)
  local stop, body_at = self.received:find("\r\n\r\n", 1, true)
  if not stop then
    return nil
  end
  local text = self.received:sub(1, stop + 1)
  local answer = { headers = {} }
  answer.status, answer.reason = text:match("^HTTP/1%.[01] (%d+) ([^\r]*)\r\n")
  answer.status = math.tointeger(answer.status)
  for name, value in text:gmatch("\r\n([^:\r\n]+):[ ]*([^\r\n]*)") do
    answer.headers[name:lower()] = value
  end
  local length = math.tointeger(answer.headers["content-length"] or 0)
  if head or answer.status == 304 then
    length = 0
  end
  if #self.received < body_at + length then
    return nil
  end
  answer.body = self.received:sub(body_at + 1, body_at + length)
  answer.rest = self.received:sub(body_at + length + 1)
  return answer
end

--- Let server and clients take turns until `done()` is true.
-- @tparam function step what the server does when it may
-- @tparam {table,...} clients
-- @tparam function done
function M.pump(step, clients, done)
  local deadline = socket.gettime() + PATIENCE
  repeat
    step()
    for _, client in ipairs(clients) do
      client:turn()
    end
    assert(socket.gettime() < deadline, "the spec waits for something that does not happen")
  until done()
end

--- One request with its answer.
-- @tparam function step
-- @tparam string address
-- @tparam string target
-- @tparam[opt] table headers {name = value}
-- @tparam[opt="GET"] string method
-- @treturn table as Client:answer
function M.get(step, address, target, headers, method)
  local client = M.connect(address)
  local lines = { (method or "GET") .. " " .. target .. " HTTP/1.1", "Host: depot", "Connection: close" }
  for name, value in pairs(headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  client:send(table.concat(lines, "\r\n") .. "\r\n\r\n")
  M.pump(step, { client }, function() return client.closed end)
  client:close()
  return assert(client:answer(method == "HEAD"), "no whole answer: " .. client.received)
end

return M
