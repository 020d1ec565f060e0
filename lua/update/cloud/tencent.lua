--- The Tencent dialect: topics, messages and credentials of Tencent Cloud IoT Hub.
--
-- Pure: decodes and encodes JSON objects, for the device's side and the cloud's.
-- Devices send numbers as strings; the cloud sends either. Source of the wire
-- facts: the vendor's C client, and captures of its messages.
--
-- @module update.cloud.tencent

local aliyun = require "update.cloud.aliyun"
local base64 = require "update.cloud.base64"
local fields = require "update.cloud.message_fields"

local M = {}

M.name, M.over = "tencent", "mqtt"

--- The cloud answers reports of the version, expects reports of flashing and of its end, and accepts certificates.
M.traits = { waits = true, burning = true, done = true, certificate = true }

local TEXT_MAX = 128 -- bytes of result_msg; the vendor's own client sends messages of at most 256
local USER_APP = "21010406" -- the application id of the vendor's client
local FOR_EVER = "9223372036854775807"

--- The vendor's number for each code word. Other code words are not reported.
M.numbers = {
  ok = 0, internal = -5, network = -1, missing = -2, expired = -3, corrupt = -4, untrusted = -4, incompatible = -5,
  nospace = -5, write = -5, rolledback = -5, refused = -5, statelost = -5,
}

--- The topics of one device: report and update.
function M.topics(product, device)
  return {
    report = ("$ota/report/%s/%s"):format(product, device),
    update = ("$ota/update/%s/%s"):format(product, device),
  }
end

--- The topic that a device subscribes to, with QoS.
function M.subscriptions(product, device)
  return { { M.topics(product, device).update, 1 } }
end

--- The topics that a server subscribes to.
M.filters = { "$ota/report/+/+" }

--- Which topic of which device this is.
-- @treturn string|nil kind, product, device; nil if it is not a topic of this dialect
function M.parse_topic(topic)
  local kind, product, device = topic:match("^%$ota/(%l+)/([^/]+)/([^/]+)$")
  if kind == "report" or kind == "update" then return kind, product, device end
end

--- The parameters of a device's connection. A device with a key proves itself by TLS with that key
-- (TLS-PSK) and sends no password; one with a certificate by the certificate. With a broker that has
-- a certificate itself, and without TLS, the device sends a password.
-- @tparam table o product, device, secret (base64; nil for one with a certificate), tls (table of the
--   configuration, when it is used), host and port or nil
-- @tparam table crypto hmac (function(kind, key, text) -> hex), nonce (5 letters and digits)
-- @treturn table|nil host, port, client_id, user, password or psk = {identity, key}, keepalive (seconds), clean |
--   nil, message, "usage": the secret is not base64
function M.connection(o, crypto)
  local key = o.secret and base64.decode(o.secret)
  if o.secret and not key then return nil, "the secret of a Tencent device must be base64", "usage" end
  local id = o.product .. o.device
  local user = table.concat({ id, USER_APP, crypto.nonce, FOR_EVER }, ";")
  local by_key = o.tls and not (o.tls.ca or o.tls.cert or o.tls.server_name)
  return {
    host = o.host or o.product .. ".iotcloud.tencentdevices.com",
    port = o.port or (o.tls and 8883 or 1883),
    client_id = id, user = user,
    password = key and not by_key and crypto.hmac("sha1", key, user) .. ";hmacsha1" or nil,
    psk = by_key and { identity = id, key = key } or nil,
    keepalive = 240, clean = true, -- the cloud repeats its offer after each report of the version
  }
end

local decoders = {}

function decoders.update_firmware(object)
  local offer = { version = fields.version(object.version), url = fields.url(object.url),
    size = fields.size(object.file_size), md5 = fields.digest("md5", object.md5sum) }
  for _, name in ipairs { "version", "url", "size", "md5" } do
    if not offer[name] then return nil, ("an offer whose %s is not usable"):format(name), "corrupt" end
  end
  return { kind = "offer", offer = offer }
end

