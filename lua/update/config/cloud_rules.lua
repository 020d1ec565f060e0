--- What the fields of a cloud have to do with each other.
--
-- Pure; update.config checks each field by itself before.
--
-- @module update.config.cloud_rules

local registry = require "update.cloud.registry"

local M = {}

local function wrong_tls(tls, field)
  if not tls then return nil end
  if (tls.cert == nil) == (tls.key == nil) then return nil end
  return field .. "tls.cert and tls.key are given together or not at all"
end

-- What a cloud that is asked needs, and one that pushes.
local needs = {}

function needs.http(cloud, field)
  if not cloud.url then return ("field %surl is missing: address to ask"):format(field) end
end

function needs.mqtt(cloud, field, dialect)
  if not cloud.product then return ("field %sproduct is missing: productKey or productId"):format(field) end
  local certified = dialect.traits.certificate and cloud.tls and cloud.tls.cert
  local none = cloud.secret == nil and cloud.secret_file == nil
  if none and not certified or cloud.secret and cloud.secret_file then
    return ("one of the fields %ssecret and %ssecret_file is needed"):format(field, field)
  end
  if cloud.name and (cloud.name:find("[^%w._-]") or cloud.name:sub(1, 1) == ".") then
    return ("field %sname must be of letters, digits, dot, - and _"):format(field)
  end
  return wrong_tls(cloud.tls, field)
end

function needs.call() end

--- What does not fit together in one cloud.
-- @tparam table cloud each field checked
-- @tparam string field prefix of its fields in messages
-- @treturn string|nil
function M.wrong(cloud, field)
  local dialect = registry.of(cloud.kind)
  for _, row in ipairs(registry.fields) do
    if cloud[row.name] ~= nil and not registry.takes(row, cloud.kind) then
      return ("field %s%s is not for a cloud of kind %q"):format(field, row.name, cloud.kind)
    elseif row.needed and registry.takes(row, cloud.kind) and cloud[row.name] == nil then
      return ("field %s%s is missing: %s"):format(field, row.name, row.meaning)
    end
  end
  return needs[dialect.over](cloud, field, dialect) or dialect.wrong and dialect.wrong(cloud, field)
end

--- What does not fit together in the clouds of a configuration.
-- @tparam table config with `cloud` or `clouds`, each checked
-- @treturn string|nil
function M.wrong_together(config)
  if config.cloud and config.clouds then return "cloud and clouds are both given; use one of them" end
  local seen, called = {}, nil
  for _, cloud in ipairs(config.clouds or {}) do
    local name = cloud.name or cloud.kind
    if registry.is_called(cloud) then
      if called then return "two clouds are of kind \"terminal\"; only one is possible" end
      called = true
    end
    if seen[name] and registry.is_mqtt(cloud) then
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
  if registry.is_mqtt(cloud) then cloud.device = cloud.device or config.id end
end

--- The name of a cloud that pushes over MQTT, if there is one.
function M.pushing(config)
  for _, cloud in ipairs(config.clouds) do
    if registry.is_mqtt(cloud) then return cloud.name end
  end
end

--- Whether the file of the configuration itself holds a secret.
function M.holds_secret(config)
  for _, cloud in ipairs(config.clouds) do
    for _, field in ipairs(registry.fields) do
      if field.secret and cloud[field.name] then return true end
    end
  end
  return false
end

return M
