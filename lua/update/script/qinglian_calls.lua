--- The calls and callbacks of update.qinglian over whatever asks the agent.
--
-- @module update.script.qinglian_calls

local base64 = require "update.cloud.base64"

local M = {}

local AGAIN = 1 -- seconds before an agent that went away is asked again

-- What is handed to each callback; false: the program wants no more of a package.
local CALLBACKS = {
  chunk = function(calls, news)
    if not calls.iot_chunk_cb then return true end
    return calls.iot_chunk_cb(news.stat, news.offset, news.size, base64.decode(news.data)) == calls.ACK_OK
  end,
  status = function(calls, news)
    if calls.iot_status_cb then calls.iot_status_cb(news.state, news.time) end
  end,
  info = function(calls, news)
    if calls.iot_ota_info_cb then calls.iot_ota_info_cb(news.name, news.version, news.size, news.crc) end
  end,
  list = function(calls, news)
    local list = {}
    for i, item in ipairs(news.patches) do
      list[i] = { name = item.name, version = item.version, total_len = item.size }
    end
    local callback = calls.iot_patches_list_cb or calls.iot_patchs_list_cb
    if callback then callback(#list, list) end
  end,
  upgrade = function(calls)
    if calls.iot_ota_upgrade_cb then calls.iot_ota_upgrade_cb() end
  end,
}

local function deliver(calls, o)
  local after, refused
  while true do
    local news = o.ask("qinglian", { what = "wait", after = after, copy = calls.iot_chunk_cb ~= nil,
      refused = refused })
    if news and news.number then
      after = news.number
      refused = CALLBACKS[news.kind](calls, news) == false
    elseif not news then
      o.sys.wait(AGAIN * 1000)
    end
  end
end

-- What the SDK's own functions check. The agent is configured elsewhere, and connects by itself.
local function add_settings(calls)
  local started, set = false, false
  function calls.iot_config_info(kind, text)
    if started then return -1 end
    if kind == calls.INFO_TYPE_ENCRYPT then
      local word = tostring(text):sub(1, 3)
      return (word == "AES" or word == "SSL") and 0 or -1
    end
    return kind == calls.INFO_TYPE_SN and type(text) == "string" and #text >= 1 and #text <= 16
      and not text:find "%W" and 0 or -1
  end
  function calls.iot_start(context)
    if started or type(context) ~= "table" then return -1 end
    started = true
    return 0
  end
  function calls.iot_ota_option_set(expect, chunk, kind)
    local good = math.type(expect) == "integer" and expect >= 120 and expect <= 3600 and math.type(chunk) == "integer"
      and chunk > 0 and chunk & chunk - 1 == 0
      and (kind == calls.OTA_TYPE_BASIC or kind == calls.OTA_TYPE_BREAKPOINT)
    if set or not good then return -1 end
    set = true
    return 0
  end
end

local function value_of(o, fields)
  local result = o.ask("qinglian", fields)
  return result and result.value or -1
end

local STATES = { [0] = true, [-1] = false }

--- Make them.
-- @tparam table o ask (function(verb, fields)), sys (taskInit, wait)
function M.new(o)
  local calls = { ACK_OK = 0, ACK_ERR = -1, DEV_STA_PATCH_SUCCESS = 0, DEV_STA_PATCH_FAILED = -1,
    IOT_CHUNK_OTA = 0x00, IOT_CHUNK_PATCH = 0x10, OTA_TYPE_BASIC = 0,
    OTA_TYPE_BREAKPOINT = 1, INFO_TYPE_ENCRYPT = 0, INFO_TYPE_SN = 1 }
  add_settings(calls)
  function calls.IOT_CHUNK_TYPE(stat) return stat & 0xF0 end
  function calls.IOT_CHUNK_IS_LAST(stat) return stat & 0x0F == 1 end
  function calls.iot_patch_req(name, version)
    return value_of(o, { what = "patch_req", name = name, version = version })
  end
  function calls.iot_patch_end(name, version, state)
    if STATES[state] == nil then return -1 end
    return value_of(o, { what = "patch_end", name = name, version = version, ok = STATES[state] })
  end
  function calls.iot_get_onlinetime()
    local answer = o.ask("qinglian", { what = "time" })
    return answer and answer.time or 0
  end
  o.sys.taskInit(deliver, calls, o)
  return calls
end

return M
