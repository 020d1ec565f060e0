--- Gives a program a copy of the package that is being installed.
--
-- The program takes the copy at its own pace and continues where it stopped. The
-- transfer waits for it, at most ten minutes. A failure of the copy never harms
-- the update.
--
-- @module update.engine.copying

local M = {}

local PATIENCE = 600 -- seconds for which the transfer waits
local MOST = 32768   -- bytes in one piece

local Copying = {}
Copying.__index = Copying

--- @tparam table o tasks (scheduler), log, moved (event that is set when take() has something)
function M.new(o)
  return setmetatable({ tasks = o.tasks, log = o.log, moved = o.moved, room = {}, taken = 0, asked = o.tasks.now() },
    Copying)
end

--- End the copy.
-- @tparam string message why
-- @tparam string code
function Copying:stop(message, code)
  if self.over then return end
  self.over = { message = message, code = code }
  if self.source then self.source:release() end
  self.tasks:set(self.room)
  self.tasks:set(self.moved)
end

--- Copy what is read from the source of a head. The head's source is replaced by one that copies.
-- @tparam table engine update.engine
-- @tparam table head update.engine.head
function Copying:over_source(engine, head)
  local digest = head.manifest.digest
  if self.digest and self.digest ~= digest then self:stop("another package is being installed now", "incompatible") end
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

--- Close a source but keep what was read through it. Another source may follow.
-- @tparam table source
function Copying:leave(source)
  if source == self.source then source:leave() else source:close() end
end

--- The transfer is over.
function Copying:close()
  if self.source then self.source:close() end
  self.source = nil
end

-- Wait for the program to take what there is.
local function await(self)
  self.tasks:set(self.moved)
  self.tasks:await(self.room, 1)
  if self.tasks.now() - self.asked < PATIENCE then return end
  self.log(("update: the program that copies the package has taken nothing for %d s; the update continues without it")
    :format(PATIENCE))
  self:stop("the copy was not taken in time", "refused")
end

--- Wait until the transfer can go on.
function Copying:rest()
  if self.source and self.source:waits() then return await(self) end
  self.tasks:idle()
end

--- The package was read completely: wait until the program has taken it.
-- @tparam function cancelled -> whether to stop waiting
function Copying:finish(cancelled)
  while self.source and self.source:waits() and not cancelled() do await(self) end
end

--- The next piece. By asking for it the program says that it has everything before `offset`.
-- @tparam integer offset bytes
-- @treturn string|nil "": nothing yet | nil, message, code
function Copying:take(offset)
  -- A program that asks for the same piece again has made no progress.
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
