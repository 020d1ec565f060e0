--- Lists a page at a time.
--
-- @module depot.api.pages

local ids = require "depot.api.ids"
local jobs = require "depot.jobs"

local M = {}

--- Rows of a page, unless the request says.
M.LIMIT = 100

--- Rules of the arguments of lists.
M.limit = { type = "integer", least = 1, most = 1000, about = "rows at most (100)" }
M.cursor = { type = "string", most = 4096, about = "`next` of the page before" }
M.state = { type = "string", one_of = jobs.STATES, about = "only jobs in this state" }
M.numbered = { cursor = { type = "integer", about = "`next` of the page before" }, limit = M.limit }

--- A page of rows with rising or falling numbers.
-- @tparam table call
-- @tparam {table,...} items with id
-- @tparam integer limit
function M.of(call, items, limit)
  local last = #items == limit and items[#items].id
  return { items = call.json.array(items), next = last or call.json.null }
end

--- The failure of a cursor that no page gave.
function M.bad_cursor() return nil, "the cursor is not one of this list; begin without it", "usage", "cursor" end

--- The device after which a page begins.
-- @treturn table|false|nil cloud, product, device; false: it is the first page; nil, message, code, field
function M.after(call)
  if not call.args.cursor then return false end
  local after = ids.read(call.args.cursor)
  if after then return after end
  return M.bad_cursor()
end

--- A page of devices.
-- @tparam table call
-- @tparam {table,...} rows
-- @tparam integer limit
-- @tparam function show function(call, row) -> object
function M.of_devices(call, rows, limit, show)
  local items = {}
  for i, row in ipairs(rows) do items[i] = show(call, row) end
  return { items = call.json.array(items), next = #rows == limit and ids.of(rows[limit]) or call.json.null }
end

local EVENT = { "id", "what", "cloud", "product", "device", "rollout", "actor", "release", "code", "text" }

--- An event as an object for JSON.
function M.event(call, row)
  local object = { at = row.at // 1000, product_key = row.hash or call.json.null }
  for _, name in ipairs(EVENT) do object[name] = row[name] == nil and call.json.null or row[name] end
  return object
end

--- A page of events.
function M.of_events(call, rows)
  local items = {}
  for i, row in ipairs(rows) do items[i] = M.event(call, row) end
  return M.of(call, items, call.args.limit or M.LIMIT)
end

return M
