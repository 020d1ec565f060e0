--- The keys, signatures and body encryption of the Qinglian cloud, all by AES-128-CBC.
--
-- Pure: `aes` is update.native.cipher or a fake. Padding is PKCS#7. The vendor's
-- initialisation vector is not public: a device has it from its configuration, a
-- cloud learns it from the first signature, because it knows what was signed.
--
-- @module update.cloud.qinglian_cipher

local base64 = require "update.cloud.base64"

local M = {}

local BLOCK = 16
local ID = 16        -- bytes of a device id, padded with NUL
local SIGNATURE = 24 -- characters of a product's

--- Pad to complete blocks.
function M.pad(text)
  local n = BLOCK - #text % BLOCK
  return text .. string.char(n):rep(n)
end

--- @treturn string|nil nil: invalid padding
function M.unpad(text)
  local n = text:byte(-1)
  if not n or n < 1 or n > BLOCK or n > #text or text:sub(-n) ~= string.char(n):rep(n) then return nil end
  return text:sub(1, -n - 1)
end

--- Encrypt a body.
function M.seal(aes, key, iv, text)
  return assert(aes.encrypt(key, iv, M.pad(text)))
end

--- Decrypt a body.
-- @treturn string|nil nil: another key or vector
function M.open(aes, key, iv, bytes)
  local text = aes.decrypt(key, iv, bytes)
  return text and M.unpad(text)
end

--- The key of the bodies of one device.
-- @tparam function md5 text -> hex
-- @tparam string mac "aa:bb:cc:dd:ee:ff"
-- @tparam string device_key from the cloud
function M.body_key(md5, mac, device_key)
  return md5(mac:sub(-8) .. device_key .. "iotqly"):sub(1, BLOCK):lower()
end

local function product_text(product, rand) return (">I4I4"):pack(product, rand) end

--- `product_sign` of a log-in.
function M.product_sign(aes, product_key, iv, product, rand)
  return base64.encode(M.seal(aes, product_key, iv, product_text(product, rand)))
end

--- The vector that a product's signature was made with.
-- @treturn string|nil nil: not a signature
function M.learn_iv(aes, product_key, signature, product, rand)
  local bytes = type(signature) == "string" and #signature == SIGNATURE and base64.decode(signature)
  if not bytes or #bytes ~= BLOCK then return nil end
  local xored, clear = aes.decrypt(product_key, ("\0"):rep(BLOCK), bytes), M.pad(product_text(product, rand))
  local iv = {}
  for i = 1, BLOCK do iv[i] = string.char(xored:byte(i) ~ clear:byte(i)) end
  return table.concat(iv)
end

--- `dev_sign` of a log-in.
function M.device_sign(aes, device_key, iv, id, rand)
  return base64.encode(M.seal(aes, device_key, iv, id:sub(1, ID) .. ("\0"):rep(ID - #id) .. (">I4"):pack(rand)))
end

--- A device's key as the cloud sends it.
function M.wrap_key(aes, product_key, iv, device_key)
  return base64.encode(M.seal(aes, product_key, iv, device_key))
end

--- @treturn string|nil nil: not a key for this product
function M.unwrap_key(aes, product_key, iv, text)
  local bytes = type(text) == "string" and #text <= 136 and base64.decode(text)
  local key = bytes and #bytes > 0 and M.open(aes, product_key, iv, bytes)
  return key and #key == BLOCK and key or nil
end

return M
