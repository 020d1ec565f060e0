--- The dialects that are spoken over MQTT: a module each, and a row here.
--
-- Pure. A dialect has topics(), subscriptions(), parse_topic(), connection(),
-- decode(), encode(), refusal(), numbers, and traits for update.cloud.mqtt_session;
-- see update.cloud.aliyun.
--
-- @module update.cloud.mqtt_dialects

return {
  aliyun = require "update.cloud.aliyun",
  tencent = require "update.cloud.tencent",
}
