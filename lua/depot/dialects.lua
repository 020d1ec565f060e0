--- The vendors' clouds whose part the depot plays.
--
-- Pure: turns a topic and a decoded message into an event, and an offer into a
-- topic and a message. update.cloud.aliyun and update.cloud.tencent know the
-- vendors' messages. Here both get one form, so that jobs know no vendor; what
-- differs between vendors is in their rows of `clouds`.
--
-- @module depot.dialects

local aliyun = require "update.cloud.aliyun"
local tencent = require "update.cloud.tencent"

local M = {}

--- What the depot subscribes to: topic and QoS. None of the topics that it publishes on.
M.filters = {
  { "/ota/device/inform/+/+", 1 },
  { "/ota/device/progress/+/+", 1 },
  { "/ota/device/request/+/+", 1 },
  { "/sys/+/+/thing/ota/firmware/get", 1 },
  { "$ota/report/+/+", 1 },
}

local NAME_MAX = 64 -- bytes of a product's or device's name

local function is_name(text)
  return #text <= NAME_MAX and not text:find("[^\33-\126]")
end

-- A stranger's name for the log.
local function shown(text)
  local cut = text:sub(1, 2 * NAME_MAX):gsub("[^\32-\126]", function(c) return ("\\x%02X"):format(c:byte()) end)
  return cut
end