function decoders.report_version_rsp(object)
  local result = fields.integer(object.result_code)
  if not result then return nil, "an answer without a result_code", "corrupt" end
  return { kind = "reply", ok = result == 0, version = fields.version(object.version),
    text = ("%s (result_code %d)"):format(fields.text(object.result_msg, TEXT_MAX), result) }
end

--- What a cloud's message means to a device.
-- @tparam string kind of topic: "update"
-- @tparam any object decoded JSON
-- @treturn table|nil {kind = "offer", offer = {version, url, size, md5}}, {kind = "reply", ok, version, text}: to the
--   report of the version, {kind = "other"}: an unknown type | nil, message, code
function M.decode(_, object)
  if type(object) ~= "table" then return nil, "a message must be a JSON object", "corrupt" end
  local decode = decoders[object.type]
  if not decode then return { kind = "other" } end
  return decode(object)
end

local states = { progress = "downloading", burning = "burning", done = "done", fail = "fail" }

--- Encode a message of a device.
-- @tparam table report kind = "version" or "ask": version (the release that runs); "progress": percent; "burning",
--   "done"; "fail": number (-5 to -1), text; these with `version`, the target's
-- @treturn string kind of topic
-- @treturn table object to send as JSON
-- @treturn integer QoS
function M.encode(report)
  local state = states[report.kind]
  if not state then
    return "report", { type = "report_version", report = { version = report.version } }, 1
  end
  local progress = { state = state, percent = report.percent and tostring(report.percent) or nil,
    result_code = tostring(report.number or 0), result_msg = fields.text(report.text, TEXT_MAX) }
  if state ~= "fail" then progress.result_msg = "" end
  return "report", { type = "report_progress", report = { progress = progress, version = report.version } },
    state == "downloading" and report.percent < 100 and 0 or 1
end

--- What a device's message means to a cloud.
-- @tparam string kind of topic: "report"
-- @tparam any object decoded JSON
-- @treturn table|nil {kind = "version", version}; {kind = "progress", percent}, {kind = "burning" | "updating" |
--   "done"}, {kind = "fail", number, text}, each with the target's version if the device gave it; {kind = "other"} |
--   nil, message, code
function M.heard(_, object)
  if type(object) ~= "table" then return nil, "a message must be a JSON object", "corrupt" end
  local report = type(object.report) == "table" and object.report or {}
  local version = fields.version(report.version)
  if object.type == "report_version" then
    if not version then return nil, "a report without a usable version", "corrupt" end
    return { kind = "version", version = version }
  elseif object.type ~= "report_progress" then
    return { kind = "other" }
  end
  local progress = type(report.progress) == "table" and report.progress or {}
  local result = fields.integer(progress.result_code) or 0
  if progress.state == "fail" or result < 0 then
    return { kind = "fail", number = result, text = fields.text(progress.result_msg, 512), version = version }
  elseif progress.state == "downloading" then
    local percent = fields.integer(progress.percent)
    if not percent or percent < 0 or percent > 101 then return nil, "invalid percentage", "corrupt" end
    return { kind = "progress", percent = math.min(100, percent), version = version }
  elseif progress.state == "burning" or progress.state == "updating" or progress.state == "done" then
    return { kind = progress.state, version = version }
  end
  return nil, "unknown state", "corrupt"
end

--- Encode an offer.
-- @tparam table offer version, url, size (bytes), md5 (hex)
-- @treturn table object to send as JSON
function M.push(offer)
  return { type = "update_firmware", file_size = offer.size, md5sum = offer.md5, url = offer.url,
    version = offer.version }
end

--- Encode the answer to a report of the version.
-- @tparam string version
-- @tparam[opt=0] integer code 0: success
-- @tparam[opt] string text
-- @treturn table object to send as JSON
function M.reply(version, code, text)
  return { type = "report_version_rsp", result_code = code or 0, result_msg = text or "success", version = version }
end

--- Why an object store refuses a link. The errors have the same names as Aliyun's.
M.refusal = aliyun.refusal

return M
