--- Reads the file of `moult depot --qinglian FILE`: JSON with the addresses of dispatcher and broker, and the products.
--
-- Pure. `{"listen": "0.0.0.0:8990", "broker": "192.0.2.1:1883", "products": {"1001": "0123456789abcdef"}}`:
-- `broker` is the address that devices use, `products` has the key of each product by its number.
--
-- @module depot.qinglian_config

local frame = require "update.cloud.qinglian_frame"
local qinglian = require "update.cloud.qinglian"

local M = {}

--- @tparam any object decoded JSON
-- @treturn table|nil listen, broker, products ({[number] = key}); nil, message
function M.read(object)
  if type(object) ~= "table" then return nil, "expected a JSON object" end
  if type(object.listen) ~= "string" then return nil, "listen is missing: HOST:PORT of the dispatcher" end
  if type(object.broker) ~= "string" or not frame.address(object.broker) then
    return nil, "broker is missing: the broker's numeric address, IP:PORT, as devices reach it"
  end
  local products, any = {}, false
  for text, key in pairs(type(object.products) == "table" and object.products or {}) do
    local number = qinglian.product(text)
    if not number then return nil, ("product %s is no number"):format(tostring(text)) end
    if type(key) ~= "string" or #key ~= qinglian.KEY then
      return nil, ("the key of product %d has not 16 bytes"):format(number)
    end
    products[number], any = key, true
  end
  if not any then return nil, "products is missing: {\"NUMBER\": \"KEY\"}" end
  return { listen = object.listen, broker = object.broker, products = products }
end

return M
