--- The options of update.native.mqtt for a cloud of the configuration: address, log-in, TLS.
--
-- @module update.cloud.mqtt_connection

local registry = require "update.cloud.registry"

local M = {}

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local function nonce(random)
  local out = {}
  for i = 1, 5 do
    local at = random(#LETTERS)
    out[i] = LETTERS:sub(at, at)
  end
  return table.concat(out)
end

local function tls_of(cloud, psk, time_floor)
  local given = cloud.tls
  if psk then return { psk_identity = psk.identity, psk = psk.key } end
  if not given then return nil end
  return { ca = given.ca or cloud.ca_file, cert = given.cert, key = given.key, server_name = given.server_name,
    time_floor = time_floor }
end

--- Options for update.native.mqtt. They contain secrets.
-- @tparam table cloud a row of config.clouds
-- @tparam table natives secret, digest
-- @tparam[opt] integer time_floor seconds since 1970: the earliest time by which certificates are checked; nil: the
--   clock alone
-- @tparam[opt] function random like math.random
-- @treturn table|nil nil, message, code: the secret cannot be read
function M.of(cloud, natives, time_floor, random)
  local secret, message, code = cloud.secret, nil, nil
  if cloud.secret_file then secret, message, code = natives.secret.read(cloud.secret_file) end
  if message then return nil, message, code end
  local device = registry.own(cloud)
  device.product, device.device, device.secret = cloud.product, cloud.device, secret
  device.tls, device.host, device.port = cloud.tls, cloud.host, cloud.port
  local connection
  connection, message, code = registry.of(cloud.kind).connection(device,
    { hmac = natives.digest.hmac, nonce = nonce(random or math.random) })
  if not connection then return nil, message, code end
  connection.tls = tls_of(cloud, connection.psk, time_floor)
  connection.psk = nil
  return connection
end

return M
