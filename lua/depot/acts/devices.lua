--- What people write about devices, and how a device is shown.
--
-- @module depot.acts.devices

local acts = require "depot.acts"
local ids = require "depot.api.ids"
local http_devices = require "depot.http_devices"
local zones = require "depot.rollout.zone"

local M = {}

local NAMED = 5   -- devices that the audit names at most
local HARDWARE = 64 -- bytes
local NOTE = 1000 -- bytes at most
local UNDONE = 10000 -- tags at most that can be taken back at once

local FIELDS = { "cloud", "product", "device", "release", "target", "state", "step", "code", "reason", "text",
  "core", "hardware", "zone" }

local function seconds(ms, null) return ms and ms // 1000 or null end

--- A device's row as an object for JSON; times are seconds since 1970.
-- @tparam table row
-- @tparam function printable of update.native.printable
-- @param null
-- @treturn table
function M.object(row, printable, null)
  local object = {}
  for _, name in ipairs(FIELDS) do
    local value = row[name]
    if type(value) == "string" then value = printable(value) end
    object[name] = value == nil and null or value
  end
  object.heard, object.changed = seconds(row.heard, null), seconds(row.changed, null)
  object.unordered, object.asked = row.unordered or false, row.asked
  object.admitted = row.admitted == 1
  object.listening = null
  if row.not_listening then object.listening = false end
  return object
end

-- The tags as the command names them, for the audit.
local function said(wanted)
  local parts = {}
  for tag, value in pairs(wanted) do parts[#parts + 1] = (value and "+" or "-") .. tag end
  table.sort(parts)
  return table.concat(parts, " ")
end

-- Within change(): make changes {row, tag, value}; those that change something are kept for `act`.
local function apply(world, changes, act)
  local done, names, seen = {}, {}, {}
  for _, change in ipairs(changes) do
    local row = change.row
    local changed, message, code = world.store:set_tag(row, change.tag, change.value)
    if changed == nil then return nil, message, code end
    if changed then
      done[#done + 1] = { device = ids.of(row), tag = change.tag, value = not change.value }
      if not seen[row] then names[#names + 1] = row.device end
      seen[row] = true
    end
  end
  for row in pairs(seen) do
    local ok, message, code = world.store:touch(row, acts.now())
    if not ok then return nil, message, code end
  end
  act.idle = #names == 0
  act.object = #names <= NAMED and "device " .. table.concat(names, ", ") or ("%d devices"):format(#names)
  act.product = changes[1] and changes[1].row.hash
  if #done <= UNDONE then act.undo = { kind = "tags", changes = done } end
  return #names
end

-- The changes {row, tag, value} of what apply() kept; a device that was forgotten meanwhile has none.
local function changes_of(world, kept)
  local rows, changes = {}, {}
  for _, change in ipairs(kept) do
    local id, row, message, code = ids.read(change.device), rows[change.device], nil, nil
    if row == nil then row, message, code = world.store:get(id.cloud, id.product, id.device) end
    if row == nil then return nil, message, code end
    rows[change.device] = row
    if row then changes[#changes + 1] = { row = row, tag = change.tag, value = change.value } end
  end
  return changes
end

--- Take a change of tags back; of depot.acts.undo.
-- @treturn integer|nil how many devices were changed; nil, message, code
function M.tags_back(world, undo)
  local act = { verb = "device.tag", after = "as before" }
  return acts.change(world, function()
    local changes, message, code = changes_of(world, undo.changes)
    if not changes then return nil, message, code end
    return apply(world, changes, act)
  end, act)
end

--- Give devices tags, or take them away.
-- @tparam table world
-- @tparam function which -> rows; or nil, message, code; asked within the transaction
-- @tparam {[tag] = boolean} wanted
-- @treturn integer|nil how many were changed; nil, message, code
function M.tag(world, which, wanted)
  local act = { verb = "device.tag", after = said(wanted) }
  return acts.change(world, function()
    local rows, message, code = which()
    if not rows then return nil, message, code end
    local changes = {}
    for _, row in ipairs(rows) do
      for tag, value in pairs(wanted) do changes[#changes + 1] = { row = row, tag = tag, value = value } end
    end
    return apply(world, changes, act)
  end, act)
end

--- Forget a device with its events; the audit has the hash of its name.
-- @tparam table world
-- @tparam function which -> row; or nil, message, code; asked within the transaction
-- @treturn true|nil nil, message, code
function M.forget(world, which)
  local act = { verb = "device.forget" }
  return acts.change(world, function()
    local row, message, code = which()
    if not row then return nil, message, code end
    act.object, act.product = "device sha256:" .. world.store.sha256(row.device), row.hash
    local ok
    ok, message, code = world.store:forget(row)
    if ok and row.cloud == "luat" then ok, message, code = http_devices.forget(world.natives, world.dir, row) end
    return ok, message, code
  end, act)
end

-- Set a column of a device; "" for none.
local function set(world, which, name, value)
  local act = { verb = "device.set", after = ("%s %s"):format(name, value) }
  return acts.change(world, function()
    local row, message, code = which()
    if not row then return nil, message, code end
    act.object, act.product = "device " .. row.device, row.hash
    act.before = row[name] and ("%s %s"):format(name, row[name])
    act.idle = (row[name] or "") == value
    if act.idle then return 0 end
    row[name] = value ~= "" and value or nil
    local ok
    ok, message, code = world.store:put(row)
    if ok then ok, message, code = world.store:touch(row, acts.now()) end
    return ok, message, code
  end, act)
end

--- Say what hardware a device is; "" for unknown.
-- @tparam table world
-- @tparam function which -> row; or nil, message, code; asked within the transaction
-- @tparam string hardware
-- @treturn integer|nil nil, message, code
function M.set_hardware(world, which, hardware)
  if #hardware > HARDWARE or hardware:find "%c" or not utf8.len(hardware) then
    return nil, ("the name of a hardware has up to %d bytes of UTF-8"):format(HARDWARE), "usage"
  end
  return set(world, which, "hardware", hardware)
end

--- Say in which time zone a device is, for the windows of rollouts; "": in its product's. As set_hardware().
function M.set_zone(world, which, zone)
  local known, message = zones.load(zone ~= "" and zone or nil)
  if not known then return nil, message, "usage" end
  return set(world, which, "zone", zone)
end

--- Write a note again, if it still is what it became; of depot.acts.undo.
function M.note_back(world, undo)
  local id = ids.read(undo.device)
  return M.note(world, function()
    local row, message, code = world.store:get(id.cloud, id.product, id.device)
    if row == nil then return nil, message, code end
    if not row or (world.store:note(row) or "") ~= undo.new then
      return nil, ("the note about %s was changed meanwhile"):format(id.device), "conflict"
    end
    return row
  end, undo.old)
end

--- Write a note about a device; an empty one removes it.
-- @tparam table world
-- @tparam function which -> row; or nil, message, code; asked within the transaction
-- @tparam string text
-- @treturn integer|nil nil, message, code
function M.note(world, which, text)
  if #text > NOTE or not utf8.len(text) then
    return nil, ("a note has up to %d bytes of UTF-8"):format(NOTE), "usage"
  end
  local act = { verb = "device.note", after = text }
  return acts.change(world, function()
    local row, message, code = which()
    if not row then return nil, message, code end
    act.object, act.product, act.before = "device " .. row.device, row.hash, world.store:note(row) or nil
    act.undo = { kind = "note", device = ids.of(row), old = act.before or "", new = text }
    return world.store:put_note(row, text)
  end, act)
end

return M
