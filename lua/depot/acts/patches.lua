--- The life of a hotfix for devices of the Qinglian cloud: added, verified on one, tried on some, released, deleted.
--
-- Durable order of adding: the file, then its row. A file without a row is written over when the hotfix is added again.
--
-- @module depot.acts.patches

local acts = require "depot.acts"
local frame = require "update.cloud.qinglian_frame"
local into_folder = require "depot.into_folder"
local patch_store = require "depot.patch_store"
local qinglian = require "update.cloud.qinglian"

local M = {}

local SIZE = 0xFFFFFFFF -- bytes; the cloud counts with 32 bits
local ABOUT = 200       -- bytes
local TIMEOUT = 60      -- seconds from the last piece to the result, unless somebody says

--- What the store keeps of hotfixes.
-- @treturn table|nil depot.patch_store; nil, message, code
function M.of(world)
  local top = world.top or world
  local message, code
  if not top.patches then top.patches, message, code = patch_store.new(world.store) end
  return top.patches, message, code
end

--- MACs as they are kept.
-- @tparam {string,...} names
-- @treturn {string,...}|nil nil, message, "usage"
function M.macs(names)
  local macs = {}
  for i, name in ipairs(names) do
    macs[i] = name:lower()
    if not qinglian.is_mac(macs[i]) then return nil, ("%s: not a MAC as 00:0c:29:4b:5b:1f"):format(name), "usage" end
  end
  if #macs == 0 then return nil, "name a device by its MAC, as 00:0c:29:4b:5b:1f", "usage" end
  return macs
end

local FIELDS = { "name", "version", "stage", "about", "size", "trials", "open", "done", "failed" }

