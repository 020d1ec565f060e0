--- Sends events to webhooks, beside the requests of the admin server.
--
-- Transfers belong to the server's loop, so none holds it up. A message has up to 100 events of one product, in their
-- order, and is signed: `Moult-Signature: t=SECONDS,v1=HEX`, HEX the HMAC-SHA-256 of "SECONDS.BODY". Each event is
-- delivered at least once: what was not answered by 2xx is sent again, later each time. After a day of failures the
-- webhook is switched off. No redirect is followed, and only public addresses are asked unless the options say
-- otherwise.
--
-- @module depot.api.webhooks

local acts = require "depot.acts"
local hooks = require "depot.acts.webhooks"
local pages = require "depot.api.pages"

local M = {}

local LOOK = 1          -- seconds between two looks for events
local BATCH = 100       -- events of a message
local LAG = 1000        -- events after which it is written that they were none of a webhook's
local FIRST, LONGEST = 10000, 3600000 -- ms until the first, and at most until each next try
local PATIENCE = 86400000 -- ms of failures after which it is switched off
local ANSWER = 65536    -- bytes of an answer; they are not looked at
local REST = 60         -- seconds until the next try when the store could not be written
local AT_ONCE = 8       -- messages under way

local Webhooks = {}
Webhooks.__index = Webhooks

--- @tparam table parts world, natives, loop (of the server), private (boolean: any address will do), ca (file of
--   certificates, or nil: the system's), note (function(text))
function M.new(parts)
  parts.open, parts.count, parts.seen, parts.rest, parts.next_look, parts.now = {}, 0, {}, {}, 0, acts.now
  return setmetatable(parts, Webhooks)
end

-- The header that says who sent a message, and when.
local function signature(natives, secret, seconds, body)
  return ("t=%d,v1=%s"):format(seconds, natives.digest.hmac("sha256", secret, ("%d.%s"):format(seconds, body)))
end
M.signature = signature

-- The message about events.
local function body_of(self, hook, rows)
  local json, printable = self.natives.json, self.natives.printable.text
  local events = json.array {}
  for i, row in ipairs(rows) do
    local event = pages.event({ json = json }, row)
    for name, value in pairs(event) do
      if type(value) == "string" then event[name] = printable(value) end
    end
    events[i] = event
  end
  return json.encode { webhook = hook.id, events = events }
end

-- Write how far a webhook is.
-- @treturn boolean false: a person has changed it meanwhile, or the store cannot be written
local function keep(self, hook)
  local store = self.world.store
  local kept = store:change() and store:step_webhook(hook)
  if kept and store:commit() then return kept > 0 end
  store:abandon()
  self.rest[hook.id] = self.natives.loop.now() + REST
  return false
end

local function failed(self, hook, problem)
  local now = self.now()
  hook.failing = hook.failing and math.min(hook.failing, now) or now
  hook.problem = self.natives.printable.text(problem):sub(1, 200)
  hook.again = now + math.min(LONGEST, FIRST << math.min(hook.tries, 10))
  hook.tries = hook.tries + 1
  if keep(self, hook) and now - hook.failing >= PATIENCE then self.note(hooks.give_up(self.world, hook)) end
end

local function delivered(self, hook, last)
  hook.failing, hook.tries, hook.again, hook.problem = nil, 0, nil, nil
  hook.cursor, hook.delivered, self.seen[hook.id] = last, self.now(), last
  keep(self, hook)
  self.next_look = 0 -- there may be more
end

-- The next events of a webhook, and the last of them; nil: none now.
local function next_of(self, hook)
  local after = math.max(hook.cursor, self.seen[hook.id] or 0)
  local rows, last = self.world.store:events_for(hook, after, BATCH)
  if not rows then return nil end
  if #rows > 0 then return rows, rows[#rows].id end
  self.seen[hook.id] = last
  if last - hook.cursor >= LAG then
    hook.cursor = last
    keep(self, hook)
  end
end

local function begin(self, hook)
  local rows, last = next_of(self, hook)
  if not rows then return end
  local secret, problem = hooks.secret(self.world, hook)
  if not secret then return failed(self, hook, problem) end
  local body = body_of(self, hook, rows)
  local fetch
  fetch, problem = self.natives.fetch.open(self.loop, hook.url, { method = "POST", body = body, headers = {
    ["Content-Type"] = "application/json",
    ["Moult-Signature"] = signature(self.natives, secret, self.now() // 1000, body) },
    public_only = not self.private, ca_file = self.ca, connect_timeout = 10, deadline = 30, low_speed_time = 30,
    low_speed_limit = 1, max_body = ANSWER })
  if not fetch then return failed(self, hook, problem) end
  self.open[hook.id], self.count = { fetch = fetch, hook = hook, last = last }, self.count + 1
end

-- Read an answer as far as it has come.
-- @treturn boolean whether that is all
-- @treturn string|nil what is wrong with it
local function read(fetch)
  local data, message, code
  repeat
    data, message, code = fetch:read()
  until not data
  if data == nil then return code ~= "again", code ~= "again" and message or nil end
  local status = fetch:status()
  if status >= 200 and status <= 299 then return true end
  return true, ("the receiver answered %d%s"):format(status, status >= 300 and status <= 399
    and ", and a redirect is not followed" or "")
end

function Webhooks:_go_on()
  local done = {}
  for id, sending in pairs(self.open) do
    local is_over, problem = read(sending.fetch)
    if is_over then done[id] = { sending, problem } end
  end
  for id, one in pairs(done) do
    local sending, problem = table.unpack(one)
    sending.fetch:close()
    self.open[id], self.count = nil, self.count - 1
    if problem then failed(self, sending.hook, problem) else delivered(self, sending.hook, sending.last) end
  end
end

-- Whether its next try is due; a time beyond the longest pause comes from a clock that was set back.
local function is_due(hook, now) return not hook.again or hook.again <= now or hook.again > now + LONGEST end

--- Do what is due.
function Webhooks:step()
  self:_go_on()
  local clock = self.natives.loop.now()
  if clock < self.next_look then return end
  self.next_look = clock + LOOK
  local now = self.now()
  for _, hook in ipairs(self.world.store:webhooks(true) or {}) do
    if self.count >= AT_ONCE then break end
    local rests = (self.rest[hook.id] or 0) > clock
    if not self.open[hook.id] and not rests and is_due(hook, now) then begin(self, hook) end
  end
end

function Webhooks:close()
  for _, sending in pairs(self.open) do sending.fetch:close() end
  self.open = {}
end

return M
