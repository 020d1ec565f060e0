--- A server of specs in a process of its own: plain lua5.4 with luasocket, which prints its port.
--
-- @module spec.support.servers.process

local M = {}

function M.write(path, text, mode)
  local file <close> = assert(io.open(path, mode or "wb"))
  assert(file:write(text))
end

--- @treturn string "" when there is no such file
function M.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a" or ""
end

function M.lines(path)
  local list = {}
  for line in M.read(path):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

--- Start it. The shell becomes the server, so its process id is the server's.
-- @tparam string name of the file in spec/support/servers
-- @tparam string ... its arguments after "serve"
-- @treturn table url, port, stop()
function M.start(name, ...)
  local words = { ("echo $$; exec lua5.4 spec/support/servers/%s.lua serve"):format(name) }
  for _, word in ipairs { ... } do words[#words + 1] = "'" .. word .. "'" end
  local pipe = assert(io.popen(table.concat(words, " "), "r"))
  local pid = assert(pipe:read "n")
  local port = assert(pipe:read "n", "the server did not start")
  local server = { url = "http://127.0.0.1:" .. port, port = port }
  function server.stop()
    os.execute("kill " .. pid)
    pipe:close()
  end
  return server
end

--- Serve one connection after the other, for ever.
-- @tparam function serve(peer) one request -> whether the connection stays
function M.serve(serve)
  local socket = require "socket"
  local listener = assert(socket.bind("127.0.0.1", 0))
  io.stdout:write(select(2, listener:getsockname()), "\n")
  io.stdout:flush()
  while true do
    local peer = listener:accept()
    if peer then
      peer:settimeout(20)
      while serve(peer) do end
      peer:close()
    end
  end
end

return M
