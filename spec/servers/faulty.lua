--- A web server that lies, cuts and stalls, by script.
--
-- A process of its own, so that the client under test may wait for it: run by
-- plain lua5.4 with luasocket. The path says what goes wrong: /CASE/KEY, where
-- each KEY counts its own requests. /log/KEY tells what that key was asked,
-- a line each. The content is the same for every case.
--
--     local faulty = require "spec.servers.faulty"
--     local server = faulty.start()
--     server.url .. "/cut/1"
--     server:stop()
--
-- @module spec.servers.faulty

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
  -- The shell becomes the server, so its process id is the server's.
  local pipe = assert(io.popen("echo $$; exec lua5.4 spec/servers/faulty.lua serve", "r"))
  local pid = assert(pipe:read("n"))
  local port = assert(pipe:read("n"), "the server did not start")
  local server = { url = "http://127.0.0.1:" .. port, other = "http://127.0.0.2:" .. port }
  function server.stop()
    os.execute("kill " .. pid)
    pipe:close()
  end
  return server
end

if arg and arg[1] ~= "serve" or not arg then
  return M
end

local socket = require "socket"

local DATE = "Sun, 22 Nov 2026 06:00:00 GMT"
local OLD, OLDER = "Sat, 21 Nov 2026 06:00:00 GMT", "Fri, 20 Nov 2026 06:00:00 GMT"
local small, large = M.content(M.size), M.content(M.large)

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

-- What a range asks for: first byte, last byte, of an object this long.
local function wanted(request, total)
  local first, last = (request.range or ""):match("^bytes=(%d+)%-(%d*)$")
  first, last = tonumber(first or 0), tonumber(last ~= "" and last or nil)
  return first, math.min(last or total - 1, total - 1)
end