--- A hotfix as an object for JSON: with its devices, and its numbers if it is one of every().
function M.object(world, item)
  local json = world.natives.json
  local rows, message, code = M.of(world):devices(item.id)
  if not rows then return nil, message, code end
  local object = { devices = json.array {}, made = item.made // 1000, unsigned = item.unsigned == 1 }
  for _, name in ipairs(FIELDS) do object[name] = item[name] == nil and json.null or item[name] end
  for i, device in ipairs(rows) do
    object.devices[i] = { device = device.device, trial = device.trial ~= nil, state = device.state or json.null,
      percent = device.percent or json.null, text = device.text or json.null,
      verifies = device.wait ~= nil, changed = device.changed and device.changed // 1000 or json.null }
  end
  return object
end

local function fault_of_about(world, about)
  if about and (#about > ABOUT or about ~= world.natives.printable.text(about)) then
    return ("the description takes at most %d printable bytes"):format(ABOUT)
  end
end

--- Take in a hotfix.
-- @tparam table world
-- @tparam string path of the package, which was verified, or of a bare one
-- @tparam table manifest of it, or what depot.bare_patch has instead
-- @tparam[opt] string about description
-- @tparam[opt] function each called between pieces
-- @treturn table|nil row; nil, message, code
function M.add(world, path, manifest, about, each)
  local patches, message, code = M.of(world)
  local fault = fault_of_about(world, about)
  if not patches then return nil, message, code end
  if fault then return nil, fault, "usage" end
  local row = { hash = manifest.product_key, name = manifest.hotfix.name, version = manifest.hotfix.version,
    about = about, digest = manifest.digest, size = 0, crc = 0xFFFF, unsigned = manifest.unsigned and 1 or nil }
  local there = patches:find(row.version, row.hash)
  if there and there[1] then
    return nil, ("version %s is taken by patch %s of this product; each patch needs its own"):format(row.version,
      there[1].name), "refused"
  end
  local ok
  ok, message, code = into_folder.put(world.dir, patch_store.file(row), function(to)
    return into_folder.copy(path, to, function(piece)
      row.size, row.crc = row.size + #piece, frame.crc16(piece, row.crc)
      if each then each() end
    end)
  end)
  if not ok then return nil, message, code end
  if row.size > SIZE then return nil, path .. ": larger than 4 GiB", "nospace" end
  return acts.change(world, function() return patches:add(row, acts.now()) end,
    { verb = "patch.add", object = "patch " .. row.version, product = row.hash,
      after = manifest.unsigned and "unsigned, SHA-256 " .. manifest.unsigned or nil })
end

-- Run work(item, patches) on the hotfix that which() finds, in one transaction; it gives true, or nil, message, code.
local function change(world, verb, which, after, work)
  local act = { verb = "patch." .. verb, after = after }
  local patches, fault, word = M.of(world)
  if not patches then return nil, fault, word end
  return acts.change(world, function()
    local item, message, code = which()
    if not item then return nil, message, code end
    act.object, act.product, act.before = "patch " .. item.version, item.hash, item.stage
    local done
    done, message, code = work(item, patches)
    if not done then return nil, message, code end
    return item
  end, act)
end

-- Whether the product of a hotfix still takes it: true; nil, message, code.
local function is_taken(world, item)
  if item.unsigned ~= 1 then return true end
  local product, message, code = world.store:product(item.hash)
  if product == nil then return nil, message, code end
  if not product or product.unsigned == 1 then return true end
  return nil, ("patch %s is unsigned, and product %s takes signed ones only now"):format(item.version, product.name),
    "refused"
end

-- Whether a hotfix is in a stage that the act follows: true; nil, message, code.
local function follows(world, item, act, ...)
  for _, stage in ipairs { ... } do
    if item.stage == stage then return is_taken(world, item) end
  end
  return nil, ("patch %s is %s; it must be %s before it is %s"):format(item.version, item.stage,
    table.concat({ ... }, " or "), act), "refused"
end

--- Let a device try it. May be done again, in any stage but the last.
-- @tparam table world
-- @tparam function which -> row; or nil, message, code; asked within the transaction
-- @tparam string mac
-- @tparam[opt] integer timeout seconds from the last piece to the result
-- @treturn table|nil row; nil, message, code
function M.verify(world, which, mac, timeout)
  return change(world, "verify", which, mac, function(item, patches)
    local ok, message, code = is_taken(world, item)
    local row
    if ok then row, message, code = patches:device(item.id, mac) end
    if not row then return nil, message, code end
    row.wait, row.state, row.changed = (timeout or TIMEOUT) * 1000, "waiting", acts.now()
    row.percent, row.text = nil, nil
    return patches:put(row)
  end)
end

--- Offer it to some devices, besides what is released.
-- @treturn table|nil row; nil, message, code
function M.trial(world, which, macs)
  return change(world, "trial", which, table.concat(macs, ", "), function(item, patches)
    local ok, message, code = follows(world, item, "tried", "verified", "trial")
    for _, mac in ipairs(ok and macs or {}) do
      local row
      row, message, code = patches:device(item.id, mac)
      if not row then return nil, message, code end
      row.trial = 1
      ok, message, code = patches:put(row)
      if not ok then return nil, message, code end
    end
    if ok then item.stage = "trial" end
    return ok and patches:stage(item.id, "trial"), message, code
  end)
end

--- Offer it to every device of its product.
-- @treturn table|nil row; nil, message, code
function M.release(world, which)
  return change(world, "release", which, nil, function(item, patches)
    local ok, message, code = follows(world, item, "released", "verified", "trial")
    item.stage = "released"
    return ok and patches:stage(item.id, "released"), message, code
  end)
end

--- Offer it no more, and remove its file: a depot that sends it stops. Its row stays.
-- @treturn table|nil row; nil, message, code
function M.delete(world, which)
  local item, message, code = change(world, "delete", which, nil, function(item, patches)
    item.stage = "deleted"
    return patches:stage(item.id, "deleted")
  end)
  if item then os.remove(patch_store.path(world.dir, item)) end
  return item, message, code
end

--- Say what it is for.
-- @treturn table|nil row; nil, message, code
function M.describe(world, which, about)
  local fault = fault_of_about(world, about)
  if fault then return nil, fault, "usage" end
  return change(world, "describe", which, about, function(item, patches)
    item.about = about ~= "" and about or nil
    return patches:describe(item.id, item.about)
  end)
end

return M
