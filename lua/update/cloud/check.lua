--- Whether any cloud of the configuration has an update for this device.
--
-- Pure.
--
-- @module update.cloud.check

local http_place = require "update.cloud.http_place"

local M = {}

--- Ask every cloud in turn; the first valid offer wins.
-- @tparam table config of update.config
-- @tparam table engine update.engine
-- @tparam table facts of the running pair
-- @tparam[opt] function offered (name of a cloud) -> place of an offer that it has pushed; nil: it does not push; nil,
--   message, code: it has pushed none
-- @treturn table|nil verdict of engine:inspect() and `cloud` | nil, message,
--   code: "nothing" if no cloud has an update, else the first cloud's failure
function M.all(config, engine, facts, offered)
  if #config.clouds == 0 then
    return nil, "no cloud is configured; name one in the configuration, or use `moult install PKG`", "usage"
  end
  local failed
  for _, cloud in ipairs(config.clouds) do
    local place, verdict, message, code
    if offered then place, message, code = offered(cloud.name) end
    if not place and not code then
      place, message, code = http_place.of(config, cloud, facts)
      place = place and http_place.not_waiting(place)
    end
    if place then verdict, message, code = engine:inspect(place) end
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
