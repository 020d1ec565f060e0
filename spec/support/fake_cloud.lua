--- The other side of the conversation, for specs: hears what a device says over a
-- real broker, and pushes what the spec tells it.
--
-- It knows nothing of the dialects under test: topics and texts are written out.
--
-- @module spec.support.fake_cloud

local json = require "update.native.json"
local loop_native = require "update.native.loop"
local mqtt = require "update.native.mqtt"

local M = {}

local PATIENCE = 20 -- seconds

local Cloud = {}
Cloud.__index = Cloud

--- Connect to a broker (spec.support.broker) and wait until it listens.
-- @tparam table o filters (array), answers (boolean: a Tencent report of the version is answered)
function M.new(broker, o)
  local self = setmetatable({ heard = {}, answers = o.answers, subscribed = 0 }, Cloud)
  self.mqtt = assert(mqtt.open { host = broker.host, port = broker.port, client_id = "cloud", back_off_max = 1,
    clean = false })
  for _, filter in ipairs(o.filters) do assert(self.mqtt:subscribe(filter, 1)) end
  self.loop = assert(loop_native.new())
  local till = loop_native.now() + PATIENCE
  while self.subscribed < #o.filters do
    assert(loop_native.now() < till, "the broker does not answer the cloud")
    self.loop:poll(20)
    self:step()
  end
  return self
end

local function answer(self, topic, object)
  local version = object.type == "report_version" and object.report.version
  if not version or not self.answers then return end
  self:push(topic:gsub("^%$ota/report/", "$ota/update/"), ('{"result_code":0,"result_msg":"success",'
    .. '"type":"report_version_rsp","version":%q}'):format(version))
end

--- Take what has come.
function Cloud:step()
  for event in self.mqtt.step, self.mqtt do
    if event.kind == "subscribed" then
      self.subscribed = self.subscribed + 1
    elseif event.kind == "message" then
      local object = json.decode(event.payload)
      self.heard[#self.heard + 1] = { topic = event.topic, text = event.payload, object = object }
      if object then answer(self, event.topic, object) end
    end
  end
end

--- Say something, QoS 1.
function Cloud:push(topic, text, retain)
  assert(self.mqtt:publish(topic, text, 1, retain))
  self:step()
end

--- What was heard, a line each: `line(message)` makes it, nil leaves it out.
function Cloud:lines(line)
  self:step()
  local list = {}
  for _, message in ipairs(self.heard) do
    local text = line(message)
    if text then list[#list + 1] = text end
  end
  return list
end

function Cloud:close()
  self.mqtt:close()
  self.loop:close()
end

return M
