--- New packages, which devices that listen are offered without having to report first.
--
-- A package is fresh if it was not there before, or not for the same devices.
-- When the depot starts, a package that was never hashed is fresh. Once it is
-- hashed, every device that it may be for becomes due, even one with a pending
-- job for another package. The pace limits how fast they are offered it.
--
-- @module depot.fresh

local M = {}

local Fresh = {}
Fresh.__index = Fresh

--- @tparam table store depot.store
-- @tparam table digests depot.digests
-- @tparam table json update.native.json
function M.new(store, digests, json)
  return setmetatable({ store = store, digests = digests, json = json, entries = {} }, Fresh)
end

--- The catalog has changed.
-- @tparam table by_digest {[digest] = entry} as it is now
function Fresh:look(by_digest)
  for digest, entry in pairs(by_digest) do
    local hashed = self.digests:of(entry) -- begins hashing, so that the digest is there when it is needed
    if not hashed or self.before and self.before[digest] ~= entry then self.entries[digest] = entry end
  end
  for digest, entry in pairs(self.entries) do
    if by_digest[digest] ~= entry then self.entries[digest] = nil end
  end
  self.before = by_digest
end

local function is_for_many(entry, mode, rollouts)
  for _, rollout in ipairs(rollouts) do
    if rollout.package == entry.manifest.digest then return true end
  end
  return mode(entry.manifest.product_key) == "auto"
end

-- The devices that a package is for, in the store's form; nil: every device.
function Fresh:_ids(entry)
  if not entry.devices then return nil end
  local ids = {}
  for id in pairs(entry.devices) do ids[#ids + 1] = id end
  return self.json.encode(self.json.array(ids))
end

--- Make the devices due that a fresh, hashed package is for.
-- @tparam integer now ms
-- @tparam function mode as depot.grants takes it
-- @tparam {table,...} rollouts
-- @treturn true|nil nil, message, code
function Fresh:make_due(now, mode, rollouts)
  for digest, entry in pairs(self.entries) do
    if not is_for_many(entry, mode, rollouts) then
      self.entries[digest] = nil
    elseif self.digests:of(entry) then
      local ok, message, code = self.store:change()
      if ok then ok, message, code = self.store:make_due(entry, now, self:_ids(entry)) end
      if not ok then return nil, message, code end
      self.entries[digest] = nil
    end
  end
  return true
end

return M
