--- Answers to the requests of the HTTP server: at once, when their turn comes, or "try again later".
--
-- @module depot.replies

local site = require "depot.site"

local M = {}

local Replies = {}
Replies.__index = Replies

--- @tparam table parts server (update.native.httpd), site (facts as depot.site takes them), turns (depot.turns),
--   callers (depot.callers), http_devices (depot.http_devices), on_request (function(event)), on_dead_link
--   (function(who): an expired link was refused), on_fetched (function(who): a whole package was sent)
-- @treturn table replies
function M.new(parts)
  parts.notes = {} -- for the log, by id of a request that is being answered
  parts.fetching = {} -- the devices that are given a whole package, likewise
  return setmetatable(parts, Replies)
end

-- A file that cannot be sent: 404 if it is gone, else "try again later".
function Replies:_refuse(request, message, code)
  if code == "missing" then
    return { status = 404, headers = { ["Content-Type"] = "application/json" },
      body = '{"error":"the package was removed"}\n' }
  end
  self.notes[request.id] = message
  -- The connection is closed, because there may be too many.
  return { status = 503, body = '{"error":"try again later"}\n', headers = { ["Content-Type"] = "application/json",
    ["Retry-After"] = tostring(self.server:retry_after(request.id)), Connection = "close" } }
end

function Replies:_reply(request, answer)
  self.callers:note(request)
  if answer.question then self.http_devices:note(answer.question, os.time()) end
  self.notes[request.id] = answer.note
  if answer.dead_link then self.on_dead_link(answer.dead_link) end
  if answer.path then
    local ok, message, code = self.server:reply_file(request.id, answer.path, answer.headers)
    if ok then
      self.fetching[request.id] = answer.who
      return
    end
    answer = self:_refuse(request, message, code)
  end
  self.server:reply(request.id, answer.status, answer.headers, answer.body)
end

--- Answer a request. A query over the pace waits for its turn. If too many wait, the client is asked to come again.
function Replies:answer(request)
  local answer = site.answer(self.site, request)
  local word = answer.offers and self.turns:admit(request) or "now"
  if word == "later" then answer = site.later(request, self.server:retry_after(request.id)) end
  if word ~= "waits" then self:_reply(request, answer) end
end

--- Answer the requests whose turn has come, and report those that are done.
function Replies:step()
  for waiting in self.turns.next, self.turns do
    self:_reply(waiting, site.answer(self.site, waiting))
  end
  for event in self.server.finished, self.server do
    event.note, self.notes[event.id] = event.note or self.notes[event.id], nil
    local who = self.fetching[event.id]
    self.fetching[event.id] = nil
    if who and event.complete then self.on_fetched(who) end
    event.client = self.callers:take(event.id) or event.client
    self.on_request(event)
  end
end

return M
