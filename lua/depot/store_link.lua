--- The front's end of the store process: what it asks and tells it, and what it does while that gives no answer.
--
-- A question is answered once what it depends on is committed. It is not answered at all (nil) if too many wait, if
-- the process has ended, or if it has been silent for some seconds; later questions fail at once then, until it speaks
-- again. What it is told is kept until it is committed (depot.outbox). One that ends is started anew.
--
-- @module depot.store_link

local outbox = require "depot.outbox"
local store_lines = require "depot.store_lines"

local M = {}

local Link = {}
Link.__index = Link

-- Seconds.
local SILENT = 3                   -- without an answer, until it counts as silent
local ASK = 5                      -- without a word, until it is asked whether it is there
local GATHER = 0.5                 -- in which the queries of a device are told as one
local END = 10                     -- for it to end by itself
local LONG = 10                    -- after which one that ends is no sign of a lasting trouble
local PAUSES = { 1, 2, 5, 15, 60 } -- until one that ended is started anew, longer each time

local QUESTIONS = 1000 -- that wait, at most
local AHEAD = 65536    -- bytes of what it is told that are queued, at most
local TOLD = 10000     -- items of each kind that are not committed, at most
local UNSETTLED = 1000 -- of these, how many were sent

local ALIKE = { "release", "target", "key", "code", "why" }

-- A query that was answered like the one before only counts.
local function merge_note(earlier, later)
  for _, name in ipairs(ALIKE) do
    if earlier[name] ~= later[name] then return false end
  end
  earlier.time, earlier.asked = later.time, earlier.asked + later.asked
  return true
end

--- @tparam table parts natives; start (function -> channel, process {poll(), close()}; or nil, message, code),
--   tell (function(text): once for each trouble, and for its end), pace (depot.pace)
-- @treturn table|nil link; nil, message, code
function M.new(parts)
  local self = setmetatable({ natives = parts.natives, start = parts.start, tell = parts.tell, pace = parts.pace,
    state = "begins", asked = {}, first = 1, last = 0, tries = 0, next_notes = 0,
    noted = outbox.new(TOLD, UNSETTLED, merge_note), events = outbox.new(TOLD, UNSETTLED) }, Link)
  local ok, message, code = self:_start()
  return ok and self, message, code
end

function Link:_now() return self.natives.loop.now() end

function Link:_start()
  local channel, process, code = self.start()
  if not channel then return nil, process, code end
  self.lines, self.process, self.began, self.heard = store_lines.new(self.natives, channel), process, self:_now(),
    self:_now()
  self.noted:rewind()
  self.events:rewind()
  return true
end

-- Nobody answers the questions that wait.
function Link:_fail()
  local asked = self.asked
  local from, to = self.first, self.last
  self.asked, self.first = {}, to + 1
  for id = from, to do
    if asked[id] then asked[id].done(nil) end
  end
end

--- Ask it.
-- @tparam table question answer: a request to be answered; refuses: who has a link, and digest: of its file; or ping
-- @tparam function done function(answer, or nil: there is none)
function Link:ask(question, done)
  if self.state ~= "well" or self.last - self.first + 1 >= QUESTIONS then return done(nil) end
  question.id = self.last + 1
  if not self.lines:send(question) then return done(nil) end
  self.last = question.id
  self.asked[question.id] = { done = done, at = self:_now() }
end

--- A device asked over HTTP.
-- @tparam table question of depot.site
-- @tparam integer time seconds since 1970
function Link:note_device(question, time)
  local note = { time = time, asked = 1 }
  for name, value in pairs(question) do note[name] = value end
  self.noted:add(note, question.product .. "\0" .. question.device)
end

--- A device used an expired link, or has fetched all of its package.
-- @tparam table event dead_link: who, as from depot.links; or fetched: {cloud, product, device}
function Link:note_event(event) self.events:add(event) end

-- Send what is in a box, as far as the process reads; true: all of it.
function Link:_send(name, box)
  local number, item = box:next()
  while number and self.lines:queued() < AHEAD do
    local sent, _, code = self.lines:send { number = number, [name] = item }
    if not sent and code ~= "usage" then break end -- one that is too long for a line is lost
    box:went()
    number, item = box:next()
  end
  return box:is_sent()
end

function Link:_pump(now)
  self:_send("event", self.events)
  if now < self.next_notes or self.noted:is_sent() then return self:_report() end
  if self:_send("note", self.noted) then self.next_notes = now + GATHER end
  self:_report()
end

function Link:_report()
  local made, wanted = self.pace:report()
  if made then self.lines:send { took = made, wants = wanted } end
  self.lines:flush()
