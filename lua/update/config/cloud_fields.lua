--- The fields of a cloud that dialects share; what belongs to one alone stands in its module.
--
-- Pure. Rows as in update.config.fields; besides, `over`: the field is for clouds that
-- are asked over "http", or that push over "mqtt"; absent: for all. `secret`: only the
-- owner may read a configuration that has it.
--
-- @module update.config.cloud_fields

local function field(name, kind, meaning, options)
  local row = options or {}
  row.name, row.type, row.meaning = name, kind, meaning
  return row
end

local tls = {
  field("ca", "path", "certificates to trust; default: the cloud's ca_file, else the system's"),
  field("cert", "path", "certificate of this device"),
  field("key", "path", "private key of that certificate"),
  field("server_name", "string", "name that the server's certificate must carry; default: host", { max = 255 }),
}

return {
  field("kind", "word", "dialect that the server speaks, built in or one of `dialects`",
    { required = true, choices = {} }), -- filled by update.cloud.registry
  field("url", "url", "address to ask; luat, where it is needed", { over = "http" }),
  field("name", "string", "for messages and policy; default: the kind", { max = 32 }),
  field("period", "integer", "seconds between two questions, to clouds that push as well: a message may be lost",
    { min = 1, max = 31536000, default = 14400 }),
  field("redirect", "boolean", "ask the server for a link, so that one update is one question; false: for the package "
    .. "itself; luat", { over = "http" }),
  field("ca_file", "path", "certificates to trust for https, instead of the general ca_file"),
  field("proxy", "url", "proxy for https and http, instead of the general one"),
  field("product", "topic", "productKey (aliyun) or productId (tencent)", { max = 64, over = "mqtt" }),
  field("device", "topic", "deviceName (aliyun, tencent); default: the id", { max = 64, over = "mqtt" }),
  field("secret", "string", "device secret (aliyun), or device key in base64 (tencent); with it, only its owner may "
    .. "read the configuration: mode 0600", { max = 256, over = "mqtt", secret = true }),
  field("secret_file", "path", "file that holds the secret instead, mode 0600; tencent with tls.cert needs "
    .. "neither", { over = "mqtt" }),
  field("host", "string", "MQTT server; default: the vendor's, by product", { max = 255, over = "mqtt" }),
  field("port", "integer", "port of that server; default: 1883; tencent with tls: 8883",
    { min = 1, max = 65535, over = "mqtt" }),
  field("tls", "table", "speak MQTT over TLS; {} takes every default: for tencent the device's key on both ends "
    .. "(TLS-PSK), and no certificate, unless ca, cert or server_name is given", { fields = tls, over = "mqtt" }),
}
