--- What can be done to many devices at once: one slice of them, in one transaction.
--
-- @module depot.acts.bulk

local acts = require "depot.acts"
local devices = require "depot.acts.devices"
local jobs = require "depot.jobs"

local M = {}

local METHODS = { retry = jobs.retry, cancel = jobs.cancel }

--- Change jobs, within change().
-- @tparam table world
-- @tparam {table,...} rows of devices
-- @tparam function method(row, now) -> whether the row was changed
-- @treturn integer|nil how many; nil, message, code
function M.each_job(world, rows, method)
  local count, now = 0, acts.now()
  for _, row in ipairs(rows) do
    if method(row, now) then
      local ok, message, code = world.store:put(row)
      if not ok then return nil, message, code end
      count = count + 1
    end
  end
  return count
end

--- {[kind] = function(world, which, data, hash) -> how many were changed; or nil, message, code}: `which` gives the
-- rows within the transaction, `data` is of the kind, `hash` of the product.
M.kinds = {}

function M.kinds.tag(world, which, data) return devices.tag(world, which, data.tags) end

function M.kinds.jobs(world, which, data, hash)
  local act = { verb = "job." .. data.act, product = hash }
  return acts.change(world, function()
    local rows, message, code = which()
    if not rows then return nil, message, code end
    local count
    count, message, code = M.each_job(world, rows, METHODS[data.act])
    if not count then return nil, message, code end
    act.idle, act.object = count == 0, ("%d devices"):format(count)
    return count
  end, act)
end

return M
