--- A client of the API, for the command line.
--
-- What may be asked, and with which arguments, is read from the route table, so that a mistake is said before anything
-- is sent. A token goes to the server that is named and nowhere else: redirects are not followed.
--
-- @module depot.api.client

local address = require "depot.api.address"
local fields = require "depot.api.fields"
local form = require "depot.console.form"
local route_table = require "depot.api.route_table"
local router = require "depot.api.router"

local M = {}

local WAIT = 1000            -- ms of one poll
local PIECE = 4 * 1024 * 1024 -- bytes of an upload that are sent at once
local LONGEST = 64 * 1024 * 1024 -- bytes of an answer that is not written into a file
local LIMITED = 429          -- HTTP: more requests than a token may send, if it says when to try again
local PATIENT = 30           -- tries of a request then
local TRIES = 5              -- of a piece, when the server is busy or cannot be reached

local Client = {}
Client.__index = Client

-- A token that crosses a network in the clear is anybody's.
local function fault_of(server)
  local scheme, host = address.read(server)
  if not scheme then return host end
  if scheme == "http" and not address.is_local(host) then
    return "over http:// anybody could read the token; use https://"
  end
end

--- @tparam table parts natives, server (URL), token, ca (file of certificates, or nil: those of the system), note
-- @treturn table|nil client; nil, message, code
function M.new(parts)
  local fault = fault_of(parts.server)
  if fault then return nil, ("--server %s: %s"):format(parts.natives.url.shown(parts.server), fault), "usage" end
  local self = setmetatable(parts, Client)
  self.server = self.server:gsub("/+$", "")
  self.routes = route_table.all()
  self.router = router.new(self.routes)
  local message, code
  self.loop, message, code = parts.natives.loop.new()
  return self.loop and self, message, code
end

--- Wait for `ms`, whatever the connections do.
function Client:pause(ms)
  local loop <close> = self.natives.loop.new()
  if loop then loop:poll(ms) end
end

