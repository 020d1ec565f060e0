--- The Aliyun dialect: topics, messages and credentials of Alibaba Cloud IoT.
--
-- Pure: decodes and encodes JSON objects, for the device's side and the cloud's,
-- so that they agree. Generations of the vendor's clients differ in the types
-- of ids, sizes and steps and in the names of digests. This module understands
-- all of them, and its messages to devices suit all of them. Source of the wire
-- facts: the vendor's C clients 2.3 to 4.x, and captures of their messages.
--
-- @module update.cloud.aliyun

local fields = require "update.cloud.message_fields"

local M = {}

M.name, M.over = "aliyun", "mqtt"

--- Fields of the configuration besides those that all clouds have.
M.fields = {
  { name = "module", type = "topic", max = 64,
    meaning = "name of the module whose firmware this is (aliyun); default: none" },
}

--- Traits for update.cloud.mqtt_session. `calls`: scripts may drive updates by the vendor's calls.
M.traits = { waits = false, burning = false, done = false, calls = true }

local DESC_MAX = 128 -- bytes; the vendor's own client sends messages of at most 256
local MODULE_MAX = 64

--- The vendor's number for each code word. Other code words are not reported.
M.numbers = {
  ok = 100, internal = -1, network = -2, missing = -2, expired = -2, corrupt = -3, untrusted = -3,
  incompatible = -1, nospace = -4, write = -4, rolledback = -1, refused = -1, statelost = -1,
}

local templates = {
  inform = "/ota/device/inform/%s/%s",
  upgrade = "/ota/device/upgrade/%s/%s",
  progress = "/ota/device/progress/%s/%s",
  request = "/ota/device/request/%s/%s",
  get = "/sys/%s/%s/thing/ota/firmware/get",
  get_reply = "/sys/%s/%s/thing/ota/firmware/get_reply",
}

--- The topics of one device: inform, upgrade, progress, request, get, get_reply.
-- @tparam string product productKey
-- @tparam string device deviceName
-- @treturn {string=string}
function M.topics(product, device)
  local topics = {}
  for kind, template in pairs(templates) do topics[kind] = template:format(product, device) end
  return topics
end

--- The topics that a device subscribes to, with QoS.
function M.subscriptions(product, device)
  local topics = M.topics(product, device)
  return { { topics.upgrade, 1 }, { topics.request, 1 }, { topics.get_reply, 0 } }
end

--- The topics that a server subscribes to. The first level of the first one is empty.
M.filters = { "/ota/device/+/+/+", "/sys/+/+/thing/ota/firmware/get" }

--- Which topic of which device this is.
-- @tparam string topic
-- @treturn string|nil kind, product, device; nil if it is not a topic of this dialect
function M.parse_topic(topic)
  local kind, product, device = topic:match("^/ota/device/(%l+)/([^/]+)/([^/]+)$")
  if kind and templates[kind] then return kind, product, device end
  product, device, kind = topic:match("^/sys/([^/]+)/([^/]+)/thing/ota/firmware/([%l_]+)$")
  if kind and templates[kind] then return kind, product, device end
end

--- The parameters of a device's connection.
-- @tparam table o product, device, secret, tls (true if it is used), host and port or nil
-- @tparam table crypto hmac (function(kind, key, text) -> hex)
-- @treturn table host, port, client_id, user, password, keepalive (seconds), clean
function M.connection(o, crypto)
  local id, timestamp = ("%s.%s"):format(o.product, o.device), "2524608000000"
  local signed = ("clientId%sdeviceName%sproductKey%stimestamp%s"):format(id, o.device, o.product, timestamp)
  return {
    host = o.host or o.product .. ".iot-as-mqtt.cn-shanghai.aliyuncs.com",
    port = o.port or 1883,
    client_id = ("%s|timestamp=%s,_v=moult,securemode=%d,signmethod=hmacsha256,lan=C,gw=0,ext=0|"):format(id, timestamp,
      o.tls and 2 or 3),
    user = ("%s&%s"):format(o.device, o.product),
    password = crypto.hmac("sha256", o.secret, signed):upper(),
    keepalive = 120,
    clean = false, -- the broker keeps offers while the device is offline
  }
end

local function id_of(object)
  local id = fields.integer(object.id)
  return id and tostring(id) or nil
end

local methods = { md5 = "md5", sha256 = "sha256" }

-- Puts the digests of `data` into an offer; false when one of them is damaged.
local function take_digests(offer, data)
  local method = type(data.signMethod) == "string" and methods[data.signMethod:lower()]
  if data.sign ~= nil and method then
    offer[method] = fields.digest(method, data.sign)
    if not offer[method] then return false end
  end
  if data.md5 ~= nil and not offer.md5 then
    offer.md5 = fields.digest("md5", data.md5)
    return offer.md5 ~= nil
  end
  return true
end

-- The numbers that mean success. The vendor's clients ignore the number.
local FINE = { [200] = true, [1000] = true }

local function failure_of(object)
  local code = fields.integer(object.code)
  if not code or FINE[code] then return nil end
  return ("the cloud says %s (code %d)"):format(fields.text(object.message, DESC_MAX), code)
end

-- Why an offer without a link cannot be installed here; nil: it is no offer.
local function unfit(data)
  if type(data.files) == "table" then return "an offer of several files; only one file with a url is installed" end
  if data.dProtocol == "mqtt" or data.streamId ~= nil then
    return "a download over MQTT; only files with a url over HTTP are installed"
  end
end

-- The meaning of an offer for another module; nil: it is for ours.
local function elsewhere(data, module)
  local wanted = type(data.module) == "string" and data.module ~= "" and data.module or "default"
  if wanted == (module or "default") then return nil end
  return { kind = "other", why = ("ignored an offer for module %s: this device is module %s"):format(
    fields.text(wanted, MODULE_MAX), module or "default") }
