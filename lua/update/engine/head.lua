--- Reads the head of a package, and opens the source that it comes from.
--
-- A head is {source, package, spool, manifest, offer, id, ...}. `engine` is an
-- update.engine, `where` an update.engine.place.
--
-- @module update.engine.head

local bare_head = require "update.engine.bare_head"
local full_package = require "update.engine.full_package"
local offers = require "update.engine.offer"
local retry = require "update.engine.retry"
local unsigned = require "update.cloud.unsigned"

local M = {}

--- @treturn source|nil nil, message, code
function M.open_source(engine, where)
  if where.source then return where.source() end
  if not offers.is_url(where.location) then return engine.natives.source.file(where.location) end
  local options = {}
  for name, value in pairs(engine.http) do options[name] = value end
  for name, value in pairs(where.http or {}) do options[name] = value end
  options.headers = where.headers and where.headers(where.location)
  options.question = where.question and where.question(where.location)
  options.time_floor = engine.device:time_floor()
  return engine.natives.source.http(engine.loop, where.location, options)
end

--- Pass on the time that a server with a verified certificate gave, as soon as it is known.
function M.look_at_date(engine, head)
  local date = head.source.date and head.source:date()
  if date and date ~= head.date then engine.witness(date) end
  head.date = date
end

--- Account for the bytes received since the last call; goes_on: more will follow.
function M.count(engine, where, head, goes_on)
  if not where.source and not offers.is_url(where.location) then return end
  local received = head.source:received()
  engine.spent(received - (head.counted or 0), goes_on)
  head.counted = received
end

--- Close the source, if there is one. The head stays usable.
function M.close_source(engine, where, head)
  if not head.source then return end
  M.count(engine, where, head)
  if where.copying then where.copying:leave(head.source) else head.source:close() end
  head.source, head.counted = nil, nil
end

--- Close what read() opened.
function M.close(engine, where, head)
  head.package:close()
  M.close_source(engine, where, head)
  if head.bare and head.manifest.hotfix and not where.bare.dir then engine.device:hotfix_bare_end() end
end

-- What is known of a package once its manifest is.
local function complete(engine, where, head)
  head.manifest = offers.open_meta(head.package:manifest(), engine.natives.json and engine.natives.json.decode)
  -- A package of files alone need not name its release. A name that is too long is what the gates refuse.
  if not head.manifest.hotfix then
    head.manifest.release = head.manifest.release or engine.device:release_of(head.package)
      or "F" .. (head.manifest.files_version or "")
  end
  local transaction, parts = engine.device:status().transaction, engine.device:parts(head.package)
  head.offer = offers.of(head.manifest, {
    cloud = where.cloud, size = head.package:layout().size, transaction = transaction, parts = parts,
    fallback = where.fallback or full_package.instead(where, head.manifest, parts), trigger = where.trigger,
  })
  head.id, head.permit, head.left_out = head.manifest.digest:sub(1, 8), where.permit, where.left_out
  head.by_hand = where.by_hand
  return head
end

-- The connection broke within a verified head, further on than the last time: the
-- received bytes are kept, and after a pause the same package continues there.
local function goes_on(engine, head, code)
  local at = code == "network" and not engine.cancelled and head.package:manifest() and head.package:offset() or 0
  if at <= (head.at or 0) then return false end
  head.at = at
  engine.tasks:await(engine.resting, retry.short_pause(engine.random()))
  return true
end

--- One attempt at the head.
-- @tparam table engine
-- @tparam table where
-- @tparam[opt] string spool directory to keep it in; nil: only look at it
-- @treturn table|nil head | nil, message, code, {answer}: see update.engine.retry
function M.read(engine, where, spool)
  local head, ok = { spool = spool }, nil
  if where.bare then
    local package, why, word, how = bare_head.read(engine, where, spool, M.open_source)
    if not package then return nil, why, word, how end
    head.package, head.bare = package, true
    return complete(engine, where, head)
  end
  local source, message, code = M.open_source(engine, where)
  if not source then return nil, message, code end
  head.source = source
  head.package, message, code = engine.natives.package.open(source, engine.keys, spool)
  while head.package do
    ok, message, code = head.package:step()
    M.look_at_date(engine, head)
    if code == "again" then
      if where.pause then where.pause() else engine.tasks:idle() end
    elseif ok or not goes_on(engine, head, code) then
      break
    end
  end
  if not ok then
    local answer = head.source.answer and head.source:answer() or nil
    if head.package then head.package:close() end
    M.close_source(engine, where, head)
    local name = engine.natives.url.shown(where.location)
    if not message:find(name, 1, true) then message = ("%s: %s"):format(name, message) end
    if code == "corrupt" or code == "untrusted" then message = message .. unsigned.hint(where.location) end
    return nil, message, code, { answer = answer }
  end
  return complete(engine, where, head)
end

return M
