--- The agent's side of update.aliyun: the calls of the vendor's SDK, from a script.
--
-- While a script holds the cloud's updates, an offer waits for its fetch_yield
-- and what is armed for its restart. If the script ends, or does not fetch within
-- ten minutes, the agent goes on by itself. A script that gives a release up three
-- times is offered it again after an hour, then later and later; after days of
-- that, the agent installs it without the script (update.agent.script).
--
-- @module update.agent.aliyun_calls

local base64 = require "update.cloud.base64"

local M = {}

local YIELD_MOST = 60 -- seconds
local LEAST, MOST = -4, 100 -- of a step

-- What the SDK's steps mean in our words.
local WORDS = { [-1] = "refused", [-2] = "network", [-3] = "corrupt", [-4] = "write" }

local calls = {}

local function listener_of(agent, request)
  for _, listener in agent:each_listener() do
    if listener:takes_calls(request.product, request.device) then return listener end
  end
end

function calls.init()
  return true
end

function calls.deinit(listener, _, peer)
  listener:let_go(peer)
  return true
end

-- Bytes of the job that is under way; what was known of an earlier one is void.
local function known_of(listener, request)
  local known = math.tointeger(request.known) or 0
  return request.job == listener:progress_of_job().job and known > 0 and known or 0
end

function calls.state(listener, request)
  if request.copy == true then listener:copied(known_of(listener, request)) end
  return listener:progress_of_job()
end

-- What is verified and was not known: nil when there is nothing yet. With `copy` the bytes themselves.
local function news_of(listener, state, known, copy)
  if not copy then return state.fetched > known and state or nil end
  local bytes, message, code = listener:copy(known)
  if not bytes then return false, message, code end
  if bytes == "" then return nil end
  state.data = base64.encode(bytes)
  return state
end

-- Waits until more is verified than was known, or it is over.
calls["yield"] = function(listener, request, _, agent)
  local tasks, copy = agent.tasks, request.copy == true
  local known, job = known_of(listener, request), listener:progress_of_job().job
  local seconds = type(request.seconds) == "number" and request.seconds or 1
  local till = tasks.now() + math.max(0, math.min(seconds, YIELD_MOST))
  while true do
    local state, left = listener:progress_of_job(), till - tasks.now()
    if state.finished or not state.fetching or state.job ~= job then return state end
    local news, message, code = news_of(listener, state, known, copy)
    if news then return news end
    if news == false then return nil, message, code end
    listener:fetch()
    if left <= 0 then return listener:progress_of_job() end
    listener:await_news(left)
  end
end

-- Only a confirmed release is ever reported; a script can learn whether that is the one it takes itself for.
function calls.version(_, request, _, agent)
  local status = agent.device:status()
  local runs = status.phase == "trial" and status.transaction and status.transaction.release
    or agent.device:facts().release
  if request.version == runs then return true end
  return nil, ("%s runs here; %s is not reported"):format(runs, tostring(request.version)), "incompatible"
end

function calls.progress(listener, request)
  local step, text = math.tointeger(request.step), type(request.text) == "string" and request.text or ""
  if not step or step < LEAST or step > MOST then
    return nil, ("a step is a whole number from %d to %d"):format(LEAST, MOST), "usage"
  end
  if not listener:progress_of_job().fetching then
    return nil, "no update is being fetched", "nothing"
  end
  if step < 0 then return listener:give_up(WORDS[step], text ~= "" and text or "the script gave it up") end
  listener:say_progress(step, text)
  return true
end

--- The verb `ota` of the control socket.
-- @tparam table agent
-- @tparam table request call, and what belongs to it
-- @tparam table peer
-- @return result | nil, message, code
function M.call(agent, request, peer)
  local call = calls[request.call]
  local listener = listener_of(agent, request)
  if not call then return nil, ("no call %q here"):format(tostring(request.call)), "usage" end
  if not listener then return nil, "no such Aliyun cloud is in the configuration", "nothing" end
  if request.call ~= "deinit" then -- also the first call to an agent that was started anew
    local ok, message, code = listener:hold(peer)
    if not ok then return nil, message, code end
  end
  return call(listener, request, peer, agent)
end

--- A connection ended.
function M.left(agent, peer)
  for _, listener in agent:each_listener() do listener:let_go(peer) end
end

return M
