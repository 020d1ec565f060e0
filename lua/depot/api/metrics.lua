--- What monitoring asks: whether the process lives, whether the store answers, and figures in Prometheus' text form.
--
-- Labels are product, state and kind, never a device.
--
-- @module depot.api.metrics

local proxy = require "depot.proxy"

local M = {}

local function line(name, labels, value)
  local parts = {}
  for label, text in pairs(labels) do
    parts[#parts + 1] = ('%s="%s"'):format(label, (tostring(text):gsub('[\\"\n]', "\\%0")))
  end
  table.sort(parts)
  return ("%s%s %d"):format(name, #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or "", value)
end

--- @tparam table world of depot.api.world
-- @tparam table counts requests ({[status] = n}), streams, waiting
-- @treturn string|nil nil, message, code
function M.text(world, counts)
  local products, message, code = world:products()
  if not products then return nil, message, code end
  local printable, lines = world.natives.printable.text, {}
  for hash, product in pairs(products) do
    local name = printable(product.name, 64)
    lines[#lines + 1] = line("moult_devices", { product = name }, product.devices)
    lines[#lines + 1] = line("moult_releases", { product = name }, product.releases)
    local found
    found, message, code = world:standing(hash)
    if not found then return nil, message, code end
    for state, n in pairs(found.states) do
      lines[#lines + 1] = line("moult_jobs", { product = name, state = state }, n)
    end
  end
  for status, n in pairs(counts.requests) do
    lines[#lines + 1] = line("moult_admin_requests_total", { status = status }, n)
  end
  lines[#lines + 1] = line("moult_admin_streams", {}, counts.streams)
  lines[#lines + 1] = line("moult_admin_waiting", {}, counts.waiting)
  table.sort(lines)
  return table.concat(lines, "\n") .. "\n"
end

local PLAIN = { ["Content-Type"] = "text/plain; charset=utf-8", ["Cache-Control"] = "no-store" }

--- The paths that are answered here.
M.paths = { ["/healthz"] = true, ["/readyz"] = true, ["/metrics"] = true }

--- Answer one of them. All but the first are for this machine, or a token.
-- @tparam table api depot.api
-- @tparam table request
function M.answer(api, request)
  if request.path == "/healthz" then return api.server:reply(request.id, 200, PLAIN, "ok\n") end
  local is_local = proxy.is_trusted({}, request.client) and not request.headers["x-forwarded-for"]
  if not is_local and not api.answers.people:who(request) then
    return api.server:reply(request.id, 401, PLAIN, "a token is needed\n")
  end
  local text
  if request.path == "/readyz" then
    text = (api.depot_store or "well") == "well" and api.world.store:version() and "ok\n"
  else
    text = M.text(api.world, { requests = api.counts, streams = api.live:count(), waiting = #api.waiting })
  end
  return api.server:reply(request.id, text and 200 or 503, PLAIN, text or "the store does not answer\n")
end

return M
