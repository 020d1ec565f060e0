--- The fleet's transactions: many messages share one, and devices are answered after it.
--
-- If the store fails, the changes since the last commit are lost. Their events
-- are handled again after a pause, and nothing of what they would have said was
-- said.
--
-- @module depot.commits

local M = {}

local Commits = {}
Commits.__index = Commits

-- Milliseconds.
local TOGETHER = 50       -- of changes in one transaction, at most
local GATHER = 1          -- to wait for more messages before a commit
local PAUSE = 1000        -- after the store has failed
local REST = 3            -- between two transactions while there is more to do, so that others can write: a person
                          -- who pauses a rollout in time

--- @tparam table parts store, inbox, on_event (function(event)), clock (function -> monotonic ms; nil: no rest); offers
--   is set before the first step
-- @treturn table commits
function M.new(parts)
  parts.told, parts.notes, parts.resume_at, parts.rest_till = {}, {}, 0, 0
  return setmetatable(parts, Commits)
end

--- Report an event once the changes that it is about are durable.
function Commits:tell(event)
  self.told[#self.told + 1] = event
end

--- Record an event of depot.store.events in the transaction, after the changes that it is about.
function Commits:note(event) self.notes[#self.notes + 1] = event end

function Commits:_write_notes()
  local notes = self.notes
  self.notes = {}
  for _, event in ipairs(notes) do
    local ok, message, code = self.store:note_event(event)
    if not ok then
      self.store:abandon()
      return nil, message, code
    end
  end
  return true
end

--- How far the events are that are reported and recorded after the next commit, for rewind().
function Commits:mark() return { told = #self.told, notes = #self.notes } end

--- Drop those that came after a mark, because the changes that they are about were given up.
function Commits:rewind(mark)
  for name, length in pairs(mark) do
    for i = #self[name], length + 1, -1 do self[name][i] = nil end
  end
end

-- Answer devices and log what has happened.
function Commits:_say()
  self.offers:flush()
  local told = self.told
  self.told = {}
  for _, event in ipairs(told) do
    self.on_event(event)
  end
end

--- Commit now.
-- @tparam[opt] boolean busy there is more to do, so the store is left to others for a moment
-- @treturn true|nil nil, message, code: the store failed
function Commits:commit(busy)
  if busy and self.clock then self.rest_till = self.clock() + REST end
  local ok, message, code = self:_write_notes()
  if ok then ok, message, code = self.store:commit() end
  if ok then
    self.inbox:committed()
    self.commit_at = nil
    self:_say()
  end
  return ok, message, code
end

--- Commit: at once if this step brought nothing new, else when there is enough.
-- @tparam integer now ms
-- @tparam boolean busy this step brought something
-- @treturn true|nil nil, message, code: the store failed
function Commits:step(now, busy)
  if not self.store.changing then
    self.inbox:committed()
    self:_say()
    return true
  end
  self.commit_at = self.commit_at or now + TOGETHER
  if busy and now < self.commit_at and not self.inbox:is_full() then return true end
  return self:commit(busy)
end

--- The changes since the last commit are lost: handle their events again, after a pause.
-- @tparam integer now ms
function Commits:take_back(now)
  self.inbox:take_back()
  self.commit_at, self.resume_at = nil, now + PAUSE
  self.told, self.notes = {}, {}
  self.offers:take_back()
end

--- Milliseconds until the store is tried again; 0: no pause.
function Commits:pause(now)
  return math.max(0, self.resume_at - now)
end

--- Milliseconds in which the store is left to others; 0: none.
function Commits:rest() return self.clock and math.max(0, self.rest_till - self.clock()) or 0 end

--- Milliseconds until step() has to be called again, or nil.
function Commits:timeout()
  return self.commit_at and GATHER
end

return M
