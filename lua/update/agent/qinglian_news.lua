--- What a program is told of the Qinglian cloud: connected or not, firmware announced, the order to upgrade, patches.
--
-- The last few are kept, so that a script that is slow misses none.
--
-- @module update.agent.qinglian_news

local M = {}

local KEPT = 16
local WITHIN = 60 -- seconds that a question waits

local News = {}
News.__index = News

--- @tparam table tasks scheduler
function M.new(tasks)
  -- Numbers go on after those of an agent before this one, so that a program that knew it misses nothing.
  local before = math.floor(tasks.now() * 1000)
  return setmetatable({ tasks = tasks, count = before, list = {}, changed = {}, asked = {} }, News)
end

--- Something happened.
-- @tparam string kind "status" (state, time), "info" (name, version, size, crc), "upgrade", "list" (patches), "chunk"
--   (stat, offset, size, data: base64)
-- @treturn integer its number
function News:add(kind, fields)
  local one = fields or {}
  self.count = self.count + 1
  one.kind, one.number = kind, self.count
  table.insert(self.list, one)
  if #self.list > KEPT then table.remove(self.list, 1) end
  if kind == "status" then self.status = one end
  self.tasks:set(self.changed)
  return self.count
end

-- The next after a number; without one, how the connection stands.
local function next_of(self, after)
  if not after then return self.status end
  for _, one in ipairs(self.list) do
    if one.number > after then return one end
  end
end

--- Wait for the next.
-- @tparam[opt] integer after number of the last that is known
-- @tparam[opt] table how copy: it takes chunks, too; refused: it wants no more of this package
-- @treturn table it; empty when there was none for a while
function News:wait(after, how)
  if math.type(after) ~= "integer" or after > self.count then after = nil end
  self.heard, self.how = after or 0, how or {}
  self.tasks:set(self.asked)
  local till = self.tasks.now() + WITHIN
  while not next_of(self, after) and self.tasks.now() < till do
    self.tasks:await(self.changed, till - self.tasks.now())
  end
  return next_of(self, after) or {}
end

--- Whether the program takes chunks.
function News:wants_copies()
  return self.how ~= nil and self.how.copy == true
end

--- Wait until the program has dealt with one: it then asks for the next. Returns at once if no program asks.
-- @tparam integer number from add()
-- @tparam number seconds at most
-- @treturn boolean whether it has, and did not refuse it
function News:await_heard(number, seconds)
  local till = self.tasks.now() + seconds
  while self.heard and self.heard < number and self.tasks.now() < till do
    self.tasks:await(self.asked, till - self.tasks.now())
  end
  return self.heard ~= nil and self.heard >= number and not self.how.refused
end

return M
