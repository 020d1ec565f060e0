--- What happens, to whoever watches: server-sent events.
--
-- At most 64 streams, 4 of a session or token: the fifth ends the oldest. Each event is shown only to whom
-- may see it at that moment; a stream whose user may no longer log in ends. A
-- line every 20 seconds shows that the connection lives. Who reads too slowly is
-- dropped, and goes on at Last-Event-ID.
--
-- @module depot.api.live

local may = require "depot.api.may"
local pages = require "depot.api.pages"

local M = {}

local MOST, EACH = 64, 4
local LOOK, ALIVE = 1, 20 -- seconds
local AT_ONCE = 200       -- events of a look

local Live = {}
Live.__index = Live

--- @tparam table parts server (update.native.httpd), world, people, clock (-> seconds)
function M.new(parts)
  parts.streams, parts.next_look = {}, 0
  return setmetatable(parts, Live)
end

--- How many there are.
function Live:count()
  local n = 0
  for _ in pairs(self.streams) do n = n + 1 end
  return n
end

--- Whether one more may begin for an actor. His oldest makes room: a browser that went on to another page has left it,
-- which is noticed only when something is sent.
-- @treturn true|nil nil, message, code
function Live:admit(actor)
  local own, oldest = 0, nil
  for id, stream in pairs(self.streams) do
    if stream.key == actor.key then
      own, oldest = own + 1, math.min(oldest or id, id)
    end
  end
  if own >= EACH then
    self.server:end_stream(oldest)
    self.streams[oldest] = nil
  end
  if self:count() >= MOST then return nil, ("%d streams are open"):format(MOST), "busy" end
  return true
end

--- Begin one, in answer to a request.
-- @tparam table call
-- @tparam table headers
function Live:begin(call, headers)
  local after = tonumber(call.request.headers["last-event-id"] or call.args.after or "")
  after = after and math.tointeger(after) or self.world.store:last_event() or 0
  if self.server:reply_stream(call.request.id, 200, headers) then
    self.streams[call.request.id] = { request = call.request, key = call.actor.key, after = after, call = call,
      alive = self.clock() }
    self.server:push(call.request.id, ": here\n\n")
  end
end

-- Send what a stream has not seen. false: it ends.
function Live:_feed(id, stream, rows)
  local actor = self.people:who(stream.request)
  if not actor then
    self.server:end_stream(id)
    return false
  end
  local parts = {}
  for _, row in ipairs(rows) do
    local role = not row.hash and row.what == "act" and "admin" or "viewer"
    if row.id > stream.after and may.may(actor, "read", role, row.hash) then
      parts[#parts + 1] = ("id: %d\ndata: %s\n\n"):format(row.id, stream.call.natives.json.encode(
        pages.event(stream.call, row)))
    end
  end
  stream.after = rows[#rows].id
  if #parts == 0 then return true end
  stream.alive = self.clock()
  return self.server:push(id, table.concat(parts)) == true
end

--- Do what is due.
function Live:step()
  local now = self.clock()
  if not next(self.streams) or now < self.next_look then return end
  self.next_look = now + LOOK
  local last = self.world.store:last_event()
  for id, stream in pairs(self.streams) do
    local goes_on = true
    if last and last > stream.after then
      local rows = self.world.store:events({ after = stream.after }, AT_ONCE)
      if rows and #rows > 0 then goes_on = self:_feed(id, stream, rows) end
    end
    if goes_on and now - stream.alive >= ALIVE then
      stream.alive = now
      goes_on = self.people:who(stream.request) and self.server:push(id, ": here\n\n") == true
      if not goes_on then self.server:end_stream(id) end
    end
    if not goes_on then self.streams[id] = nil end
  end
end

--- All connections have ended; from now on another server has them.
function Live:restart(server) self.server, self.streams = server, {} end

--- A connection ended.
function Live:left(id) self.streams[id] = nil end

return M
