--- Where a cloud over HTTP may have a package, as a place for update.engine.
--
-- Pure: a dialect builds the question and reads the answer. The engine and the
-- agent own sockets, timers and retries.
--
-- @module update.cloud.http_place

local registry = require "update.cloud.registry"

local M = {}

-- The server behind a link speaks no dialect. These statuses mean that the link
-- is no longer valid, and the cloud is asked for another.
local EXPIRED = { [401] = true, [403] = true, [404] = true, [410] = true }

-- A device that takes files and has none yet says so, or it would be offered none.
local NO_FILES = { version = "0" }

-- The device as dialects know it.
local function device_of(config, facts)
  return {
    project = config.project, product_key = config.product_key_text, id = config.id,
    version = facts.version or facts.release, core = facts.core,
    files = facts.files or config.files and NO_FILES,
  }
end

-- The answer of a cloud, in the form of update.engine.retry.
local function answered(dialect, name, query, answer, location)
  if location ~= query and EXPIRED[answer.status] then
    return nil, ("the link has expired (HTTP %d)"):format(answer.status), "expired"
  end
  local said, why, word = dialect.decode(answer)
  if not said then return nil, ("%s: %s"):format(name, why), word end
  if said.kind == "wait" then
    return { wait = said.seconds, message = ("%s: %s"):format(name, said.message) }
  elseif said.kind == "redirect" then
    return { location = said.url }
  end
  return nil -- a package after all: the error of the transfer stands
end

--- The place behind one question.
-- @tparam table config of update.config
-- @tparam table cloud kind, name, url, redirect (boolean), ca_file, proxy, fields of the dialect
-- @tparam table facts of the running pair
-- @tparam[opt] table o link (used unchanged instead of the question), full (boolean: ask for the full package)
-- @treturn table|nil place, for update.engine | nil, message, code
function M.ask(config, cloud, facts, o)
  o = o or {}
  local dialect, options = registry.of(cloud.kind), registry.own(cloud)
  options.url, options.redirect, options.full = cloud.url, cloud.redirect, o.full
  local request, message, code = dialect.request(device_of(config, facts), options)
  if not request then return nil, message, code end
  local query, name = request.url, cloud.name or cloud.kind
  local place = {
    cloud = name, location = o.link or query, hoped = request.delta,
    http = { ca_file = cloud.ca_file, proxy = cloud.proxy, max_redirects = 0 },
    headers = function(location) return location == query and request.headers or nil end,
    question = function(location) return dialect.in_body == true and location == query end,
    renew = function() return query end,
    answered = function(answer, location) return answered(dialect, name, query, answer, location) end,
  }
  if request.delta then
    function place.full() return M.ask(config, cloud, facts, { full = true }) end
  end
  return place
end

--- Where a cloud of the configuration may have a package for this device.
-- @tparam table config of update.config
-- @tparam table cloud a row of config.clouds
-- @tparam table facts of the running pair
-- @treturn table|nil place, for update.engine | nil, message, code
function M.of(config, cloud, facts)
  if registry.is_mqtt(cloud) then
    return nil, ("cloud %s: no offer is waiting; it pushes offers to the agent"):format(cloud.name), "nothing"
  end
  if registry.is_called(cloud) then
    return nil, ("cloud %s: updates begin only when the application calls"):format(cloud.name), "nothing"
  end
  -- A platform may limit questions (Luat's: six a day), so the ranges of a package are fetched by a link.
  return M.ask(config, setmetatable({ redirect = cloud.redirect ~= false }, { __index = cloud }), facts)
end

--- The same place, with a filter on what its dialect makes of answers, also for the full package.
-- @tparam table place
-- @tparam function heard(advice, message, code) -> advice, message, code
-- @treturn table place
function M.intercept(place, heard)
  local other = {}
  for name, value in pairs(place) do other[name] = value end
  local full = place.full
  function other.answered(...) return heard(place.answered(...)) end
  if full then
    function other.full()
      local found, message, code = full()
      if not found then return nil, message, code end
      return M.intercept(found, heard)
    end
  end
  return other
end

--- The same place for a caller that does not wait. If the package is still being made the answer is "busy", with the
-- seconds after which to ask again.
-- @tparam table place
-- @treturn table place
function M.not_waiting(place)
  return M.intercept(place, function(advice, why, code)
    if not advice or advice.location then return advice, why, code end
    return nil, advice.message, "busy", advice.wait
  end)
end

local PACKAGE = "manifest.json\0" -- the name of the first member in the tar

--- Bytes from the front that tell whether an answer is a package.
M.PACKAGE_START = 512

--- The question without the data of the device, if the dialect has such a form.
-- @tparam table cloud
-- @tparam string location of its place
function M.bare(cloud, location)
  local bare = registry.of(cloud.kind).bare
  return bare and bare(location) or location
end

--- Whether an answer proves that the cloud itself was reached: the front of a package, or a refusal in the form of its
-- dialect. The login page of a portal, an error of a proxy or any other web page proves nothing.
-- @tparam table cloud
-- @tparam integer|nil status HTTP
-- @tparam[opt] string body the front of it
function M.reached(cloud, status, body)
  if not status then return false end
  local dialect = registry.of(cloud.kind)
  if not dialect.in_body and (status == 200 or status == 206) then
    return body ~= nil and body:sub(1, #PACKAGE) == PACKAGE
  end
  return dialect.recognises { status = status, body = body } == true
end

return M
