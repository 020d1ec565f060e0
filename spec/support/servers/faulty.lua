--- A web server that lies, cuts and stalls, by script.
--
-- A process of its own, so that the client under test may wait for it: run by
-- plain lua5.4 with luasocket. The path says what goes wrong: /CASE/KEY, where
-- each KEY counts its own requests. /log/KEY tells what that key was asked,
-- a line each. The content is the same for every case.
--
--     local faulty = require "spec.support.servers.faulty"
--     local server = faulty.start()
--     server.url .. "/cut/1"
--     server:stop()
--
-- @module spec.support.servers.faulty

local M = {}

--- The object that is served: blocks of 4 KiB, each beginning with its number.
-- @tparam integer size bytes
-- @treturn string
function M.content(size)
  local blocks = {}
  local rest = ("0123456789abcdef"):rep(256):sub(9)
  for i = 0, (size - 1) // 4096 do
    blocks[#blocks + 1] = string.pack(">I8", i * 0x9E3779B97F4A7C15) .. rest
  end
  return table.concat(blocks):sub(1, size)
end

M.size = 300001 -- of the object, unless the case says otherwise
M.large = 4 * 1024 * 1024 + 300001 -- two ranges

--- Start the server.
-- @treturn table url, other (the same server under another origin), stop()
function M.start()
  local server = require("spec.support.servers.process").start "faulty"
  server.other = "http://127.0.0.2:" .. server.port
  return server
end

if arg and arg[1] ~= "serve" or not arg then
  return M
end

package.loaded["spec.support.servers.faulty"] = M

local socket = require "socket"

local cases = require "spec.support.servers.faulty_cases"

local DATE = "Sun, 22 Nov 2026 06:00:00 GMT" -- of every answer

-- Each connection is a coroutine that yields what it waits for: a socket to
-- read from or write to, or a time.
local tasks = {} -- coroutine -> { read = socket } | { write = socket } | { at = time }

local Peer = {}
Peer.__index = Peer

function Peer:send(text, first)
  local at = first or 1
  while at <= #text do
    local last, why, partial = self.sock:send(text, at)
    if not last and why ~= "timeout" then
      error("gone", 0)
    end
    at = (last or partial) + 1
    if at <= #text then
      coroutine.yield { write = self.sock }
    end
  end
end

function Peer:line()
  while true do
    local line, rest = self.buffer:match("^(.-)\r\n(.*)$")
    if line then
      self.buffer = rest
      return line
    end
    self:fill()
  end
end

function Peer:fill()
  local data, why, partial = self.sock:receive(8192)
  data = data or partial
  if data == "" and why == "closed" then
    error("gone", 0)
  end
  if data == "" then
    coroutine.yield { read = self.sock }
  end
  self.buffer = self.buffer .. data
end

function Peer.wait(_, seconds)
  coroutine.yield { at = socket.gettime() + seconds }
end

--- Send nothing more, but stay: until the client goes or the test is over.
function Peer:stall()
  while true do
    self:fill()
  end
end

function Peer.close()
  error("closed by the case", 0)
end

--- A head: status line and headers, given as a list.
function Peer:head(status, headers)
  self:send(("HTTP/1.1 %s\r\nDate: %s\r\n%s\r\n"):format(status, DATE,
    table.concat(headers, "\r\n") .. (headers[1] and "\r\n" or "")))
end

local counts, logs = {}, {}
local connections = 0

cases.log = function(peer, request)
  local text = table.concat(logs[request.query] or {}, "\n")
  peer:head("200 OK", { "Content-Length: " .. #text })
  peer:send(text)
end

local function read_request(peer)
  local request = { headers = {}, line = peer:line() }
  while true do
    local line = peer:line()
    if line == "" then
      break
    end
    local name, value = line:match("^([^:]+):%s*(.-)$")
    request.headers[name:lower()] = value
  end
  while #peer.buffer < tonumber(request.headers["content-length"] or 0) do
    peer:fill()
  end
  request.body, peer.buffer = peer.buffer, ""
  -- A proxy is asked for whole URLs.
  local target = request.line:match("^%u+ (%S+) HTTP/1.1$"):gsub("^http://[^/]+", "")
  request.path, request.query = target:match("^([^?]+)%??(.*)$")
  request.range = request.headers.range
  return request
end

local function serve(sock)
  connections = connections + 1
  local peer = setmetatable({ sock = sock, buffer = "", number = connections }, Peer)
  while true do
    local request = read_request(peer)
    local path = request.path
    counts[path] = (counts[path] or 0) + 1
    logs[path] = logs[path] or {}
    table.insert(logs[path], ("%d %s %s"):format(peer.number, request.range or "-", request.headers["if-range"] or "-"))
    -- Without a slash a tunnel is wanted.
    cases[path:match("^/([^/]+)") or "login"](peer, request, counts[path])
  end
end

local function start(sock)
  sock:settimeout(0)
  sock:setoption("tcp-nodelay", true)
  local task = coroutine.create(function()
    local ok, why = pcall(serve, sock)
    sock:close()
    if not ok and why ~= "gone" and why ~= "closed by the case" then
      io.stderr:write(tostring(why), "\n")
    end
  end)
  tasks[task] = { at = 0 }
end

local function run(listeners)
  while true do
    local reading, writing, until_ = {}, {}, socket.gettime() + 1
    for _, l in ipairs(listeners) do
      reading[#reading + 1] = l
    end
    for _, waits in pairs(tasks) do
      reading[#reading + 1] = waits.read
      writing[#writing + 1] = waits.write
      until_ = math.min(until_, waits.at or until_)
    end
    local can_read, can_write = socket.select(reading, writing, math.max(0, until_ - socket.gettime()))
    for _, l in ipairs(listeners) do
      local sock = can_read[l] and l:accept()
      if sock then
        start(sock)
      end
    end
    local ready = {}
    for task, waits in pairs(tasks) do
      if waits.read and can_read[waits.read] or waits.write and can_write[waits.write]
        or waits.at and waits.at <= socket.gettime() then
        ready[#ready + 1] = task
      end
    end
    for _, task in ipairs(ready) do
      local _, waits = coroutine.resume(task)
      tasks[task] = coroutine.status(task) ~= "dead" and waits or nil
    end
  end
end

local first = assert(socket.bind("127.0.0.1", 0))
local _, port = first:getsockname()
local second = assert(socket.bind("127.0.0.2", port))
first:settimeout(0)
second:settimeout(0)
print(math.tointeger(port))
io.stdout:flush()
run { first, second }
