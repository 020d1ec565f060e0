--- The durable steps of an update, once its head is verified and allowed.
--
-- `engine` is an update.engine, `where` an update.engine.place, `head` an
-- update.engine.head.
--
-- @module update.engine.steps

local bare_head = require "update.engine.bare_head"
local heads = require "update.engine.head"
local offers = require "update.engine.offer"
local retry = require "update.engine.retry"
local verdicts = require "update.engine.verdict"

local M = {}

local PROGRESS_EVERY = 0.25 -- seconds between progress events

-- Failures after which another connection to the same package continues in the middle of a block.
local LINK_DIED = { network = true, expired = true }

-- Failures that leave the transaction open: the same package continues later.
local RESUMABLE = { network = true, missing = true, expired = true, busy = true }

local function progress(engine, head, transfer, force)
  local now = engine.tasks.now()
  if not force and head.told and now - head.told < PROGRESS_EVERY then return end
  head.told = now
  local done, total, part = transfer:progress()
  engine.on { event = "progress", release = offers.name_of(head.offer), sequence = head.offer.sequence, part = part,
    done = done, total = total }
end

-- Open or continue the transfer, over the open source or a fresh one.
local function open_transfer(engine, where, head)
  local message, code
  local again = not head.source
  if again then
    head.source, message, code = heads.open_source(engine, where)
    if not head.source then return nil, message, code end
  end
  if where.copying then where.copying:over_source(engine, head) end
  if again and head.transfer then head.transfer:go_on(head.source) end
  if not head.transfer then
    head.transfer, message, code = engine.natives.transfer.open(engine.device, head.package, head.source, head.reuse)
  end
  return head.transfer, message, code
end

-- Wait for the source.
local function pause(engine, where)
  if where.copying then return where.copying:rest() end
  if where.pause then return where.pause() end
  engine.tasks:idle()
end

local function close_transfer(head)
  if head.transfer then head.transfer:close() end
  head.transfer = nil
end

-- One attempt at the blocks: true, or nil, message, code, how: see update.engine.retry. A wrong
-- block was already fetched twice (transfer.h), so it ends the attempts.
local function read_blocks(engine, where, head)
  local transfer, message, code = open_transfer(engine, where, head)
  if not head.source then return nil, message, code end
  local result
  while transfer do
    if engine.cancelled then
      result, message, code = nil, engine.cancelled, "refused"
      break
    end
    result, message, code = transfer:step()
    heads.look_at_date(engine, head)
    if result == "block" then
      heads.count(engine, where, head, true)
      progress(engine, head, transfer)
      engine.tasks:turn()
    elseif code == "again" then
      progress(engine, head, transfer)
      pause(engine, where)
    else
      break
    end
  end
  if result == "done" and where.copying then
    where.copying:finish(function() return engine.cancelled end)
  end
  local how = { answer = head.source.answer and head.source:answer() or nil }
  if transfer then
    local done, _, _, _, wasted = transfer:progress()
    how.moved = done > (head.best or 0)
    how.final = wasted > 0
    head.best = math.max(done, head.best or 0)
    if result then progress(engine, head, transfer, true) end
    -- After a broken connection the transfer stays open, with the received part of a block.
    if not LINK_DIED[code] then close_transfer(head) end
  end
  heads.close_source(engine, where, head)
  if result == "done" then return true end
  return nil, message, code, how
end

-- A long method of the device runs in pieces, so that other tasks have their turns.
local function in_pieces(engine, head, method)
  while true do
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    local result, message, code = method(engine.device, head.package)
    if result or code ~= "again" then return result, message, code end
    engine.tasks:turn()
  end
end

-- Everything is in place: read it back, and wait for who says when to arm. Others may go first meanwhile.
local function hold(engine, where, head)
  local ok, message, code = in_pieces(engine, head, engine.device.prepare)
  if not ok then return nil, message, code end
  engine:stand_by(where.cloud)
  while true do
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    if engine.aside then return nil, "another update goes first", "busy" end
    ok, message, code = where.held()
    if ok ~= "hold" then break end
    engine.tasks:await(engine.resting, 1)
  end
  engine:begin()
  return ok, message, code
end

--- Every block of a package that was begun.
-- @treturn boolean true | nil, message, code, seconds (see update.engine.retry)
function M.fetch(engine, where, head)
  local ok, message, code, retry_after = retry.run(engine, where, where.tries or engine.tries, function()
    return read_blocks(engine, where, head)
  end)
  close_transfer(head)
  return ok, message, code, retry_after
end

--- From the head to armed. A final failure drops the update; after others it continues later.
-- @tparam table engine
-- @tparam table where
-- @tparam table head
-- @treturn boolean true | nil, message, code, seconds (see update.engine.retry)
function M.carry_out(engine, where, head)
  local retry_after
  -- The gate of a delta needs the digest of the running core.
  local ok, message, code = in_pieces(engine, head, engine.device.learn_source)
  if ok then ok, message, code = verdicts.with_permit(engine.device, head, engine.device.begin) end
  if not ok then return nil, message, code end
  engine:begin()
  engine.note(("update %s: fetching %s"):format(head.id, engine.natives.url.shown(where.location)))
  engine.on { event = "state", phase = "fetching", release = head.offer.release }
  if not head.bare then -- else every block is in place already
    ok, message, code, retry_after = M.fetch(engine, where, head)
  end
  if where.copying then where.copying:close() end
  if ok then
    engine.note(("update %s: every block is in place; installing"):format(head.id))
    engine.on { event = "state", phase = "installing", release = head.offer.release }
    if where.held then ok, message, code = hold(engine, where, head) end
    if ok then ok, message, code = in_pieces(engine, head, engine.device.finish) end
  end
  bare_head.over(engine, head, not ok and code or nil)
  local times, rest
  if ok then engine.unkept:passed() end
  if code == "write" then times, rest = engine.unkept:failed(head.manifest.digest) end
  if times then
    message = ("%s; this was try %d, so the release is not tried again for %d h; check the medium"):format(
      message, times, rest // 3600)
  end
  if ok then
    engine.note(("update %s: armed, read back %s"):format(head.id, message))
    engine.on { event = "state", phase = "armed", release = head.offer.release }
    return true
  end
  if RESUMABLE[code] then
    engine.log(("update %s: %s (%s); it continues with the next offer of this package"):format(head.id, message, code))
  else
    engine.log(("update %s: %s (%s); dropped"):format(head.id, message, code))
    local dropped, why = engine.device:abandon(code, message)
    if not dropped and engine.device:status().phase ~= "idle" then
      engine.log(("update %s: could not be dropped: %s"):format(head.id, why))
    end
  end
  return nil, message, code, retry_after
end

return M
