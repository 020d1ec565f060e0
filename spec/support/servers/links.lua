--- A server of objects whose links are signed and expire, by script.
--
-- A process of its own: run by plain lua5.4 with luasocket. A link is
-- /NAME?token=T[&cut=N][&rate=N]; the files `good` and `expired` of its folder
-- list tokens, a line each. A token in neither is wrongly signed. `cut`: the
-- connection ends after so many bytes of each body; `rate`: bytes a second.
--
--     local links = require "spec.support.servers.links"
--     local server = links.start(folder)
--     server.url, server:allow "t1", server:expire "t1", server:requests() -- array of "token status first"
--     server:busy(60) -- answers 503 and wants to be asked again in 60 s; busy(nil): no longer
--     server:stop()
--
-- @module spec.support.servers.links

local M = {}

local process = require "spec.support.servers.process"
local read, write = process.read, process.write

local Server = {}
Server.__index = Server

function M.start(folder)
  local running = process.start("links", folder)
  for _, name in ipairs { "good", "expired", "requests" } do write(folder .. "/" .. name, "") end
  return setmetatable({ url = running.url, stop = running.stop, folder = folder, good = {} }, Server)
end

function Server:allow(token)
  self.good[token] = true
  write(self.folder .. "/good", token .. "\n", "ab")
  return self
end

function Server:expire(token)
  self.good[token] = nil
  write(self.folder .. "/expired", token .. "\n", "ab")
  local tokens = {}
  for name in pairs(self.good) do tokens[#tokens + 1] = name .. "\n" end
  write(self.folder .. "/good", table.concat(tokens))
end

function Server:busy(seconds)
  write(self.folder .. "/busy", seconds and tostring(seconds) or "")
end

--- What was asked so far: array of "TOKEN STATUS FIRST-BYTE".
function Server:requests()
  return process.lines(self.folder .. "/requests")
end

if arg and arg[1] ~= "serve" or not arg then
  return M
end

local socket = require "socket"

local folder = arg[2]
local PIECE = 16384

local function listed(name, token)
  return ("\n" .. read(folder .. "/" .. name)):find("\n" .. token .. "\n", 1, true) ~= nil
end

local function refuse(peer, code, message)
  local body = ("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>"):format(code, message)
  peer:send(("HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s"):format(#body,
    body))
end

local function send_body(peer, body, query)
  local cut, rate = tonumber(query:match("cut=(%d+)")), tonumber(query:match("rate=(%d+)"))
  local limit = math.min(#body, cut or #body)
  for at = 1, limit, PIECE do
    if not peer:send(body:sub(at, math.min(limit, at + PIECE - 1))) then return false end
    if rate then socket.sleep(PIECE / rate) end
  end
  return limit == #body
end

-- One request; whether the connection stays.
local function serve(peer)
  local line = peer:receive("*l")
  if not line then return false end
  local first, last
  repeat
    local header = peer:receive("*l")
    if header and header:lower():find("^range:") then first, last = header:match("bytes=(%d+)%-(%d*)") end
  until not header or header == ""
  local name, query = line:match("^GET /([^? ]*)%??(%S*)")
  local token = (query or ""):match("token=(%w+)") or "none"
  first = tonumber(first or 0)
  local good, busy = listed("good", token), read(folder .. "/busy")
  if busy ~= "" then
    peer:send(("HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"):format(busy))
    return true
  end
  write(folder .. "/requests", ("%s %s %d\n"):format(token, good and "206" or "403", first), "ab")
  if not good and listed("expired", token) then
    refuse(peer, "AccessDenied", "Request has expired.")
    return true
  elseif not good then
    refuse(peer, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
    return true
  end
  local object = read(folder .. "/" .. name)
  last = math.min(tonumber(last ~= "" and last or nil) or #object - 1, #object - 1)
  peer:send(("HTTP/1.1 206 Partial Content\r\nETag: \"%d\"\r\nContent-Length: %d\r\n"
    .. "Content-Range: bytes %d-%d/%d\r\n\r\n"):format(#object, last - first + 1, first, last, #object))
  return send_body(peer, object:sub(first + 1, last + 1), query)
end

process.serve(serve)