end

--- What a cloud's message means to a device.
-- @tparam string kind of topic: "upgrade", "request" or "get_reply"
-- @tparam any object decoded JSON
-- @tparam[opt] table own of the configuration: module
-- @treturn table|nil {kind = "offer", offer = {version, url, size, md5, sha256, id, extra}}, {kind = "nothing"} there
--   is no update, {kind = "unfit", version, text} an offer to be refused by a report, {kind = "other"} a message of no
--   interest, such as our own echo, with `why` if the owner should know | nil, message, code
function M.decode(kind, object, own)
  local module = own and own.module
  if type(object) ~= "table" then return nil, "a message must be a JSON object", "corrupt" end
  local data = object.data
  if type(data) ~= "table" or data.url == nil then
    local wrong = type(data) == "table" and unfit(data)
    if wrong then
      return elsewhere(data, module)
        or { kind = "unfit", version = fields.version(data.version) or "?", text = wrong }
    end
    if kind == "request" then return { kind = "other" } end
    local failed = failure_of(object)
    if failed then return nil, failed, "refused" end
    if kind == "get_reply" then return { kind = "nothing" } end
    return nil, "an offer without a url", "corrupt"
  end
  local ignored = elsewhere(data, module)
  if ignored then return ignored end
  local offer = { version = fields.version(data.version), url = fields.url(data.url), size = fields.size(data.size),
    id = id_of(object), extra = type(data.extData) == "table" and data.extData or nil }
  for _, name in ipairs { "version", "url", "size" } do
    if not offer[name] then return nil, ("an offer whose %s is not usable"):format(name), "corrupt" end
  end
  if not take_digests(offer, data) then return nil, "an offer whose digest is damaged", "corrupt" end
  return { kind = "offer", offer = offer }
end

--- The kinds of reports that ask for an update, each on its topic. Today's documents have only the second, older
-- consoles know only the first. The device asks by both and takes the first answer.
M.asks = { "ask", "get" }

--- Encode a message of a device.
-- @tparam table report kind = "version": version; "ask": version; "get"; "progress": percent (0 to 100), text;
--   "fail": number (-4 to -1), text; any: module
-- @tparam integer id of the message
-- @treturn string kind of topic
-- @treturn table object to send as JSON
-- @treturn integer QoS
function M.encode(report, id)
  local params, kind, qos = { module = report.module }, report.kind, 1
  if kind == "version" or kind == "ask" then
    params.version = report.version
    kind = kind == "ask" and "request" or "inform"
  elseif kind ~= "get" then
    params.step = tostring(report.number or report.percent)
    params.desc = fields.text(report.text, DESC_MAX)
    kind, qos = "progress", (report.kind == "fail" or report.percent == 100) and 1 or 0
  end
  return kind, { id = tostring(id), params = params }, qos
end

--- What a device's message means to a cloud.
-- @tparam string kind of topic: "inform", "progress", "request" or "get"
-- @tparam any object decoded JSON
-- @treturn table|nil {kind = "version" | "request", version}, {kind = "progress", percent (0 to 100), text},
--   {kind = "fail", number (below 0), text}, {kind = "get"}, each with id and module unchanged, or
--   {kind = "other"}: our own push on the topic of requests | nil, message, code
function M.heard(kind, object)
  if type(object) ~= "table" then return nil, "a message must be a JSON object", "corrupt" end
  if kind == "request" and type(object.data) == "table" then return { kind = "other" } end
  local params = type(object.params) == "table" and object.params or {}
  if kind == "get" and object.id ~= nil and not fields.id(object.id) then
    return nil, "the id of a question must be a string of 1 to 64 characters or an integer", "corrupt"
  end
  local heard = { kind = kind, id = object.id, module = type(params.module) == "string" and params.module or nil }
  if kind == "inform" or kind == "request" then
    heard.kind = kind == "inform" and "version" or "request"
    heard.version = fields.version(params.version)
    if kind == "inform" and not heard.version then return nil, "a report without a usable version", "corrupt" end
  elseif kind == "progress" then
    local step = fields.integer(params.step)
    if not step or step < -128 or step > 100 then return nil, "invalid step", "corrupt" end
    heard.text = fields.text(params.desc, 512)
    if step < 0 then heard.kind, heard.number = "fail", step else heard.percent = step end
  end
  return heard
end

--- Encode an offer, in a form that every generation of clients accepts.
-- @tparam table offer version, url, size (bytes), md5 (hex), module
-- @tparam integer|string id of the message; in a reply the id of the question, unchanged
-- @tparam[opt] boolean reply to "get" rather than a push
-- @treturn table object to send as JSON
function M.push(offer, id, reply)
  return {
    code = reply and 200 or "1000", message = "success", id = id,
    data = { size = offer.size, version = offer.version, url = offer.url, md5 = offer.md5, sign = offer.md5,
      signMethod = "Md5", module = offer.module },
  }
end

--- Why an object store refuses a link. Links are signed and valid for half an hour.
-- @tparam table answer status, body
-- @treturn string|nil message; nil: the refusal has nothing to do with the link
function M.refusal(answer)
  local body = answer.body or ""
  local old_token = answer.status == 400 and body:find("Expired", 1, true) -- some stores answer 400
  if answer.status ~= 403 and answer.status ~= 401 and not old_token then return nil end
  if body:find("SignatureDoesNotMatch", 1, true) or body:find("InvalidAccessKeyId", 1, true) then
    return "the signature of the link is not valid: it was cut or changed on the way"
  elseif body:lower():find("expired", 1, true) then
    return "the link has expired"
  end
  return ("the server of the link refuses it (HTTP %d)"):format(answer.status)
end

return M
