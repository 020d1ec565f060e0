--- Answers to the requests of the HTTP server: at once, when the store process has answered, when their turn comes, or
-- "try again later".
--
-- @module depot.replies

local needs = require "depot.needs"
local site = require "depot.site"

local M = {}

local Replies = {}
Replies.__index = Replies

--- @tparam table parts server (update.native.httpd), site (facts as depot.site takes them), turns (depot.turns),
--   callers (depot.callers), link (depot.store_link), on_request (function(event))
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
  if answer.question then self.link:note_device(answer.question, os.time()) end
  self.notes[request.id] = answer.note
  if answer.dead_link then self.link:note_event { dead_link = answer.dead_link } end
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

function Replies:_give(request, answer, has_turn)
  local word = not has_turn and answer.offers and self.turns:admit(request) or "now"
  if word == "later" then answer = site.later(request, self.server:retry_after(request.id)) end
  if word ~= "waits" then self:_reply(request, answer) end
end

-- What the store process could not be asked: a link holds then, as long as its signature says so.
function Replies:_unasked(request, need)
  if need.answer then return site.busy "the store does not answer" end
  return site.answer(self.site, request)
end

function Replies:_consider(request, has_turn)
  local need = needs.of(self.site, request)
  if not need then return self:_give(request, site.answer(self.site, request), has_turn) end
  local question = need.answer and { answer = { method = request.method, path = request.path, query = request.query,
    client = request.client, headers = request.headers } } or need
  self.link:ask(question, function(said)
    if not said then return self:_give(request, self:_unasked(request, need), has_turn) end
    if need.answer then return self:_give(request, said, has_turn) end
    request.refused = said
    self:_give(request, site.answer(self.site, request), has_turn)
  end)
end

--- Answer a request. A query over the pace waits for its turn. If too many wait, the client is asked to come again.
function Replies:answer(request) self:_consider(request, false) end

--- Answer the requests whose turn has come, and report those that are done.
function Replies:step()
  for waiting in self.turns.next, self.turns do
    self:_consider(waiting, true)
  end
  for event in self.server.finished, self.server do
    event.note, self.notes[event.id] = event.note or self.notes[event.id], nil
    local who = self.fetching[event.id]
    self.fetching[event.id] = nil
    if who and event.complete then self.link:note_event { fetched = who } end
    event.client = self.callers:take(event.id) or event.client
    self.on_request(event)
  end
end

return M