-- Read an answer, or write what is given to `sink`.
local function read_all(loop, fetch, sink)
  local parts, size = {}, 0
  while true do
    local data, message, code = fetch:read()
    if data then
      -- What says why something failed is not the file.
      local ok, why = true, nil
      if sink and fetch:status() == 200 then ok, why = sink(data) else parts[#parts + 1] = data end
      if not ok then return nil, why, "write" end
      size = size + (sink and 0 or #data)
      if size > LONGEST then return nil, "the answer is too long; use --out", "nospace" end
    elseif data == false then
      return table.concat(parts)
    elseif code == "again" then
      loop:poll(WAIT)
    else
      return nil, message, code
    end
  end
end

-- Send a request.
-- with: query, body (text), headers, sink
function Client:_send(method, path, with)
  local headers = { Authorization = self.token and "Bearer " .. self.token, Accept = "application/json" }
  for name, value in pairs(with.headers or {}) do headers[name] = value end
  local url = self.server .. route_table.PREFIX .. path .. form.query(with.query or {})
  local fetch, message, code = self.natives.fetch.open(self.loop, url, { method = method, body = with.body,
    headers = headers, ca_file = self.ca, connect_timeout = 10, low_speed_time = 60, low_speed_limit = 1 })
  if not fetch then return nil, message, code end
  local text
  text, message, code = read_all(self.loop, fetch, with.sink)
  local status = fetch:status()
  local answer = { status = status, text = text, etag = fetch:header "etag", undo = fetch:header "x-undo",
    retry_after = fetch:header "retry-after", next = fetch:header "x-next-cursor" }
  fetch:close()
  if not text then return nil, ("%s: %s"):format(self.server, message), code end
  answer.object = self.natives.json.decode(text, { depth = 16, size = LONGEST }) or nil
  return answer
end

-- The failure that an answer tells of.
local function failure_of(self, answer)
  local fault = type(answer.object) == "table" and answer.object.error
  if type(fault) ~= "table" or type(fault.message) ~= "string" then
    return nil, ("%s answered %d, and not as a depot does"):format(self.server, answer.status), "internal"
  end
  local hint = type(fault.hint) == "string" and "; " .. fault.hint or ""
  local field = type(fault.field) == "string" and fault.field .. ": " or ""
  if fault.message:find(field, 1, true) == 1 then field = "" end
  return nil, self.natives.printable.text(field .. fault.message .. hint), tostring(fault.code)
end

--- Ask.
-- @tparam string method
-- @tparam string path
-- @tparam[opt] table with query, body (a table), headers, sink (function(data) -> true; or nil, why)
-- @treturn table|nil status, object, text, etag, undo, next; nil, message, code
function Client:ask(method, path, with)
  with = with or {}
  local headers = with.headers or {}
  local body = with.body
  if type(body) == "table" then
    body, headers["Content-Type"] = self.natives.json.encode(body), "application/json"
  end
  local answer, message, code
  for _ = 1, PATIENT do
    answer, message, code = self:_send(method, path, { query = with.query, body = body, headers = headers,
      sink = with.sink })
    if not answer then return nil, message, code end
    if answer.status ~= LIMITED or not answer.retry_after then break end
    self:pause(WAIT) -- nothing was done
  end
  if answer.status < 200 or answer.status > 299 then return failure_of(self, answer) end
  return answer
end

--- What a route takes: its row, and the arguments as it wants them.
-- @tparam string method
-- @tparam string path
-- @tparam {[name]=text} given
-- @treturn table|nil row, query and body; nil, message, "usage"
function Client:prepare(method, path, given)
  local row, others = self.router:find(method, path)
  if not row then
    local known = {}
    for name in pairs(others) do known[#known + 1] = name end
    table.sort(known)
    if #known > 0 then
      return nil, ("%s is not for %s; %s is"):format(method, path, table.concat(known, ", ")), "usage"
    end
    return nil, ("there is no route %s; `moult depot api routes` lists them"):format(path), "usage"
  end
  local query, body = {}, {}
  for name, value in pairs(given) do
    local into = row.query and row.query[name] and query or body
    into[name] = value
  end
  local checked, message, code = fields.check(row.query or {}, query)
  if not checked then return nil, message, code end
  for name, value in pairs(checked) do query[name] = tostring(value) end
  checked, message, code = fields.check(row.body or {}, body)
  if not checked then return nil, message, code end
  return { row = row, query = query, body = next(checked) and checked or nil }
end

-- The ETag of what a path names, which is that of the path with nothing after the id.
function Client:_etag(path)
  while path ~= "" do
    if self.router:find("GET", path) then
      local answer, message, code = self:ask("GET", path)
      if not answer then return nil, message, code end
      if answer.etag then return answer.etag end
    end
    path = path:match "^(.*)/[^/]*$"
  end
  return false
end

--- Do what a route does; what is changed is read before, for its ETag.
-- @tparam string method
-- @tparam string path
-- @tparam {[name]=text} given arguments
-- @tparam[opt] function sink for the bytes of the answer
-- @treturn table|nil answer; nil, message, code
function Client:call(method, path, given, sink)
  local wanted, message, code = self:prepare(method, path, given)
  if not wanted then return nil, message, code end
  local headers = {}
  if route_table.MATCHED[method] then
    local etag
    etag, message, code = self:_etag(path)
    if etag == nil then return nil, message, code end
    headers["If-Match"] = etag or nil
  end
  return self:ask(method, path, { query = wanted.query, body = wanted.body, headers = headers, sink = sink })
end

local AGAIN = { busy = true, limited = true, network = true }

-- Send the bytes of a file from where the server is, a piece at a time.
function Client:_send_pieces(file, upload, size, progress)
  local offset, failures, path = upload.offset, 0, "/uploads/" .. upload.id
  while true do
    file:seek("set", offset)
    local piece = file:read(PIECE) or ""
    local answer, message, code = self:ask("PUT", path, { body = piece,
      headers = { ["Upload-Offset"] = ("%d"):format(offset), ["Content-Type"] = "application/octet-stream" } })
    if answer and answer.status ~= 202 then
      progress(size, size)
      return answer.object
    end
    if not answer then
      failures = failures + 1
      if not AGAIN[code] or failures == TRIES then return nil, message, code end
      self:pause(WAIT)
      answer, message, code = self:ask("GET", path)
      if not answer and not AGAIN[code] then return nil, message, code end
    end
    local got = answer and math.tointeger(answer.object.offset)
    if got and got > offset then failures = 0 end
    offset = got or offset
    progress(offset, size)
  end
end

--- Upload a package.
-- @tparam string path
-- @tparam function progress function(done, total)
-- @treturn table|nil the upload as the server shows it; nil, message, code
function Client:upload(path, progress)
  local file <close>, why = io.open(path, "rb")
  if not file then return nil, why, "missing" end
  local size = file:seek "end"
  if not size or size == 0 or size == math.maxinteger then return nil, path .. ": not a package", "usage" end
  local begun, message, code = self:ask("POST", "/uploads", { body = { name = path:match "[^/]+$", size = size } })
  if not begun then return nil, message, code end
  local done
  done, message, code = self:_send_pieces(file, begun.object, size, progress)
  return done, message, code
end

return M
