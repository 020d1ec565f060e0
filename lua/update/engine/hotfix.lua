--- A hotfix on its way to the supervisor, and which ones policy wants.
--
-- `engine` is an update.engine, `where` an update.engine.place, `head` an
-- update.engine.head. Nothing of the journal changes: what is fetched lies in a
-- folder of its own, and is in force only when the supervisor says so.
--
-- @module update.engine.hotfix

local heads = require "update.engine.head"
local ledgers = require "update.engine.ledger"
local offers = require "update.engine.offer"
local places = require "update.engine.place"
local retry = require "update.engine.retry"
local steps = require "update.engine.steps"
local version = require "update.version"

local M = {}

--- Whether this place may bring a hotfix, and this one.
-- @treturn boolean true | nil, message, code
function M.admit(engine, where, head)
  local fix, wanted = head.manifest.hotfix, where.hotfix
  if wanted and not (fix and fix.name == wanted.name and fix.version == wanted.version) then
    return nil, ("the package holds %s, but the cloud announced hotfix %s %s"):format(offers.name_of(head.offer),
      wanted.name, wanted.version), "incompatible"
  elseif not fix then
    return true
  elseif not engine.apply_hotfix then
    return nil, ("%s: a hotfix is applied while the device runs: start `moult run`"):format(offers.name_of(head.offer)),
      "usage"
  elseif not wanted and not where.by_hand then
    return nil, ("%s: cloud %s does not carry hotfixes"):format(offers.name_of(head.offer), where.cloud), "incompatible"
  end
  return true
end

local function step(where, word)
  if where.hotfix_step then where.hotfix_step(word) end
end

--- Fetch it, and have it applied and tested.
-- @treturn string state in the ledger, "fresh" | nil, message, code, seconds (see update.engine.retry)
function M.carry_out(engine, where, head)
  local device, name = engine.device, offers.name_of(head.offer)
  local ok, message, code = device:hotfix_begin(head.package)
  local retry_after, id
  if not ok then return nil, message, code end
  engine:begin()
  engine.note(("%s: fetching"):format(name))
  step(where, "fetching")
  if not head.bare then ok, message, code, retry_after = steps.fetch(engine, where, head) end
  if not ok then return nil, message, code, retry_after end
  id, message, code = device:hotfix_finish(head.package)
  if not id then return nil, message, code end
  step(where, "fetched")
  engine.note(("%s: every block is in place; it is put in force and tested"):format(name))
  return engine.apply_hotfix(id, where.bare ~= nil and where.bare.opaque == true)
end

-- What comes after the head is taken, and not kept.
local function take_rest(engine, where, head)
  local at = head.package:offset()
  while true do
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    local data, message, code = head.source:read(at)
    if data == false then return true end
    if data then
      at = at + #data
    elseif code == "again" then
      if where.pause then where.pause() else engine.tasks:idle() end
    else
      return nil, message, code
    end
  end
end

-- The id of its folder, if that very package is in force.
local function in_force(engine, manifest)
  local fix = manifest.hotfix
  local row = ledgers.find(engine.device:hotfixes() or {}, fix)
  return row and ledgers.is_in_force(row) and row.id == manifest.digest:sub(1, #row.id) and row.id or nil
end

local function take_again(engine, where, head, test)
  local ok, message, code = M.admit(engine, where, head)
  local id = ok and in_force(engine, head.manifest)
  if ok and not id then
    ok, message, code = nil, ("%s: another package of that version is applied"):format(offers.name_of(head.offer)),
      "incompatible"
  end
  if not ok then return nil, message, code end
  step(where, "fetching")
  if not head.bare then ok, message, code = take_rest(engine, where, head) end
  if not ok then return nil, message, code end
  step(where, "fetched")
  return test(id)
end

--- Take a hotfix that is in force already, and have its test run once more. Nothing of it is kept: what is tested is
-- what is in force, and at each start of the device that is compared with what was signed.
-- @tparam table engine
-- @tparam table place fields of update.engine.place
-- @tparam function test function(id of its folder) -> whether it passed | nil, message, code
-- @treturn boolean whether it passed | nil, message, code
function M.test_again(engine, place, test)
  local where = places.new(place)
  return engine:alone(function()
    local head, message, code = retry.run(engine, where, 1, function() return heads.read(engine, where) end)
    if not head then return nil, message, code end
    local passed
    passed, message, code = take_again(engine, where, head, test)
    heads.close(engine, where, head)
    return passed, message, code
  end)
end

--- The rows that policy's choose() is given: one a name, the highest that is not quarantined.
-- @tparam {table,...} list of a cloud: name, version, size, cloud, security
-- @tparam {table,...} ledger as device:hotfixes() gives it
-- @treturn {table,...} new rows, with `applied`, in the order of the list
function M.rows(list, ledger)
  local rows, by_name = {}, {}
  for _, fix in ipairs(list) do
    local known, entry, leads = by_name[fix.name], ledgers.find(ledger, fix), ledgers.leading(ledger, fix.name)
    local is_closed = entry and entry.state == "quarantined"
    if not is_closed and (not known or version.compare(fix.version, known.version) > 0) then
      local row = known or {}
      for _, field in ipairs { "name", "version", "size", "cloud", "security" } do row[field] = fix[field] end
      row.applied = leads and leads.version
      if not known then rows[#rows + 1] = row end
      by_name[fix.name] = row
    end
  end
  return rows
end

return M
