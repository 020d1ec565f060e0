--- The dialects that are spoken over MQTT, and what is particular about each.
--
-- Pure. A dialect has topics(), subscriptions(), parse_topic(), connection(),
-- decode(), encode(), refusal() and numbers; see update.cloud.aliyun.
--
-- @module update.cloud.mqtt_dialects

local M = {
  aliyun = require "update.cloud.aliyun",
  tencent = require "update.cloud.tencent",
}

--- What update.cloud.mqtt_session is told about a cloud of this kind.
-- @tparam string kind
-- @treturn table waits, burning, done
function M.traits(kind)
  local tencent = kind == "tencent"
  return { waits = tencent, burning = tencent, done = tencent }
end

return M
