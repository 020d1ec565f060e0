--- What can be done to many devices at once: one slice of them, in one transaction.
--
-- @module depot.acts.bulk

local acts = require "depot.acts"
local devices = require "depot.acts.devices"
local jobs = require "depot.jobs"

local M = {}

local METHODS = { retry = jobs.retry, cancel = jobs.cancel }

--- {[kind] = function(world, which, data, hash) -> how many were changed; or nil, message, code}: `which` gives the
-- rows within the transaction, `data` is of the kind, `hash` of the product.
M.kinds = {}

function M.kinds.tag(world, which, data) return devices.tag(world, which, data.tags) end

function M.kinds.jobs(world, which, data, hash)
  local act = { verb = "job." .. data.act, product = hash }
  return acts.change(world, function()
    local rows, message, code = which()
    if not rows then return nil, message, code end
    local count = 0
    for _, row in ipairs(rows) do
      if METHODS[data.act](row, acts.now()) then
        local ok
        ok, message, code = world.store:put(row)
        if not ok then return nil, message, code end
        count = count + 1
      end
    end
    act.idle, act.object = count == 0, ("%d devices"):format(count)
    return count
  end, act)
end

return M