--- The right answer; `change` replaces fields of it: tag, date, body, range,
-- length, encoding, status, extra.
function Peer:answer(request, change)
  change = change or {}
  local body = change.body or small
  local first, last = wanted(request, #body)
  local headers = { "ETag: " .. (change.tag or '"one"'), "Last-Modified: " .. (change.date or OLD) }
  if change.tag == false then
    table.remove(headers, 1)
  end
  if change.whole or not request.range then
    first, last = 0, #body - 1
  elseif change.range ~= false then
    headers[#headers + 1] = "Content-Range: "
      .. (change.range or ("bytes %d-%d/%d"):format(first, last, change.total or #body))
  end
  if change.length ~= false then
    headers[#headers + 1] = "Content-Length: " .. (change.length or last - first + 1)
  end
  for _, line in ipairs(change.extra or {}) do
    headers[#headers + 1] = line
  end
  self:head(change.status or (request.range and not change.whole) and "206 Partial Content" or "200 OK", headers)
  return body:sub(first + 1, last + 1), first, last
end

function Peer:chunks(body, size)
  for at = 1, #body, size do
    local part = body:sub(at, at + size - 1)
    self:send(("%x\r\n%s\r\n"):format(#part, part))
  end
end

local cases = {}

-- Cases that are the right answer with something changed, whole body sent.
local changed = {
  good = {},
  large = { body = large },
  ignores_range = { whole = true },
  large_ignores_range = { whole = true, body = large },
  no_content_range = { range = false },
  wrong_unit = { range = "items 0-9/10" },
  backward_range = { range = "bytes 5-3/300001" },
  range_past_total = { range = "bytes 0-300000/5" },
  overflowing_range = { range = "bytes 0-99999999999999999999/99999999999999999999" },
  range_with_tail = { range = "bytes 0-300000/300001 x" },
  length_contradicts_range = { range = "bytes 0-9/300001" },
  weak_tag = { tag = 'W/"one"', date = OLD, body = large },
  no_validators = { tag = false, body = large },
  gzip = { extra = { "Content-Encoding: gzip" } },
  long_length = { length = 400000, whole = true },
  negative_length = { length = -5, whole = true },
  wordy_length = { length = "many", whole = true },
  multipart = { range = false, extra = { "Content-Type: multipart/byteranges; boundary=x" } },
  two_ranges = { extra = { "Content-Range: bytes 0-9/10" } },
}
for name, change in pairs(changed) do
  cases[name] = function(peer, request)
    peer:send((peer:answer(request, change)))
    if name == "long_length" then
      peer:close()
    end
  end
end

-- The first request is answered well, the next with something changed.
local later = {
  tag_changes = { tag = '"two"', body = large },
  tag_changes_whole = { tag = '"two"', body = large, whole = true },
  total_changes = { total = M.large + 1, body = large },
  size_changes_whole = { body = large .. "more", whole = true, tag = '"one"' },
  gone_later = { status = "404 Not Found", length = 0, range = false, body = "" },
}
for name, change in pairs(later) do
  cases[name] = function(peer, request, n)
    peer:send((peer:answer(request, n == 1 and { body = large } or change)))
  end
end

function cases.date_changes(peer, request, n)
  peer:send((peer:answer(request, { body = large, tag = false, date = n > 1 and OLDER or OLD })))
end

function cases.wrong_offset(peer, request)
  local first, last = wanted(request, #small)
  peer:send((peer:answer(request, { range = ("bytes %d-%d/%d"):format(first + 1, last + 1, #small + 2) })))
end

function cases.more_than_asked(peer, request)
  local first = wanted(request, #large)
  peer:answer(request, { body = large, range = ("bytes %d-%d/%d"):format(first, #large - 1, #large),
    length = #large - first })
  peer:send(large, first + 1)
end

function cases.short_ranges(peer, request)
  local first = wanted(request, #small)
  local last = math.min(first + 9999, #small - 1)
  peer:answer(request, { range = ("bytes %d-%d/%d"):format(first, last, #small), length = last - first + 1 })
  peer:send(small:sub(first + 1, last + 1))
end

function cases.cut(peer, request)
  local body = peer:answer(request)
  peer:send(body:sub(1, 100000))
  peer:close()
end

-- Closes after as many bytes as the query says.
function cases.cut_after(peer, request)
  local body = peer:answer(request, { body = large })
  peer:send(body:sub(1, tonumber(request.query)))
  peer:close()
end

function cases.stall(peer, request)
  local body = peer:answer(request)
  peer:send(body:sub(1, 100000))
  peer:stall()
end

function cases.stall_before_head(peer)
  peer:stall()
end

function cases.drip(peer, request)
  local body = peer:answer(request)
  for i = 1, #body do
    peer:send(body:sub(i, i))
    peer:wait(0.1)
  end
end

function cases.drip_head(peer)
  peer:send "HTTP/1.1 200 OK\r\n"
  for i = 1, 10000 do
    peer:send(("X-%d: x\r\n"):format(i))
    peer:wait(0.1)
  end
end

function cases.chunked(peer)
  peer:head("200 OK", { "Transfer-Encoding: chunked" })
  peer:chunks(small, 7777)
  peer:send "0\r\nX-Trailer: yes\r\n\r\n"
end

function cases.chunked_broken(peer)
  peer:head("200 OK", { "Transfer-Encoding: chunked" })
  peer:chunks(small:sub(1, 77770), 7777)
  peer:send "no number\r\n"
  peer:close()
end

function cases.chunked_cut(peer)
  peer:head("200 OK", { "Transfer-Encoding: chunked" })
  peer:chunks(small:sub(1, 77770), 7777)
  peer:close()
end

local function chunked_range(more)
  return function(peer, request)
    local body = peer:answer(request, { length = false, extra = { "Transfer-Encoding: chunked" } })
    peer:chunks(more > 0 and body .. ("x"):rep(more) or body:sub(1, more - 1), 10000)
    peer:send "0\r\n\r\n"
  end
end
cases.chunked_range_short, cases.chunked_range_long = chunked_range(-5000), chunked_range(5000)

local function unframed_range(more)
  return function(peer, request)
    local body = peer:answer(request, { length = false, extra = { "Connection: close" } })
    peer:send(more > 0 and body .. ("x"):rep(more) or body:sub(1, more - 1))
    peer:close()
  end
end
cases.unframed_range_short, cases.unframed_range_long = unframed_range(-5000), unframed_range(5000)

function cases.unframed(peer)
  peer:head("200 OK", { "Connection: close" })
  peer:send(small)
  peer:close()
end

function cases.endless(peer)
  peer:head("200 OK", { "Connection: close" })
  while true do
    peer:send(small)
  end
end

function cases.endless_later(peer, request, n)
  if n == 1 then
    return peer:send((peer:answer(request, { body = large })))
  end
  peer:head("200 OK", { 'ETag: "one"', "Transfer-Encoding: chunked" })
  peer:chunks(large, 65536)
  while true do
    peer:chunks(small, 65536)
  end
end

function cases.short_length(peer, request)
  peer:send((peer:answer(request, { length = 1000, whole = true })))
end

function cases.empty(peer)
  peer:head("200 OK", { "Content-Length: 0" })
end

function cases.redirect(peer, request)
  peer:head("302 Found", { "Location: " .. request.query, "Content-Length: 5" })
  peer:send "moved"
end

function cases.redirect_forever(peer, request, n)
  peer:head("301 Moved Permanently", { "Location: " .. request.path .. "?" .. n, "Content-Length: 0" })
end

function cases.redirect_with_endless_body(peer, request)
  peer:head("302 Found", { "Location: " .. request.query, "Connection: close" })
  while true do
    peer:send(small)
  end
end

function cases.redirect_nowhere(peer)
  peer:head("302 Found", { "Content-Length: 0" })
end

-- The status that the query says, with a body.
function cases.status(peer, request)
  peer:head(request.query .. " Word", { "Content-Length: 17" })
  peer:send '{"code":"twenty"}'
end

function cases.status_large(peer)
  peer:head("404 Not Found", { "Connection: close" })
  while true do
    peer:send(small)
  end
end

function cases.status_cut(peer)
  peer:head("403 Forbidden", { "Content-Length: 1000" })
  peer:send "partly"
  peer:close()
end

function cases.unsatisfiable(peer, request)
  peer:head("416 Range Not Satisfiable", { "Content-Length: 3", request.query ~= "" and "Content-Range: bytes */"
    .. request.query or "X-Nothing: said" })
  peer:send "no\n"
end

function cases.header_bomb(peer)
  peer:send "HTTP/1.1 200 OK\r\n"
  for i = 1, 100000 do
    peer:send(("X-%d: %s\r\n"):format(i, ("x"):rep(100)))
  end
end

function cases.header_line_bomb(peer)
  peer:send "HTTP/1.1 200 OK\r\nX: "
  while true do
    peer:send(("x"):rep(65536))
  end
end

function cases.interim_bomb(peer)
  while true do
    peer:send "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
  end
end

function cases.interim(peer, request)
  peer:send "HTTP/1.1 103 Early Hints\r\nContent-Range: bytes 7-8/9\r\nContent-Length: 1\r\n\r\n"
  peer:send((peer:answer(request)))
end

function cases.zero_in_header(peer)
  peer:send "HTTP/1.1 200 OK\r\nContent-Length: 5\0\r\nX: \0\r\n\r\nhello"
  peer:close()
end

function cases.bad_status_line(peer)
  peer:send "HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello"
  peer:close()
end

function cases.not_http(peer)
  peer:send "SSH-2.0-OpenSSH_9.2p1 Debian\r\n"
  peer:close()
end

function cases.head_cut(peer)
  peer:send "HTTP/1.1 200 OK\r\nContent-Le"
  peer:close()
end

function cases.hang_up(peer)
  peer:close()
end

-- Answers well, says it will stay, and goes.
function cases.hang_up_after(peer, request)
  peer:send((peer:answer(request, { body = large })))
  peer:close()
end

function cases.close_after(peer, request)
  peer:send((peer:answer(request, { body = large, extra = { "Connection: close" } })))
  peer:close()
end

-- Sends back what it was asked, as text.
function cases.echo(peer, request)
  local lines = { request.line }
  for name, value in pairs(request.headers) do
    lines[#lines + 1] = name .. ": " .. value
  end
  local text = table.concat(lines, "\n") .. "\n\n" .. request.body
  peer:head("200 OK", { "Content-Length: " .. #text })
  peer:send(text)
end

function cases.archive(peer, request)
  peer:send((peer:answer(request, { extra = { "Content-Encoding: x-gzip" } })))
end

local counts, logs = {}, {}
local connections = 0

function cases.log(peer, request)
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
  request.path, request.query = request.line:match("^%u+ ([^ ?]+)%??(%S*) HTTP/1.1$")
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
    cases[path:match("^/([^/]+)")](peer, request, counts[path])
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
