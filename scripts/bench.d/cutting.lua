--- A web server whose connections break: run by plain lua5.4 with luasocket.
--
--     lua5.4 cutting.lua FOLDER CUT OUT
--
-- Serves FOLDER on a free port of 127.0.0.1. Each connection ends after one
-- answer, with at most CUT bytes of its body. OUT holds "PORT BYTES
-- CONNECTIONS": the bytes of bodies and the connections that had some.

local socket = require "socket"

local folder, cut, out = arg[1], tonumber(arg[2]), arg[3]
local listener = assert(socket.bind("127.0.0.1", 0))
local bytes, connections = 0, 0

-- Written by rename, so that readers never see half of it.
local function tell()
  local file = assert(io.open(out .. ".new", "wb"))
  file:write(("%d %d %d\n"):format(select(2, listener:getsockname()), bytes, connections))
  file:close()
  assert(os.rename(out .. ".new", out))
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function answer(peer)
  local line = peer:receive "*l"
  local name, first, last = (line or ""):match "^GET /([%w._-]+) ", nil, nil
  if not name then return end
  repeat
    local header = peer:receive "*l"
    if header and header:lower():find "^range:" then first, last = header:match "bytes=(%d+)%-(%d*)" end
  until not header or header == ""
  local object = read(folder .. "/" .. name)
  first = tonumber(first) or 0
  last = math.min(tonumber(last) or #object - 1, #object - 1)
  local body = object:sub(first + 1, math.min(last + 1, first + cut))
  bytes, connections = bytes + #body, connections + 1
  tell()
  peer:send(("HTTP/1.1 206 Partial Content\r\nETag: \"x\"\r\nContent-Length: %d\r\n"
    .. "Content-Range: bytes %d-%d/%d\r\n\r\n"):format(last - first + 1, first, last, #object))
  peer:send(body)
end

tell()
while true do
  local peer = assert(listener:accept())
  peer:settimeout(20)
  answer(peer)
  peer:close()
end
