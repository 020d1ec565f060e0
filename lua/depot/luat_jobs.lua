--- Luat's queries where a product is staged: a device is given what a job or a rollout grants it, and nothing else.
--
-- A query is a report of the device's version. If it is granted a package, the
-- answer is the offer, and its download begins at once. Whether a release is
-- newer than the device's is decided as for every query (depot.luat), because
-- not all clients send their whole version.
--
-- @module depot.luat_jobs

local luat = require "depot.luat"
local products = require "depot.products"

local M = {}

local LuatJobs = {}
LuatJobs.__index = LuatJobs

--- @tparam table parts fleet (function -> depot.fleet, or nil while there is none), packages (function -> array of the
--   catalog), mode (function(entry) -> of its product: auto, staged or off), sha256 (text -> hex)
function M.new(parts) return setmetatable(parts, LuatJobs) end

-- The packages of one release: the full one and its deltas.
local function of_release(packages, manifest)
  local list = {}
  for _, entry in ipairs(packages) do
    local other = entry.manifest
    if other.product_key == manifest.product_key and other.release == manifest.release
        and other.sequence == manifest.sequence and products.hardware(other) == products.hardware(manifest) then
      list[#list + 1] = entry
    end
  end
  return list
end

--- Whether a query is answered by what is granted, and not from the folder alone.
function LuatJobs:decides(request)
  local asked = luat.parse(request.query)
  return asked ~= nil and self:_mode(self.packages(), self.sha256(asked.project_key)) == "staged"
end

-- The mode of a product; nil: it has no package.
function LuatJobs:_mode(packages, hash)
  local entry = hash and products.of(packages, hash).list[1]
  return entry and self.mode(entry)
end

local function begins_at(request)
  return math.tointeger(tonumber((request.headers.range or ""):match "^bytes=(%d+)")) or 0
end

-- What the depot's modules need to know of a query.
local function event_of(request, asked, hash)
  local query = request.query
  return { cloud = "luat", product = query.firmware_name:sub(1, 128), device = asked.id, hash = hash, kind = "version",
    release = luat.release(query, asked), core = asked.core_version, continues = begins_at(request) > 0,
    downloads = request.method == "GET" and not asked.redirect }
end

--- The packages that may answer a query.
-- @tparam table request method, query, headers
-- @treturn {table,...}|nil packages, and who is given one: {cloud, product, device}; nil, refusal (as from
--   luat.answer): none; nil: it cannot be told now, since the store is in trouble
function LuatJobs:allow(request)
  local packages, asked = self.packages(), luat.parse(request.query)
  local hash = asked and self.sha256(asked.project_key)
  local mode = self:_mode(packages, hash)
  if not mode or mode == "auto" then return packages end -- of no product is refused for that
  if mode == "off" then return nil, luat.not_granted() end
  local fleet = self.fleet()
  if not fleet then return nil end
  local event = event_of(request, asked, hash)
  -- Whether the device runs something older than a release.
  function event.order(manifest)
    local answer = luat.answer(request.query, of_release(packages, manifest), self.sha256)
    return answer.kind ~= "refusal" and "older" or answer.code == 27 and "newer" or nil
  end
  local digest = fleet:query(event)
  if digest == nil then return nil end
  for _, entry in ipairs(digest and packages or {}) do
    if entry.manifest.digest == digest then
      return of_release(packages, entry.manifest),
        { cloud = event.cloud, product = event.product, device = event.device }
    end
  end
  return nil, luat.not_granted()
end

return M
