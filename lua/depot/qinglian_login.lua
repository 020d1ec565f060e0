--- The log-in of devices of the Qinglian cloud at a depot.
--
-- A device's id and key are made from the depot's secret and its MAC, so they
-- need not be stored. The vendor's initialisation vector is learnt from a first
-- signature, and trusted once a second one fits.
--
-- Methods of depot.qinglian. A device is a table: mac, product, key, iv, id, token,
-- authed, release.
--
-- @module depot.qinglian_login

local cipher = require "update.cloud.qinglian_cipher"
local fields = require "update.cloud.message_fields"
local qinglian = require "update.cloud.qinglian"

local Login = {}
Login.__index = Login

local OP, ERRNO = qinglian.OP, qinglian.ERRNO

local function refuse(self, device, packet, errno, text)
  self.remarks:once("refused", ("qinglian %s: %s"):format(device.mac, text))
  return self:reply(device, packet, nil, errno)
end

function Login:_derive(what, length)
  return self.hmac("sha256", self.secret, "qinglian " .. what):sub(1, length)
end

-- The vector of a signature: the one that was learnt, or the one that follows from it; nil: the signature is wrong.
local function vector_of(self, product, key, data)
  local learnt = cipher.learn_iv(self.aes, key, data.product_sign, product, data.rand)
  local known = self.vectors[product]
  return learnt and (not known or learnt == known) and learnt or nil
end

local function fault_of(mac, product, key, data)
  if not product or not key then return ERRNO.product, "its product is not known here" end
  if data.mac ~= mac then return ERRNO.general, "it says another MAC than its topic" end
  if data.crypt_type == qinglian.CRYPT.sm4 then return ERRNO.general, "it wants SM4, which is unsupported" end
  if data.crypt_type ~= qinglian.CRYPT.aes and data.crypt_type ~= qinglian.CRYPT.ssl then
    return ERRNO.general, "it wants an unknown cipher"
  end
  local rand = fields.integer(data.rand)
  if not rand or rand < 0 or rand > 0xFFFFFFFF then return ERRNO.product, "its signature is wrong" end
end

--- 0101
function Login:register(device, packet, object, now)
  local product = qinglian.product(qinglian.part(object, "req").product_id)
  local data = qinglian.part(object, "data")
  local key = product and self.products[product]
  local errno, text = fault_of(device.mac, product, key, data)
  if errno then return refuse(self, device, packet, errno, text) end
  local iv = vector_of(self, product, key, data)
  if not iv then return refuse(self, device, packet, ERRNO.product, "its product signature is wrong") end
  device.product, device.iv, device.authed = product, iv, false
  device.enciphers = data.crypt_type == qinglian.CRYPT.aes
  device.key, device.id = self:_derive("key " .. device.mac, 16), self:_derive("id " .. device.mac, 16)
  self.logins = self.logins + 1
  device.token = self:_derive(("token %s %d %d"):format(device.mac, self.logins, now), 32)
  device.body_key = cipher.body_key(self.md5, device.mac, device.key)
  self:reply(device, packet, qinglian.registered { id = device.id,
    key = cipher.wrap_key(self.aes, key, iv, device.key) })
end

--- 0201: what it reports.
-- @treturn table|nil event for depot.job_reports
function Login:authenticate(device, packet, object, now)
  local data = qinglian.part(object, "data")
  local rand, release = fields.integer(data.rand), fields.version(data.mcu_version)
  local good = device.key and object and rand and rand >= 0 and rand <= 0xFFFFFFFF
    and data.dev_sign == cipher.device_sign(self.aes, device.key, device.iv, device.id, rand)
  if not good then return refuse(self, device, packet, ERRNO.device, "its device signature is wrong") end
  if not release then return refuse(self, device, packet, ERRNO.general, "its mcu_version is not a version") end
  self.vectors[device.product] = device.iv
  device.authed, device.release = true, release
  self:reply(device, packet, qinglian.authenticated { id = device.id, token = device.token, time = now // 1000 })
  return { kind = "version", release = release }
end

--- Whether a body has the token of its device.
function Login.is_known(_, device, object)
  if not device.authed then return false end
  local token = qinglian.part(object, "req").token or qinglian.part(object, "res").token
  return token == device.token
end

--- The opcodes that are allowed before log-in.
Login.BEFORE = { [OP.register] = true, [OP.authenticate] = true }

return Login
