--- What the depot knows of its folder, and when it looks again.
--
-- It looks every two seconds, and before it answers a request if a name has
-- appeared or disappeared; less often if a look takes long. So a query costs no
-- more when there are more packages.
--
-- @module depot.folder_watch

local catalog = require "depot.catalog"
local pending = require "depot.pending"

local M = {}

local Watch = {}
Watch.__index = Watch

--- Seconds between two looks at the folder while nobody asks.
M.LOOK = 2
-- Seconds after a change in which another one may carry the same time stamp.
local RESTLESS = 0.25
-- The pause before a look on behalf of a request, as a multiple of the time that the last look took.
local PAUSE = 4

--- @tparam table natives
-- @tparam table options dir; keys, hold, reads_only or nil: of depot.catalog
-- @treturn table watch: packages (array, replaced when they change, never changed), looked, next_look (by the loop's
--   clock)
function M.new(natives, options)
  return setmetatable({ natives = natives, dir = options.dir, packages = {},
    catalog = catalog.new(natives, options.dir, options.keys, options.hold or catalog.HOLD,
      options.reads_only) }, Watch)
end

local function is_same(a, b)
  if #a ~= #b then return false end
  for i, entry in ipairs(a) do
    if b[i] ~= entry then return false end
  end
  return true
end

--- Look now.
-- @treturn table|nil changes, as from depot.catalog | nil, message, code: it cannot be read, and what was known stays
function Watch:look()
  local loop = self.natives.loop
  local begun, stamp = loop.now(), self.natives.folder.changed(self.dir)
  local changes, message, code = self.catalog:refresh()
  local held
  self.held, held = self.catalog:held()
  local looked = loop.now()
  self.looked, self.again = looked, looked + PAUSE * (looked - begun)
  self.next_look = self.catalog.unfinished and looked
    or math.min(looked + M.LOOK, math.max(self.again, held or math.huge))
  if stamp ~= self.stamp then self.stamp, self.restless = stamp, looked + RESTLESS end
  if not changes then return nil, message, code end
  local packages = self.catalog:packages()
  if not is_same(packages, self.packages) then self.packages = packages end
  return changes
end

--- Whether an answer could be out of date.
function Watch:is_behind(now)
  if now < self.again then return false end
  return now < self.restless or self.natives.folder.changed(self.dir) ~= self.stamp
end

--- The packages that are being made or held back: array, as from depot.pending.
function Watch:pending()
  local list = pending.read(self.natives, self.dir)
  return table.move(self.held, 1, #self.held, #list + 1, list)
end

return M
