--- What concerns very many devices is done in slices, each a transaction with its audit row, so that a running depot,
-- and a person who pauses a rollout, can write in between.
--
-- @module depot.acts.slices

local M = {}

local SLICE = 500 -- devices
local REST = 50   -- ms between two, for others that wait for the lock

-- The rows as they are now, within a transaction; those that were forgotten are left out.
local function as_they_are(world, rows)
  local list = {}
  for _, row in ipairs(rows) do
    local now, message, code = world.store:get(row.cloud, row.product, row.device)
    if now == nil then return nil, message, code end
    list[#list + 1] = now or nil
  end
  return list
end

--- Do something to a list, a slice at a time.
-- @tparam table world
-- @tparam array list
-- @tparam function act function(slice) -> how many were changed; or nil, message, code
-- @treturn integer|nil how many were changed; nil, message, code: the message says how many were before
function M.each(world, list, act)
  local total, loop <close> = 0, world.natives.loop.new()
  local from = 1
  repeat
    if from > 1 then loop:poll(REST) end
    local count, message, code = act(table.move(list, from, math.min(from + SLICE - 1, #list), 1, {}))
    if not count then
      return nil, total > 0 and ("%s; %d were changed before"):format(message, total) or message, code
    end
    total, from = total + count, from + SLICE
  until from > #list
  return total
end

--- Do something to devices, as each(): act(function -> rows; or nil, message, code; asked within the transaction).
-- @tparam table world
-- @tparam function act
-- @tparam {table,...}|nil rows; nil, message, code, which are returned
function M.devices(world, act, rows, message, code)
  if not rows then return nil, message, code end
  return M.each(world, rows, function(slice)
    return act(function() return as_they_are(world, slice) end)
  end)
end

return M
