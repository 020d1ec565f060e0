--- The callbacks of update.qinglian over whatever asks the agent.
--
-- @module update.script.qinglian_calls

local M = {}

local AGAIN = 1 -- seconds before an agent that went away is asked again

-- What is handed to each callback.
local CALLBACKS = {
  status = function(calls, news)
    if calls.iot_status_cb then calls.iot_status_cb(news.state, news.time) end
  end,
  info = function(calls, news)
    if calls.iot_ota_info_cb then calls.iot_ota_info_cb(news.name, news.version, news.size, news.crc) end
  end,
  upgrade = function(calls)
    if calls.iot_ota_upgrade_cb then calls.iot_ota_upgrade_cb() end
  end,
}

local function deliver(calls, o)
  local after
  while true do
    local news = o.ask("qinglian", { what = "wait", after = after })
    if news and news.number then
      after = news.number
      CALLBACKS[news.kind](calls, news)
    elseif not news then
      o.sys.wait(AGAIN * 1000)
    end
  end
end

--- Make them.
-- @tparam table o ask (function(verb, fields)), sys (taskInit, wait)
function M.new(o)
  local calls = {}
  function calls.iot_get_onlinetime()
    local answer = o.ask("qinglian", { what = "time" })
    return answer and answer.time or 0
  end
  o.sys.taskInit(deliver, calls, o)
  return calls
end

return M
