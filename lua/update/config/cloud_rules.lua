--- What the fields of a cloud have to do with each other.
--
-- Pure; update.config checks each field by itself before.
--
-- @module update.config.cloud_rules

local M = {}

-- What belongs to one kind of cloud alone; what all of a kind need.
local ONLY = {
  url = { luat = true }, redirect = { luat = true }, module = { aliyun = true },
  product = { aliyun = true, tencent = true }, device = { aliyun = true, tencent = true },
  secret = { aliyun = true, tencent = true }, secret_file = { aliyun = true, tencent = true },
  host = { aliyun = true, tencent = true }, port = { aliyun = true, tencent = true },
  tls = { aliyun = true, tencent = true },
}

local function wrong_tls(tls, field)
  if not tls then return nil end
  if (tls.cert == nil) == (tls.key == nil) then return nil end
  return field .. "tls.cert and tls.key are given together or not at all"
end

local function wrong_cloud(cloud, field)
  for name, kinds in pairs(ONLY) do
    if cloud[name] and not kinds[cloud.kind] then
      return ("field %s%s is not for a cloud of kind %q"):format(field, name, cloud.kind)
    end
  end
  if cloud.kind == "luat" then
    if not cloud.url then return ("field %surl is missing: address to ask"):format(field) end
    return nil
  end
  if not cloud.product then return ("field %sproduct is missing: productKey or productId"):format(field) end
  local certified = cloud.kind == "tencent" and cloud.tls and cloud.tls.cert
  local none = cloud.secret == nil and cloud.secret_file == nil
  if none and not certified or cloud.secret and cloud.secret_file then
    return ("one of the fields %ssecret and %ssecret_file is needed"):format(field, field)
  end
  if cloud.name and (cloud.name:find("[^%w._-]") or cloud.name:sub(1, 1) == ".") then
    return ("field %sname must be of letters, digits, dot, - and _"):format(field)
  end
  return wrong_tls(cloud.tls, field)
end

--- What does not fit together in the clouds of a configuration.
-- @tparam table config with `cloud` or `clouds`, each field checked
-- @treturn string|nil
function M.wrong(config)
  if config.cloud and config.clouds then return "cloud and clouds are both given; use one of them" end
  if config.cloud then return wrong_cloud(config.cloud, "cloud.") end
  local seen = {}
  for i, cloud in ipairs(config.clouds or {}) do
    local wrong = wrong_cloud(cloud, ("clouds[%d]."):format(i))
    if wrong then return wrong end
    local name = cloud.name or cloud.kind
    if seen[name] and M.is_mqtt(cloud) then
      return ("two clouds have the name %s; give them others"):format(name)
    end
    seen[name] = true
  end
end

--- Fill in what a cloud takes from the rest of the configuration.
-- @tparam table cloud changed
-- @tparam table config
function M.complete(cloud, config)
  cloud.name = cloud.name or cloud.kind
  cloud.ca_file = cloud.ca_file or config.ca_file
  cloud.proxy = cloud.proxy or config.proxy
  if M.is_mqtt(cloud) then
    cloud.device = cloud.device or config.id
    cloud.redirect = nil
  end
end

--- Whether a cloud pushes over MQTT rather than being polled.
function M.is_mqtt(cloud)
  return cloud.kind ~= "luat"
end

--- Whether the file of the configuration itself holds a secret.
function M.holds_secret(config)
  for _, cloud in ipairs(config.clouds) do
    if cloud.secret then return true end
  end
  return false
end

return M
