--- The fields of a cloud that dialects share; the module of a dialect has those of its own.
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
  field("server_name", "string", "name in the server's certificate; default: host", { max = 255 }),
}

return {
  field("kind", "word", "dialect that the server speaks, built in or one of `dialects`",
    { required = true, choices = {} }), -- filled by update.cloud.registry
  field("url", "url", "luat: address to ask; required", { over = "http" }),
  field("name", "string", "name in messages and for policy; default: the kind", { max = 32 }),
  field("period", "integer", "seconds between two polls; clouds that push are asked too, since a message may be "
    .. "lost",
    { min = 1, max = 31536000, default = 14400 }),
  field("redirect", "boolean", "luat: ask the server for a link to the package, so that an update takes one query; "
    .. "false: ask for the package itself", { over = "http" }),
  field("ca_file", "path", "certificates to trust for https; default: `ca_file` of the configuration"),
  field("proxy", "url", "proxy for https and http; default: `proxy` of the configuration"),
  field("product", "topic", "the vendor's productKey (aliyun) or productId (tencent), "
    .. "or product id (qinglian)", { max = 64, over = "mqtt" }),
  field("device", "topic", "the vendor's deviceName, or the MAC (qinglian); default: "
    .. "the `id`", { max = 64, over = "mqtt" }),
  field("secret", "string", "device secret (aliyun), device key in base64 (tencent), or product key (qinglian). The "
    .. "configuration must then have mode 0600", { max = 256, over = "mqtt", secret = true }),
  field("secret_file", "path", "file with the secret instead, mode 0600; tencent with tls.cert needs "
    .. "neither", { over = "mqtt" }),
  field("host", "host", "MQTT broker; default: the vendor's, derived from the product. qinglian: the server that "
    .. "names the broker; required", { max = 255, over = "mqtt" }),
  field("port", "integer", "port of the broker; default: 1883, for tencent with tls 8883. qinglian: of that server; "
    .. "default: 8990",
    { min = 1, max = 65535, over = "mqtt" }),
  field("tls", "table", "use TLS for MQTT; {} takes every default. For tencent device and server then identify each "
    .. "other by the device's key (TLS-PSK), without certificates, unless `ca`, `cert` or `server_name` is given. "
    .. "qinglian: also for the server that names the broker, and instead of encrypted bodies",
    { fields = tls, over = "mqtt" }),
}
