--- A program that has a copy of the package that is installed.
--
-- It goes on from where it stopped, at its own pace: the transfer waits for it,
-- ten minutes at most. What goes wrong with the copy never harms the update.
--
-- @module update.engine.copying

local M = {}

local PATIENCE = 600 -- seconds for which the transfer waits
local MOST = 32768   -- bytes that are given at a time

local Copying = {}
Copying.__index = Copying

--- @tparam table o tasks (scheduler), log, moved (event that is set when there is something to take)
function M.new(o)
  return setmetatable({ tasks = o.tasks, log = o.log, moved = o.moved, room = {}, taken = 0, asked = o.tasks.now() },
    Copying)
end

--- It gets no more.
-- @tparam string message why
-- @tparam string code
function Copying:stop(message, code)
  if self.over then return end
  self.over = { message = message, code = code }
  if self.source then self.source:release() end
  self.tasks:set(self.room)
  self.tasks:set(self.moved)
end

--- Read the package from the source of a head, which becomes another for that.
-- @tparam table engine update.engine
-- @tparam table head update.engine.head
function Copying:over_source(engine, head)
  local digest = head.manifest.digest
  if self.digest and self.digest ~= digest then self:stop("the package is another now", "incompatible") end
  if self.over or head.source == self.source then return end
  if self.source then
    self.source:join(head.source)
    head.source = self.source
    return
  end
  local source, message, code = engine.natives.source.copying(head.source, head.package, head.spool, self.taken)
  if not source then
    self.log(("update %s: no copy: %s"):format(head.id, message))
    return self:stop(message, code)
  end
  self.digest, self.source, head.source = digest, source, source
end

--- Close a source, but for what was read through it; another may follow.
-- @tparam table source
function Copying:leave(source)
  if source == self.source then source:leave() else source:close() end
end

--- The transfer is over.
function Copying:close()
  if self.source then self.source:close() end
  self.source = nil
end

-- The program is to take what there is.
local function await(self)
  self.tasks:set(self.moved)
  self.tasks:await(self.room, 1)
  if self.tasks.now() - self.asked < PATIENCE then return end
  self.log(("update: the program that copies the package has taken nothing for %d s; the update goes on without it")
    :format(PATIENCE))
  self:stop("the copy was not taken in time", "refused")
end

--- Wait until the transfer can go on.
function Copying:rest()
  if self.source and self.source:waits() then return await(self) end
  self.tasks:idle()
end

--- All of it was read: wait until it is taken.
-- @tparam function cancelled whether there is no more use in it
function Copying:finish(cancelled)
  while self.source and self.source:waits() and not cancelled() do await(self) end
end

--- What follows; who asks has all that comes before.
-- @tparam integer offset bytes
-- @treturn string|nil "" when there is nothing yet | nil, message, code
function Copying:take(offset)
  -- Who asks again for what it was given has not moved.
  if offset ~= self.given then self.asked = self.tasks.now() end
  if self.over then return nil, self.over.message, self.over.code end
  if not self.source then return "" end
  local bytes, message, code = self.source:take(offset, MOST)
  if not bytes then
    self:stop(message, code)
    return nil, message, code
  end
  self.taken = offset
  if bytes == "" then self.tasks:set(self.room) else self.given = offset end
  return bytes
end

return M