-- One row for each cloud: `speaks`, its dialect; `heard`, the topics that devices publish on; `kinds`, our names for
-- their messages; `meanings` of the numbers of failures, `words`, our code words for them, `generic`, the number of a
-- failure without a reason; `push`, the topic of offers; `link`: `failed`, the number that a device reports for an
-- expired link (Aliyun's is that of any failed download), and `reports`, whether it then reports its version by itself
-- and ignores offers until it has.
-- offer(to, offer, id, ask), answer(event) and nothing(event): see the functions of their names.
local clouds = {}

local function silent() end

clouds.aliyun = {
  speaks = aliyun, push = "upgrade", link = { failed = -2, reports = false },
  words = { [-2] = "network", [-3] = "corrupt", [-4] = "write" },
  answer = silent,
  heard = { inform = true, progress = true, request = true, get = true },
  kinds = { version = "version", request = "ask", get = "ask", progress = "progress", fail = "fail" },
  meanings = { [-1] = "the upgrade failed", [-2] = "the download failed", [-3] = "the check of the firmware failed",
    [-4] = "writing the firmware failed" },
  generic = -1,
}

function clouds.aliyun.offer(to, offer, id, ask)
  local topics = aliyun.topics(to.product, to.device)
  local full = { version = offer.version, url = offer.url, size = offer.size, md5 = offer.md5, module = to.module }
  if ask and ask.topic == "get" then
    return topics.get_reply, aliyun.push(full, ask.id == nil and "0" or ask.id, true), 1
  end
  return ask and topics.request or topics.upgrade, aliyun.push(full, id), 1
end

function clouds.aliyun.nothing(event)
  if event.topic ~= "get" then return nil end
  local id = event.id == nil and "0" or event.id
  return aliyun.topics(event.product, event.device).get_reply,
    { id = id, code = 200, message = "success", data = {} }, 1
end

clouds.tencent = {
  speaks = tencent, push = "update", link = { failed = -3, reports = true },
  words = { [-1] = "network", [-2] = "missing", [-3] = "expired", [-4] = "corrupt" },
  nothing = silent,
  heard = { report = true },
  kinds = { version = "version", progress = "progress", burning = "finished", updating = "finished", done = "finished",
    fail = "fail" },
  meanings = { [-1] = "the download timed out", [-2] = "the file is not there",
    [-3] = "the signature of the link has expired", [-4] = "the MD5 does not match", [-5] = "the upgrade failed" },
  generic = -5,
}

function clouds.tencent.offer(to, offer)
  return tencent.topics(to.product, to.device).update, tencent.push(offer), 1
end

function clouds.tencent.answer(event)
  if event.kind ~= "version" then return nil end
  return tencent.topics(event.product, event.device).update, tencent.reply(event.release), 1
end

-- Its devices are talked with in depot.qinglian, which makes events of what they say.
clouds.qinglian = {
  speaks = { parse_topic = silent }, link = { reports = true }, words = {}, answer = silent, nothing = silent,
  heard = {}, kinds = {}, meanings = {}, generic = -1,
}

-- Their devices ask over HTTP, and are given what they get in the answer: see depot.luat_jobs, depot.terminal_jobs.
clouds.luat = setmetatable({ asks = true }, { __index = clouds.qinglian })
clouds.terminal = clouds.luat

--- Whether the devices of a cloud ask, and cannot be told anything before.
function M.asks(cloud) return clouds[cloud] ~= nil and clouds[cloud].asks == true end

--- Which device a topic belongs to.
-- @treturn table|nil {cloud, product, device, topic = kind of it}; nil: not a topic that devices publish on
-- @treturn string|nil with nil: what is wrong with the device's name
function M.place(topic)
  for cloud, row in pairs(clouds) do
    local kind, product, device = row.speaks.parse_topic(topic)
    if kind and row.heard[kind] then
      if is_name(product) and is_name(device) then
        return { cloud = cloud, product = product, device = device, topic = kind }
      end
      return nil, ("%s %s/%s: a name has 1 to 64 printable ASCII characters and no space"):format(cloud,
        shown(product), shown(device))
    end
  end
end

--- What a device said.
-- @tparam table place as place() gives it
-- @tparam any object decoded JSON
-- @treturn table|nil {cloud, product, device, kind, ...}: "version": release, module; "ask": release or nil, module,
--   topic, id; "progress": percent, target; "finished": target; "fail": number (below 0), text, target. `target` is
--   the release that it is about, nil if the dialect does not tell. nil: of no interest here | nil, message, code
function M.hear(place, object)
  local cloud = clouds[place.cloud]
  local heard, message, code = cloud.speaks.heard(place.topic, object)
  if not heard then return nil, message, code end
  local kind = cloud.kinds[heard.kind]
  if not kind then return nil end
  local module = heard.module ~= "default" and heard.module ~= "" and heard.module or nil
  local event = { cloud = place.cloud, product = place.product, device = place.device, topic = place.topic, kind = kind,
    module = module, id = heard.id }
  if kind == "version" or kind == "ask" then
    event.release = heard.version
  else
    event.target = heard.version
  end
  if kind == "progress" then
    event.percent = heard.percent
  elseif kind == "fail" then
    event.number = heard.number < 0 and heard.number or cloud.generic
    event.text = heard.text ~= "" and heard.text or cloud.meanings[event.number] or "no reason given"
  end
  return event
end

--- The vendor's number for a failed upgrade without a reason.
-- @treturn integer below 0
function M.generic(cloud)
  return clouds[cloud].generic
end

--- What devices do when a link has expired.
-- @treturn table failed (the number that they report), reports (boolean: they then report their version by themselves)
function M.link(cloud)
  return clouds[cloud].link
end

--- The code word that comes nearest to a vendor's number.
function M.word(cloud, number)
  return clouds[cloud].words[number] or "internal"
end

--- The offer of a package, as the device's cloud would put it.
-- @tparam table to cloud, product, device, module
-- @tparam table offer version, url, size (bytes), md5 (hex)
-- @tparam integer id of the message
-- @tparam[opt] table ask the event that it answers; absent: a push
-- @treturn string topic
-- @treturn table object to send as JSON
-- @treturn integer QoS
function M.offer(to, offer, id, ask)
  return clouds[to.cloud].offer(to, offer, id, ask)
end

--- Where offers are pushed to a device.
-- @tparam table to cloud, product, device
-- @treturn string topic
function M.push_topic(to)
  local cloud = clouds[to.cloud]
  return cloud.speaks.topics(to.product, to.device)[cloud.push]
end

--- Whether the depot itself has subscribed to a topic. That a message there has a subscriber then proves nothing.
function M.is_ours(topic)
  local place = M.place(topic)
  return place ~= nil
end

--- The immediate answer to a message of a device, before any offer.
-- @tparam table event
-- @treturn string|nil topic; nil when the dialect answers nothing
-- @treturn table object to send as JSON
-- @treturn integer QoS
function M.answer(event)
  return clouds[event.cloud].answer(event)
end

--- The answer to a device that asked when there is nothing for it.
-- @treturn string|nil topic; nil when the dialect answers nothing then
-- @treturn table object to send as JSON
-- @treturn integer QoS
function M.nothing(event)
  return clouds[event.cloud].nothing(event)
end

return M
