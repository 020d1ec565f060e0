--- Patches at a depot that plays the Qinglian cloud: what each device may have, and the pieces of it.
--
-- depot.qinglian_patch decides what is said to a device; here are the stages of
-- patches, which are in the store, and their bytes. Nothing else is durable: after a
-- restart of the depot a device that was in the middle of a patch gives it up and
-- asks for its list again.
--
-- A device is a table of depot.qinglian: mac, product, authed, transfer, token.
--
-- @module depot.qinglian_patches

local firmware = require "depot.qinglian_firmware"
local frame = require "update.cloud.qinglian_frame"
local machine = require "depot.qinglian_patch"
local patch_store = require "depot.patch_store"
local qinglian = require "update.cloud.qinglian"

local M = {}

local Desk = {}
Desk.__index = Desk

local OP = qinglian.OP

local TICK = 1000 -- ms

--- @tparam table o dir, patches (depot.patch_store), sha256, remarks, send (function(device, packet)),
--   device (function(mac) -> device)
function M.new(o)
  return setmetatable({ dir = o.dir, patches = o.patches, sha256 = o.sha256, remarks = o.remarks, send = o.send,
    device = o.device, talks = {}, ticked = 0, sequence = 0 }, Desk)
end

function Desk:_failed(message)
  self.remarks:once("patches", ("patches: %s"):format(message))
end

local acts = {}

function acts.list(self, device, action)
  local items = {}
  for i, item in ipairs(action.items) do items[i] = qinglian.list_item(item) end
  self.send(device, { opcode = OP.list, sequence = device.asks_list or 0, response = true,
    body = qinglian.listed(items) })
end

function acts.call(self, device)
  self.sequence = self.sequence + 1
  self.send(device, { opcode = OP.list_now, sequence = self.sequence, body = "{}" })
end

-- The piece of the file; nil: it is gone, or shorter than it was. Opened for each piece, as for firmware.
local function read(self, action)
  local file <close> = io.open(patch_store.path(self.dir, action.item), "rb")
  local data = file and file:seek("set", action.offset) and file:read(action.length)
  return data and #data == action.length and data or nil
end

function acts.piece(self, device, action, now)
  local data = read(self, action)
  if not data then return self:_drive(device, { type = "gone" }, now) end
  self.send(device, { opcode = OP.patch_chunk, sequence = action.sequence, kind = "binary",
    body = frame.patch_chunk { last = action.last, offset = action.offset, data = data } })
end

function acts.note(self, device, action, now)
  local done, message = self.patches.store:change()
  if done then done, message = self.patches:note(action.item, device.mac, action, now) end
  if not done then self:_failed(message) end
end

function Desk:_drive(device, event, now)
  event.now, event.busy = now, device.transfer ~= nil or device.announced ~= nil
  local actions
  device.patches, actions = machine.step(device.patches or machine.new(math.random(0, 0xFFFFFF)), event)
  self.talks[device.mac] = machine.is_active(device.patches) or nil
  for _, action in ipairs(actions) do acts[action.type](self, device, action, now) end
end

function Desk:_hash(device) return self.sha256(tostring(device.product)) end

-- What a device may have: the one that it is to verify when it was told to ask, else what is open for it.
function Desk:_open_for(device, why)
  local trying = device.patches and device.patches.trying
  if trying and why == qinglian.WHY.verify then return { trying.item } end
  local items, message = self.patches:open_for(self:_hash(device), device.mac)
  if not items then self:_failed(message) end
  return items or {}
end

-- A verification is for a device of the patch's product.
function Desk:_check_product(device, now)
  local trying = device.authed and device.patches and device.patches.trying
  if trying and trying.item.hash ~= self:_hash(device) then self:_drive(device, { type = "foreign" }, now) end
end

--- The device has logged in.
function Desk:login(device, now)
  self:_check_product(device, now)
  self:_drive(device, { type = "login" }, now)
end

--- It asks for firmware.
function Desk:freed(device, now)
  if device.patches then self:_drive(device, { type = "freed" }, now) end
end

--- Whether a patch is under way, so that nothing may be said about firmware.
function Desk.is_busy(_, device)
  return device.patches ~= nil and device.patches.transfer ~= nil
end

--- By opcode: what devices say of patches.
M.heard = {}

M.heard[OP.list] = function(self, device, packet, object, now)
  local data = qinglian.part(object, "data")
  device.asks_list = packet.sequence
  self:_drive(device, { type = "asks", sequence = packet.sequence, items = self:_open_for(device, data.upgradetype),
    chunk = firmware.chunk_size(data) }, now)
end

local function same(item, named) return item.name == named.name and item.version == named.version end

-- A refusal cannot be told, so a wrong request has no answer.
M.heard[OP.patch_request] = function(self, device, packet, object, now)
  local named = qinglian.named(qinglian.part(object, "data"))
  local trying = device.patches and device.patches.trying
  if not named then return end
  local items = self:_open_for(device)
  if trying then table.insert(items, 1, trying.item) end
  for _, item in ipairs(items) do
    if same(item, named) then
      return self:_drive(device, { type = "wants", sequence = packet.sequence, item = item }, now)
    end
  end
end

M.heard[OP.patch_chunk] = function(self, device, packet, object, now)
  self:_drive(device, { type = "answers", sequence = packet.sequence, errcode = qinglian.errcode(object) or -1,
    offset = qinglian.part(object, "data").offset }, now)
end

M.heard[OP.list_now] = function(self, device, _, object, now)
  self:_drive(device, { type = "called", errcode = qinglian.errcode(object) or -1 }, now)
end

-- A result counts for a patch that this device was sent.
M.heard[OP.patch_end] = function(self, device, packet, object, now)
  local data = qinglian.part(object, "data")
  local named = qinglian.named(data)
  self.send(device, { opcode = OP.patch_end, sequence = packet.sequence, response = true, body = qinglian.OK })
  local found = named and self.patches:find(named.version, self:_hash(device))
  local item = found and found[1]
  local row = item and same(item, named) and self.patches:device(item.id, device.mac)
  if not row or not row.state then return end
  if math.type(data.s) == "integer" then
    self:_drive(device, { type = "reports", item = item, ok = data.s == 0 }, now)
  end
end

--- Begin the verifications that the command line asked for; call when another process changed the store.
function Desk:look(now)
  local rows, message = self.patches:waiting()
  if not rows then return self:_failed(message) end
  for _, row in ipairs(rows) do
    local device = self.device(row.device)
    self:_drive(device, { type = "verify", item = row, wait = row.wait }, now)
    self:_check_product(device, now)
  end
end

--- Check the limits of time.
function Desk:step(now)
  if now >= self.ticked and now - self.ticked < TICK then return end
  self.ticked = now
  for mac in pairs(self.talks) do self:_drive(self.device(mac), { type = "tick" }, now) end
end

return M
