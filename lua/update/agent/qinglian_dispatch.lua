--- Asks the Qinglian cloud where its broker is.
--
-- @module update.agent.qinglian_dispatch

local frame = require "update.cloud.qinglian_frame"

local M = {}

local WITHIN = 2       -- seconds for each of connecting, sending and receiving
local ANSWER_MOST = 128

-- Call fn until it no longer returns "again". Returns its last results.
local function until_done(tasks, dial, fn)
  local till = tasks.now() + WITHIN
  while true do
    local result, message, code = fn()
    if code ~= "again" then return result, message end
    local left = till - tasks.now()
    if left <= 0 then return nil, ("no answer within %d s"):format(WITHIN) end
    local fd = dial:fd()
    if fd then tasks:watch({ { fd = fd, read = true } }, left) else tasks:idle(left) end
  end
end

local function exchange(tasks, dial, question, magic)
  local ok, message = until_done(tasks, dial, function() return dial:step() end)
  if not ok then return nil, message end
  local sent
  sent, message = until_done(tasks, dial, function() return dial:send(question) end)
  if not sent then return nil, message end
  local answer = ""
  repeat
    local more
    more, message = until_done(tasks, dial, function() return dial:receive() end)
    if more == nil then return nil, message end
    answer = answer .. (more or "")
    local text = frame.read_dispatch(answer, magic)
    if text then return text end
  until not more or #answer > ANSWER_MOST
  local _, why = frame.read_dispatch(answer, magic)
  return nil, why
end

--- Ask once; in a task.
-- @tparam table o natives, tasks, loop, cloud (a row of config.clouds), time_floor
-- @treturn string|nil address of the broker | nil, message
-- @treturn integer its port
function M.ask(o)
  local cloud = o.cloud
  local magic = frame.MAGIC[cloud.tls and "ssl" or "aes"]
  local ca_file = cloud.tls and (cloud.tls.ca or cloud.ca_file) or nil
  local dial <close>, message = o.natives.dial.open(o.loop, cloud.host, cloud.port or 8990,
    { tls = cloud.tls ~= nil, ca_file = ca_file, connect_timeout = WITHIN, time_floor = o.time_floor })
  if not dial then return nil, message end
  local text
  text, message = exchange(o.tasks, dial, frame.dispatch(cloud.device, magic, math.random(0, 0x7FFF)), magic)
  if not text then return nil, message end
  return frame.address(text)
end

return M
