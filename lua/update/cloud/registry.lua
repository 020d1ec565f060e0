--- Clouds of the configuration as places to look for a package.
--
-- Pure: a dialect says what to ask and what an answer means; the engine and
-- the agent own sockets, timers and retries.
--
-- @module update.cloud.registry

local luat = require "update.cloud.luat"
local luat_session = require "update.cloud.luat_session"

local M = {}

-- A link that a cloud gave speaks no dialect: its refusals mean that it is no
-- longer good, and the cloud is asked for another.
local EXPIRED = { [401] = true, [403] = true, [404] = true, [410] = true }

--- What a Luat device says of itself.
-- @tparam table config of update.config
-- @tparam table facts release, version, core of the running pair
-- @treturn table device of update.cloud.luat
function M.luat_device(config, facts)
  return {
    project = config.project, product_key = config.product_key_text, id = config.id,
    version = facts.version or facts.release, core = facts.core,
  }
end

--- Where a Luat server may have a package for this device.
-- @tparam table config of update.config
-- @tparam table cloud url, redirect, name, ca_file, proxy
-- @tparam table facts of the running pair
-- @tparam[opt] string link to use untouched instead of the query
-- @tparam[opt] boolean full ask for no delta
-- @treturn table|nil where, for update.engine | nil, message, code
function M.luat(config, cloud, facts, link, full)
  local request, message, code = luat.request(M.luat_device(config, facts),
    { url = cloud.url, redirect = cloud.redirect, full = full })
  if not request then return nil, message, code end
  local query = request.url
  local where = {
    cloud = cloud.name or "luat", location = link or query,
    http = { ca_file = cloud.ca_file, proxy = cloud.proxy, max_redirects = 0 },
  }
  function where.renew()
    return query
  end
  -- A URL that is used untouched asks nothing that could be put otherwise.
  if facts.core and not full and query:find("[?&]dfota=1&") then
    where.hoped = true
    function where.full()
      return M.luat(config, cloud, facts, nil, true)
    end
  end
  function where.answered(answer)
    if where.location ~= query and EXPIRED[answer.status] then
      return nil, ("the link is no longer good (HTTP %d)"):format(answer.status), "expired"
    end
    local said, why, word = luat.decode(answer)
    if not said then return nil, ("%s: %s"):format(where.cloud, why), word end
    if said.kind == "wait" then
      return { wait = said.seconds, message = ("%s: %s"):format(where.cloud, said.message) }
    elseif said.kind == "redirect" then
      return { wait = luat_session.REDIRECT_PAUSE, location = said.url }
    end
    return nil -- an object after all: what the transfer says stands
  end
  return where
end

--- Where a cloud may have a package for this device.
-- @tparam table config of update.config
-- @tparam table cloud a row of config.clouds
-- @tparam table facts of the running pair
-- @treturn table|nil where, for update.engine | nil, message, code
function M.where(config, cloud, facts)
  if cloud.kind == "luat" then
    -- The platform counts questions, six a day; the ranges of a package come from a link.
    return M.luat(config, setmetatable({ redirect = cloud.redirect ~= false }, { __index = cloud }), facts)
  end
  return nil, ("cloud %s: pushes its offers to the agent; none is waiting"):format(cloud.name), "nothing"
end

--- Put a function in front of what a dialect says of answers, also those about the full package.
-- @tparam table where changed
-- @tparam function answered(advice, message, code) -> the same, or others
function M.intercept(where, answered)
  local meaning, full = where.answered, where.full
  if not meaning then return end
  function where.answered(answer) return answered(meaning(answer)) end
  if not full then return end
  function where.full()
    local other = full()
    if other then M.intercept(other, answered) end
    return other
  end
end

--- Do not wait for a package that is still being made: "busy", and where.later
-- says in how many seconds to ask again.
function M.come_back_later(where)
  M.intercept(where, function(advice, why, code)
    if not advice or advice.location then return advice, why, code end
    where.later = advice.wait
    return nil, advice.message, "busy"
  end)
end

--- Bytes from the front that tell whether an answer is a package.
M.PACKAGE_START = 512

--- Whether an answer proves that the cloud itself was reached: a portal's login
-- page, a proxy's complaint or a bare web server proves nothing.
-- @tparam integer|nil status HTTP
-- @tparam[opt] string body the front of it
function M.reached(status, body)
  return status ~= nil and luat.recognises { status = status, body = body }
end

--- Ask every cloud in turn; the first valid offer wins.
-- @tparam table config of update.config
-- @tparam table engine update.engine
-- @tparam table facts of the running pair
-- @tparam[opt] function offered (name of a cloud) -> where, of an offer that was pushed; nil: it does not push; nil,
--   message, code: it has none
-- @treturn table|nil verdict of engine:inspect() and `cloud` | nil, message,
--   code: "nothing" when no cloud has anything, else the first cloud's failure
function M.check(config, engine, facts, offered)
  if #config.clouds == 0 then
    return nil, "no cloud is configured; name one in the configuration, or use `moult install PKG`", "usage"
  end
  local failed
  for _, cloud in ipairs(config.clouds) do
    local where, verdict, message, code
    if offered then where, message, code = offered(cloud.name) end
    if not where and not code then
      where, message, code = M.where(config, cloud, facts)
      if where then M.come_back_later(where) end
    end
    if where then verdict, message, code = engine:inspect(where) end
    if verdict then
      verdict.cloud = cloud.name
      return verdict
    elseif not failed or failed[2] == "nothing" then
      failed = { message, code }
    end
  end
  return nil, failed[1], failed[2]
end

return M
