--- Bits that nobody can guess.
--
-- @module depot.random

local M = {}

--- 256 random bits.
-- @treturn string 64 hex digits
function M.hex()
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return (file:read(32):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

return M
