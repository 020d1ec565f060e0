--- How devices are named in paths and cursors.
--
-- Pure. A device is known by cloud, product and name, any bytes; in a path it is these, in hex.
--
-- @module depot.api.ids

local M = {}

--- @tparam table row cloud, product, device
-- @treturn string of [0-9a-f]
function M.of(row)
  return (("%s\0%s\0%s"):format(row.cloud, row.product, row.device):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

--- @tparam string text
-- @treturn table|nil {cloud, product, device}; nil: it names none
function M.read(text)
  if #text % 2 ~= 0 or #text > 4096 or text:find "[^0-9a-f]" then return nil end
  local bytes = text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)
  local cloud, product, device = bytes:match "^([^%z]*)%z([^%z]*)%z([^%z]*)$"
  return cloud and { cloud = cloud, product = product, device = device }
end

return M
