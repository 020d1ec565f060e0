--- Who asks too often.
--
-- Pure: the time is handed in, in seconds. A session or token has 20 requests a second, 100 at once. A name has 5
-- tries to log in, then a delay that doubles up to 15 minutes; an address has 30 tries a minute.
--
-- @module depot.api.limits

local M = {}

local RATE, BURST = 20, 100
local TRIES, LONGEST = 5, 900
local PER_MINUTE = 30
local KEPT = 10000 -- names, addresses and sessions that are remembered

local Limits = {}
Limits.__index = Limits

function M.new() return setmetatable({ buckets = {}, names = {}, addresses = {}, count = 0 }, Limits) end

-- A table that cannot be filled without end: beyond KEPT it is begun anew.
function Limits:_entry(kind, key, fresh)
  local entry = self[kind][key]
  if entry then return entry end
  self.count = self.count + 1
  if self.count > KEPT then self.buckets, self.addresses, self.names, self.count = {}, {}, {}, 1 end
  self[kind][key] = fresh
  return fresh
end

--- Whether a session or token may ask once more.
-- @treturn integer|nil nil: yes; else seconds to wait
function Limits:ask(key, now)
  local bucket = self:_entry("buckets", key, { left = BURST, at = now })
  bucket.left = math.min(BURST, bucket.left + (now - bucket.at) * RATE)
  bucket.at = now
  if bucket.left < 1 then return 1 end
  bucket.left = bucket.left - 1
end

--- Whether somebody may try to log in, which counts as a try of his address.
-- @treturn integer|nil nil: yes; else seconds to wait
function Limits:try(name, address, now)
  local from = self:_entry("addresses", address, { count = 0, since = now })
  if now - from.since >= 60 then from.count, from.since = 0, now end
  from.count = from.count + 1
  if from.count > PER_MINUTE then return math.ceil(60 - (now - from.since)) end
  local known = self.names[name]
  if known and known.till and now < known.till then return math.ceil(known.till - now) end
end

--- A log-in failed.
function Limits:failed(name, now)
  local known = self:_entry("names", name, { count = 0 })
  known.count = known.count + 1
  if known.count >= TRIES then known.till = now + math.min(LONGEST, 2 ^ (known.count - TRIES)) end
end

--- A log-in succeeded.
function Limits:succeeded(name) self.names[name] = nil end

return M
