--- A device's place in the waves of a rollout.
--
-- Pure. The place depends on the release and on the device's name only, so it
-- is the same on every depot, and another one for the next release: no device
-- is always among the first.
--
-- @module depot.rollout.place

local M = {}

--- Places there are. A wave of `percent` has the places below percent * 100.
M.PLACES = 10000

-- What the upper half of the 64 bits is worth in places.
local UPPER = (1 << 32) % M.PLACES

--- The place of a device: the first 8 bytes, big-endian, of SHA-256("KEY\nSEQUENCE\nID"), modulo 10,000.
-- @tparam function sha256 function(text) -> hex
-- @tparam string product_key of the manifest, lower-case hex
-- @tparam integer sequence of the release
-- @tparam string id the name under which the cloud knows the device
-- @treturn integer 0 to 9,999
function M.of(sha256, product_key, sequence, id)
  local hex = sha256(("%s\n%d\n%s"):format(product_key, sequence, id))
  local upper, lower = tonumber(hex:sub(1, 8), 16), tonumber(hex:sub(9, 16), 16)
  return (upper % M.PLACES * UPPER + lower) % M.PLACES
end

--- The wave that a place belongs to.
-- @tparam {number,...} waves percent of the devices up to and with each wave; the last is 100
-- @tparam integer place
-- @treturn integer from 1
function M.wave(waves, place)
  for i, percent in ipairs(waves) do
    if place < math.floor(percent * (M.PLACES // 100) + 0.5) then return i end
  end
  return #waves
end

return M
