--- A web server of a cloud that no vendor has, by script: it answers questions.
--
-- A process of its own: run by plain lua5.4 with luasocket. GET /next/DEVICE/RELEASE
-- with `Authorization: Bearer TOKEN` is answered with 302 to the link that the file
-- `link` of its folder holds ("RELEASE URL"), or with 204 when there is none or the
-- release is the one that asks. GET /ask/... is answered with 200, and a body that is
-- `{"next":URL}` or `{}`.
--
--     local server = require("spec.support.servers.questions").start(folder, token)
--     server.url
--     server:offer("1.0.1", url)
--     server:asked() -- array of "DEVICE RELEASE STATUS"
--     server:stop()
--
-- @module spec.support.servers.questions

local M = {}

local process = require "spec.support.servers.process"
local read, write = process.read, process.write

local Server = {}
Server.__index = Server

function M.start(folder, token)
  local running = process.start("questions", folder, token)
  return setmetatable({ url = running.url, stop = running.stop, folder = folder }, Server)
end

function Server:offer(release, url)
  write(self.folder .. "/link", ("%s %s"):format(release, url))
end

function Server:asked()
  return process.lines(self.folder .. "/asked")
end

if arg and arg[1] ~= "serve" or not arg then
  return M
end

local folder, token = arg[2], arg[3]

local function answer(line, authorization)
  local path, device, release = line:match("^GET /(%l+)/([^/ ]+)/([^/ ]+) ")
  if not device or authorization ~= "Bearer " .. token then return "403 Forbidden", "", device, release end
  local offered, url = read(folder .. "/link"):match("^(%S+) (%S+)$")
  local has = offered and offered ~= release
  if path == "ask" then
    local body = has and ('{"next":"%s"}'):format(url) or "{}"
    return "200 OK", ("Content-Length: %d\r\n"):format(#body), device, release, body
  end
  if not has then return "204 No Content", "", device, release end
  return "302 Found", "Location: " .. url .. "\r\nContent-Length: 0\r\n", device, release
end

local function serve(peer)
  local line = peer:receive("*l")
  if not line then return false end
  local header, authorization
  repeat
    header = peer:receive("*l")
    authorization = header and header:match("^[Aa]uthorization: (.*)$") or authorization
  until not header or header == ""
  local status, headers, device, release, body = answer(line, authorization)
  write(folder .. "/asked", ("%s %s %s\n"):format(device, release, status:sub(1, 3)), "ab")
  if status:find "^403" then headers = "Content-Length: 0\r\n" end
  return peer:send(("HTTP/1.1 %s\r\n%s\r\n%s"):format(status, headers, body or ""))
end

process.serve(serve)