end

function Link:_hear(said)
  self.heard = self:_now()
  if said.failed then self.fault = { said.failed, said.code } end
  if said.ready then self.ready = true end
  if self.ready and self.state ~= "well" then
    if self.state ~= "begins" then self.tell "works again" end
    self.state = "well"
  end
  if said.secret ~= nil then self.secret = said.secret or nil end
  if said.took then self.pace:was_taken(said.took, said.wants) end
  if said.noted then self.noted:committed(said.noted) end
  if said.settled then self.events:committed(said.settled) end
  local question = said.id and self.asked[said.id]
  if question then
    self.asked[said.id] = nil
    while self.first <= self.last and not self.asked[self.first] do self.first = self.first + 1 end
    question.done(said.answer)
  end
end

-- It has ended, or must end.
function Link:_lost(why)
  local now = self:_now()
  local settled = self.ready or self.state ~= "begins"
  self.lines:close()
  self.process:close()
  self.lines, self.process, self.ready = nil, nil, nil
  if now - self.began > LONG then self.tries = 0 end
  self.tries = math.min(self.tries + 1, #PAUSES)
  self.again = now + PAUSES[self.tries]
  if settled then
    self.state = "gone"
    self.tell(("the process ended (%s); it is started anew in %d s, packages are served meanwhile"):format(
      self.fault and self.fault[1] or why, PAUSES[self.tries]))
    self.fault = nil
  end
  self:_fail()
  return settled
end

function Link:_receive()
  while true do
    local said, message, code = self.lines:receive()
    if code == "again" then return true end
    if not said then return false, message end
    self:_hear(said)
  end
end

function Link:_check(now)
  local oldest = self.asked[self.first]
  if oldest and now - oldest.at > SILENT and now - self.heard > SILENT then
    self.state = "silent"
    self.tell("the process does not answer; packages and links are served, queries that need it are refused")
    self:_fail()
  elseif not oldest and self.state == "well" and now - self.heard > ASK then
    self:ask({ ping = true }, function() end)
  end
end

--- Hear what it says, and see whether it runs.
-- @treturn true|nil nil, message, code: it did not start
function Link:step()
  local now = self:_now()
  if not self.lines then
    if now < self.again then return true end
    local ok, message = self:_start()
    if not ok then
      self.tries = math.min(self.tries + 1, #PAUSES)
      self.again = now + PAUSES[self.tries]
      self.tell("the process cannot be started: " .. message)
    end
    return true
  end
  local there, why = self:_receive()
  if there and self.process:poll() then
    self:_receive() -- what it said at its end
    there = false
  end
  if not there and not self:_lost(why or "without a word") then
    local fault = self.fault or { "the store process did not start: " .. (why or "it ended"), "refused" }
    return nil, fault[1], fault[2]
  end
  if there then
    self:_check(now)
    if self.lines then self:_pump(now) end
  end
  return true
end

--- What to poll; nil while it does not run.
function Link:watch() return self.lines and self.lines:watch() end

-- When _check() has something to do: while it is silent or begins, only what it says matters.
function Link:_check_at(now)
  local oldest = self.asked[self.first]
  if oldest then return math.max(oldest.at, self.heard) + SILENT end
  return self.state == "well" and self.heard + ASK or now + ASK
end

--- Milliseconds until step() has to be called again.
function Link:timeout()
  local now = self:_now()
  local at = self.lines and self:_check_at(now) or self.again
  if self.lines and self.noted:next() and self.lines:queued() == 0 then at = math.min(at, self.next_notes) end
  return math.max(10, math.ceil((at - now) * 1000))
end

-- Whether it was sent all that it is told. It commits that before it ends.
function Link:_is_drained() return self.noted:is_sent() and self.events:is_sent() and self.lines:queued() == 0 end

-- Step until done() says so, at most till then.
function Link:_until(till, done)
  local loop <close> = self.natives.loop.new()
  while self.lines and self:_now() < till and not done() do
    loop:poll(20, { self:watch() })
    local there = self:_receive()
    if not there then return end
    self:_pump(math.huge)
  end
end

--- Tell it to end, and wait for that, if it answers.
function Link:close()
  if not self.lines then return end
  local till = self:_now() + (self.state == "silent" and 0 or END)
  self:_until(till, function() return self:_is_drained() or self.process:poll() end)
  self.lines:send { ["end"] = true }
  self:_until(till, function() return self.process:poll() end)
  self.lines:close()
  self.process:close()
  self.lines = nil
end

return M
