--- Routes of what devices asked over HTTP.
--
-- @module depot.api.routes.queries

local filters = require "depot.filter"
local http_devices = require "depot.http_devices"
local may = require "depot.api.may"

local M = {}

-- Queries with a key of no product are shown to whoever sees all products.
local function is_visible(call, known, hash)
  return may.may(call.actor, "read", "viewer", known[hash] and hash or nil)
end

local function list(call)
  local known, message, code = call.world:products()
  if not known then return nil, message, code end
  local rows
  rows, message, code = http_devices.answers(call.world.natives, call.world.dir, filters.spellings(call.args.device))
  if not rows then return nil, message, code end
  local items, null, text = {}, call.json.null, call.world.natives.printable.text
  for _, row in ipairs(rows) do
    local product = known[row.hash]
    if (not call.args.product or call.args.product == row.hash) and is_visible(call, known, row.hash) then
      items[#items + 1] = { device = text(row.device), product = text(row.product),
        product_key = product and row.hash or null, release = text(row.release), code = row.code,
        why = row.why and text(row.why) or null, first = row.first, last = row.last, count = row.n }
    end
  end
  return { items = call.json.array(items), next = null }
end

M.routes = {
  { "GET", "/queries", "viewer", list, verb = "read", scope = "any",
    about = "What queries of a device over HTTP were answered, and why, the newest first; those alike are one with a "
      .. "count. `code` is the vendor's, 0 a package", query = {
      device = { type = "string", need = true, most = 64, about = "IMEI, MAC or uid in the query, in any spelling" },
      product = { type = "string", most = 64, about = "hash of a product's key" } } },
}

return M
