--- A bare archive of files, or a bare hotfix, as a head: update.engine.head for a place with `bare`. Nobody signed it.
--
-- There is no head to judge before the rest: all of it is fetched, a part at a
-- time, and unpacked in a process behind walls. The content then lies in the
-- spool, as blocks that are in place. What does not unpack is forgotten. A hotfix is
-- made in a folder of its own, which goes with the head.
--
-- @module update.engine.bare_head

local unsigned = require "update.cloud.unsigned"

local M = {}

local LONGEST = 32     -- bytes of a release
local EVERY = 0.25     -- seconds between two progress events
local AT_FAULT = { corrupt = true, untrusted = true }
local LATER = { deferred = true, busy = true, nospace = true, write = true }

--- The file that keeps what came of an archive of files.
-- @tparam table device update.native.device
-- @treturn string
function M.path(device)
  return device:path "bare.archive"
end

--- The end of a place: what is not wanted later goes.
-- @tparam table engine update.engine
-- @tparam table head of update.engine.head
-- @tparam[opt] string code word that it ended with; nil: it is armed
function M.over(engine, head, code)
  if not head.bare or head.manifest.hotfix or LATER[code] then return end
  engine.natives.partial.forget(M.path(engine.device))
end

local function name_of(bare)
  return bare.hotfix and ("hotfix %s %s"):format(bare.hotfix.name, bare.hotfix.version) or bare.version
end

local function tell(engine, where, told, part, last)
  local now = engine.tasks.now()
  if told.at and now - told.at < EVERY and not last then return end
  local done, total = part:progress()
  told.at = now
  engine.on { event = "progress", release = name_of(where.bare), part = where.bare.hotfix and "hotfix" or "files",
    done = done, total = total or done }
end

-- Account for the bytes; those that a cloud pushes are its own.
local function count(engine, where, source, counted, goes_on)
  if where.source or not source.received then return counted end
  local received = source:received()
  engine.spent(received - counted, goes_on)
  return received
end

local function idle(engine) engine.tasks:idle() end

-- All of the file, or nil, message, code, {answer, moved}.
local function fetch(engine, where, path, open_source)
  local source <close>, message, code = open_source(engine, where)
  if not source then return nil, message, code end
  local key = ("%s %s"):format(engine.natives.digest.sha256(where.location), name_of(where.bare):sub(1, 32))
  local part <close>, why, word = engine.natives.partial.open(path, key, source,
    where.bare.hotfix and unsigned.MOST or nil)
  if not part then return nil, why, word end
  local counted, before, told = 0, (part:progress()), {}
  repeat
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    local done
    done, message, code = part:step()
    counted = count(engine, where, source, counted, not done)
    tell(engine, where, told, part, done)
    if done == false then engine.tasks:turn() elseif code == "again" then (where.pause or idle)(engine) end
    if done then return true end
  until done == nil and code ~= "again"
  return nil, message, code, { answer = source.answer and source:answer() or nil, moved = (part:progress()) > before }
end

-- Where the archive, its files and the content that is made of them lie. What is only looked at stays out of the
-- state: then the caller gives a directory, with a folder `spool`.
local function paths(engine, where, spool)
  local dir, message, code = where.bare.dir, nil, nil
  if not dir and not where.bare.hotfix then return M.path(engine.device), engine.device:path "bare.content", spool end
  if not dir then dir, message, code = engine.device:hotfix_bare() end
  if not dir then return nil, message, code end
  return dir .. "/archive", dir .. "/content", dir .. "/spool"
end

-- What the package becomes: fields of package.bare, or nil, message, code. A hotfix does not say what it is made for,
-- so it is for what runs.
local function becomes(engine, bare)
  local facts = engine.device:facts()
  if bare.hotfix then
    return { hotfix_name = bare.hotfix.name, hotfix_version = bare.hotfix.version, lua = bare.lua,
      opaque = bare.opaque, base_script = facts.version, base_files = facts.files and facts.files.version,
      base_core = facts.core and facts.core.version and tostring(facts.core.version) }
  end
  local release = facts.version and ("%s-F%s"):format(facts.version, bare.version) or "F" .. bare.version
  if #release > LONGEST then
    return nil, ("release %s is longer than %d bytes"):format(release, LONGEST), "incompatible"
  end
  return { release = release, files_version = bare.version, trim = bare.trim }
end

-- The package that it makes, or nil, message, code.
local function unpack(engine, where, path, dir, spool, fields)
  local config = where.bare
  fields.archive, fields.dir, fields.spool = path, dir, spool
  fields.project, fields.product_key, fields.user = config.project, config.product_key, config.user
  local maker <close>, message, code = engine.natives.package.bare(fields)
  if not maker then return nil, message, code end
  local package, blanks
  repeat
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    package, blanks, code = maker:step()
    if code == "again" then
      local fd = maker:fd()
      if fd then engine.tasks:watch({ { fd = fd, read = true } }, 1) else engine.tasks:turn() end
    end
  until package or code ~= "again"
  if not package then return nil, blanks, code end
  if blanks > 0 then
    engine.log(("archive %s: %d lines of update.ini have a blank after a slash; %s"):format(config.version, blanks,
      config.trim and "it was removed" or "it was kept as part of the name, files.trim removes it"))
  end
  return package
end

--- One attempt.
-- @tparam table engine update.engine
-- @tparam table where update.engine.place with bare = {version, project, product_key, user, trim, dir}, or with
--   hotfix = {name, version}, lua, opaque in the place of version and trim; see update.cloud.unsigned
-- @tparam string|nil spool the device's; nil: it is only to be looked at, in `dir`
-- @tparam function open_source of update.engine.head
-- @treturn table|nil package of update.native.package | nil, message, code, how: see update.engine.retry
function M.read(engine, where, spool, open_source)
  if not spool and not where.bare.dir and not where.bare.hotfix then
    return nil, "a bare archive has no head to look at; all of it is needed", "usage"
  end
  local fields, message, code = becomes(engine, where.bare)
  if not fields then return nil, message, code end
  local path, dir, content = paths(engine, where, spool)
  if not path then return nil, dir, content end
  local ok, package, how
  ok, message, code, how = fetch(engine, where, path, open_source)
  if not ok then return nil, message, code, how end
  package, message, code = unpack(engine, where, path, dir, content, fields)
  if package then return package end
  if AT_FAULT[code] then engine.natives.partial.forget(path) end
  return nil, ("%s: %s"):format(engine.natives.url.shown(where.location), message), code
end

return M
