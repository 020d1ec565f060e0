--- What people write about devices, and how a device is shown.
--
-- @module depot.acts.devices

local acts = require "depot.acts"
local jobs = require "depot.jobs"
local http_devices = require "depot.http_devices"
local products = require "depot.acts.products"

local M = {}

local NAMED = 5   -- devices that the audit names at most
local HARDWARE = 64 -- bytes
local NOTE = 1000 -- bytes at most

local FIELDS = { "cloud", "product", "device", "release", "target", "state", "step", "code", "reason", "text",
  "core", "hardware" }

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
      done[#done + 1] = { row = row, tag = change.tag, value = not change.value }
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
  act.undo = function(later) return M.tag_each(later, done, act.undone) end
  return #names
end

--- Make changes of tags: {row, tag, value}.
-- @treturn integer|nil how many devices were changed; nil, message, code
function M.tag_each(world, changes, about)
  local act = { verb = "device.tag", after = about, undone = "as before" }
  return acts.change(world, function() return apply(world, changes, act) end, act)
end

--- Give devices tags, or take them away.
-- @tparam table world
-- @tparam function which -> rows; or nil, message, code; asked within the transaction
-- @tparam {[tag] = boolean} wanted
-- @treturn integer|nil how many were changed; nil, message, code
function M.tag(world, which, wanted)
  local act = { verb = "device.tag", after = said(wanted), undone = "as before" }
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

-- What a cloud calls a product: as it was said, or as its devices have reported.
local function name_of(world, place)
  if place.product and products.BY_KEY[place.cloud] and world.store.sha256(place.product) ~= place.hash then
    return nil, "product: this is not the key of the product", "usage", "product"
  elseif place.product then
    return place.product
  end
  local rows, message, code = world.store:products()
  if not rows then return nil, message, code end
  for _, product in ipairs(rows) do
    for _, name in ipairs(product.hash == place.hash and product.names or {}) do
      if name.cloud == place.cloud then return name.name end
    end
  end
  return nil, ("product: say what %s calls it; none of its devices has reported"):format(place.cloud), "usage",
    "product"
end

--- Register devices that never reported. Those that are known are admitted, and stay as they are.
-- @tparam table world
-- @tparam table place cloud, hash (of the product's key), product (what the cloud calls it, or nil: as is known)
-- @tparam {string,...} names
-- @treturn integer|nil how many are new; nil, message, code, field
function M.register(world, place, names)
  local product, message, code, field = name_of(world, place)
  if not product then return nil, message, code, field end
  local act, count, changed = { verb = "device.add", product = place.hash, after = place.cloud }, 0, 0
  for _, name in ipairs(names) do
    if name == "" or name:find "%c" then
      return nil, "a device's name is empty or has control characters", "usage", "devices"
    end
  end
  return acts.change(world, function()
    for _, name in ipairs(names) do
      local row, why, word = world.store:get(place.cloud, product, name)
      if row == nil then return nil, why, word end
      local is_new = not row
      row = row or { cloud = place.cloud, product = product, device = name, hash = place.hash }
      if row.admitted ~= 1 then
        row.admitted, row.due = 1, not is_new and acts.now() or nil
        local ok
        ok, why, word = world.store:put(row)
        if not ok then return nil, why, word end
        changed = changed + 1
      end
      if is_new then count = count + 1 end
    end
    act.object, act.idle = ("%d devices"):format(changed), changed == 0
    return count
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
  local act = { verb = "device.set", after = "hardware " .. hardware }
  return acts.change(world, function()
    local row, message, code = which()
    if not row then return nil, message, code end
    act.object, act.product = "device " .. row.device, row.hash
    act.before = row.hardware and "hardware " .. row.hardware
    row.hardware = hardware ~= "" and hardware or nil
    local ok
    ok, message, code = world.store:put(row)
    if ok then ok, message, code = world.store:touch(row, acts.now()) end
    return ok, message, code
  end, act)
end

--- Admit devices to products that offer to admitted ones only, or admit them no more: then their open jobs end.
-- @tparam table world
-- @tparam function which -> rows; or nil, message, code; asked within the transaction
-- @tparam boolean admitted
-- @treturn integer|nil how many were changed; nil, message, code
function M.admit(world, which, admitted)
  local act, value = { verb = "device.set", after = admitted and "admitted" or "not admitted" }, admitted and 1 or nil
  return acts.change(world, function()
    local rows, message, code = which()
    if not rows then return nil, message, code end
    local names, now = {}, acts.now()
    for _, row in ipairs(rows) do
      if row.admitted ~= value then
        row.admitted, names[#names + 1] = value, row.device
        if not admitted then jobs.cancel(row, now) elseif not jobs.is_open(row) then row.due = now end
        local ok
        ok, message, code = world.store:put(row)
        if ok then ok, message, code = world.store:touch(row, now) end
        if not ok then return nil, message, code end
      end
    end
    act.idle, act.product = #names == 0, rows[1] and rows[1].hash
    act.object = #names <= NAMED and "device " .. table.concat(names, ", ") or ("%d devices"):format(#names)
    return #names
  end, act)
end

--- Write a note again, if it still is what it became.
function M.note_again(world, row, old, new)
  if (world.store:note(row) or "") ~= new then
    return nil, ("the note about %s was changed meanwhile"):format(row.device), "conflict"
  end
  return M.note(world, function() return row end, old)
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
    act.undo = function(later) return M.note_again(later, row, act.before or "", text) end
    return world.store:put_note(row, text)
  end, act)
end

return M
