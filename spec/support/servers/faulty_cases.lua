--- What the faulty server does wrong: one function a case.
--
-- Each is given the connection (send, head, wait, stall, close), the request
-- (path, query, range, headers, body) and how often its path was asked for.
-- When it returns, the connection stays for the next request.
--
-- @module spec.support.servers.faulty_cases

local faulty = require "spec.support.servers.faulty"

local OLD, OLDER = "Sat, 21 Nov 2026 06:00:00 GMT", "Fri, 20 Nov 2026 06:00:00 GMT"
local small, large = faulty.content(faulty.size), faulty.content(faulty.large)

-- What a range asks for: first byte, last byte, of an object this long.
local function wanted(request, total)
  local first, last = (request.range or ""):match("^bytes=(%d+)%-(%d*)$")
  first, last = tonumber(first or 0), tonumber(last ~= "" and last or nil)
  return first, math.min(last or total - 1, total - 1)
end

--- The right answer; `change` replaces fields of it: tag, date, body, range,
-- length, encoding, status, extra.
local function answer(peer, request, change)
  change = change or {}
  local body = change.body or small
  local first, last = wanted(request, #body)
  local headers = {}
  if change.tag ~= false then headers[1] = "ETag: " .. (change.tag or '"one"') end
  if change.date ~= false then headers[#headers + 1] = "Last-Modified: " .. (change.date or OLD) end
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
  peer:head(change.status or (request.range and not change.whole) and "206 Partial Content" or "200 OK", headers)
  return body:sub(first + 1, last + 1), first, last
end

local function chunks(peer, body, size)
  for at = 1, #body, size do
    local part = body:sub(at, at + size - 1)
    peer:send(("%x\r\n%s\r\n"):format(#part, part))
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
  unnamed = { tag = false, date = false, body = large },
  gzip = { extra = { "Content-Encoding: gzip" } },
  long_length = { length = 400000, whole = true },
  negative_length = { length = -5, whole = true },
  wordy_length = { length = "many", whole = true },
  multipart = { range = false, extra = { "Content-Type: multipart/byteranges; boundary=x" } },
  two_ranges = { extra = { "Content-Range: bytes 0-9/10" } },
}
for name, change in pairs(changed) do
  cases[name] = function(peer, request)
    peer:send((answer(peer, request, change)))
    if name == "long_length" then
      peer:close()
    end
  end
end

-- The head of the right answer only.
function cases.head(peer, request)
  answer(peer, request)
end

-- The first request is answered well, the next with something changed.
local later = {
  tag_changes = { tag = '"two"', body = large },
  tag_changes_whole = { tag = '"two"', body = large, whole = true },
  total_changes = { total = faulty.large + 1, body = large },
  size_changes_whole = { body = large .. "more", whole = true, tag = '"one"' },
  gone_later = { status = "404 Not Found", length = 0, range = false, body = "" },
}
for name, change in pairs(later) do
  cases[name] = function(peer, request, n)
    peer:send((answer(peer, request, n == 1 and { body = large } or change)))
  end
end

function cases.date_changes(peer, request, n)
  peer:send((answer(peer, request, { body = large, tag = false, date = n > 1 and OLDER or OLD })))
end

function cases.wrong_offset(peer, request)
  local first, last = wanted(request, #small)
  peer:send((answer(peer, request, { range = ("bytes %d-%d/%d"):format(first + 1, last + 1, #small + 2) })))
end

function cases.more_than_asked(peer, request)
  local first = wanted(request, #large)
  answer(peer, request, { body = large, range = ("bytes %d-%d/%d"):format(first, #large - 1, #large),
    length = #large - first })
  peer:send(large, first + 1)
end

function cases.short_ranges(peer, request)
  local first = wanted(request, #small)
  local last = math.min(first + 9999, #small - 1)
  answer(peer, request, { range = ("bytes %d-%d/%d"):format(first, last, #small), length = last - first + 1 })
  peer:send(small:sub(first + 1, last + 1))
end

-- Never says how long the object is, but knows where it ends.
function cases.unknown_total(peer, request)
  local first, last = wanted(request, #large)
  if first >= #large then
    return peer:head("416 Range Not Satisfiable", { "Content-Length: 0", "Content-Range: bytes */" .. #large })
  end
  peer:send((answer(peer, request, { body = large, range = ("bytes %d-%d/*"):format(first, last) })))
end

function cases.old_http(peer)
  peer:send "HTTP/1.0 200 OK\r\n\r\n"
  peer:send(small)
  peer:close()
end

function cases.transfer_gzip(peer)
  peer:head("200 OK", { "Transfer-Encoding: gzip, chunked" })
  chunks(peer, small, 10000)
  peer:send "0\r\n\r\n"
end

function cases.cut(peer, request)
  local body = answer(peer, request)
  peer:send(body:sub(1, 100000))
  peer:close()
end

-- Closes after as many bytes as the query says.
function cases.cut_after(peer, request)
  local body = answer(peer, request, { body = large })
  peer:send(body:sub(1, tonumber(request.query)))
  peer:close()
end

-- Wants to be asked later: the query is what it says of when.
function cases.later(peer, request)
  local said = request.query:gsub("+", " ")
  peer:head("503 Service Unavailable", { "Content-Length: 0", "Retry-After: " .. said })
end

function cases.login(peer)
  peer:head("407 Proxy Authentication Required", { "Content-Length: 0", "Proxy-Authenticate: Basic realm=x" })
end

-- As tinyproxy does it.
function cases.old_login(peer)
  peer:head("401 Unauthorized", { "Content-Length: 0", "WWW-Authenticate: Basic realm=x" })
end

function cases.stall(peer, request)
  local body = answer(peer, request)
  peer:send(body:sub(1, 100000))
  peer:stall()
end

function cases.stall_before_head(peer)
  peer:stall()
end

function cases.drip(peer, request)
  local body = answer(peer, request)
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
  chunks(peer, small, 7777)
  peer:send "0\r\nX-Trailer: yes\r\n\r\n"
end

function cases.chunked_broken(peer)
  peer:head("200 OK", { "Transfer-Encoding: chunked" })
  chunks(peer, small:sub(1, 77770), 7777)
  peer:send "no number\r\n"
  peer:close()
end

function cases.chunked_cut(peer)
  peer:head("200 OK", { "Transfer-Encoding: chunked" })
  chunks(peer, small:sub(1, 77770), 7777)
  peer:close()
end

local function chunked_range(more)
  return function(peer, request)
    local body = answer(peer, request, { length = false, extra = { "Transfer-Encoding: chunked" } })
    chunks(peer, more > 0 and body .. ("x"):rep(more) or body:sub(1, more - 1), 10000)
    peer:send "0\r\n\r\n"
  end
end
cases.chunked_range_short, cases.chunked_range_long = chunked_range(-5000), chunked_range(5000)

local function unframed_range(more)
  return function(peer, request)
    local body = answer(peer, request, { length = false, extra = { "Connection: close" } })
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
    return peer:send((answer(peer, request, { body = large })))
  end
  peer:head("200 OK", { 'ETag: "one"', "Transfer-Encoding: chunked" })
  chunks(peer, large, 65536)
  while true do
    chunks(peer, small, 65536)
  end
end

function cases.short_length(peer, request)
  peer:send((answer(peer, request, { length = 1000, whole = true })))
end

function cases.empty(peer)
  peer:head("200 OK", { "Content-Length: 0" })
end

function cases.redirect(peer, request)
  peer:head("302 Found", { "Location: " .. request.query, "Content-Length: 5" })
  peer:send "moved"
end

-- With the status that the query begins with.
function cases.redirect_as(peer, request)
  local status, place = request.query:match("^(%d+),(.*)$")
  peer:head(status .. " Moved", { "Location: " .. place, "Content-Length: 0" })
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
  peer:send((answer(peer, request)))
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
  peer:send((answer(peer, request, { body = large })))
  peer:close()
end

function cases.close_after(peer, request)
  peer:send((answer(peer, request, { body = large, extra = { "Connection: close" } })))
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

-- What a hotel's network says to every question, with and without its type.
local login = "<html><body>Welcome to our network, please log in</body></html>"

function cases.portal(peer)
  peer:head("200 OK", { "Content-Type: text/html", "Content-Length: " .. #login })
  peer:send(login)
end

function cases.untyped_portal(peer)
  peer:head("200 OK", { "Content-Length: " .. #login })
  peer:send(login)
end

function cases.archive(peer, request)
  peer:send((answer(peer, request, { extra = { "Content-Encoding: x-gzip" } })))
end

return cases
