--- Which page stands at which path.
--
-- @module depot.console.views

local depot = require "depot.console.pages.depot"
local devices = require "depot.console.pages.devices"
local frame = require "depot.console.frame"
local groups = require "depot.console.pages.groups"
local html = require "depot.console.html"
local hotfixes = require "depot.console.pages.hotfixes"
local now = require "depot.console.pages.now"
local people = require "depot.console.pages.people"
local records = require "depot.console.pages.records"
local releases = require "depot.console.pages.releases"
local rollouts = require "depot.console.pages.rollouts"
local search = require "depot.console.pages.search"
local uploads = require "depot.console.pages.uploads"
local webhooks = require "depot.console.pages.webhooks"

local M = {}

local h = html.h

-- The first page: of the only product, a list of them, or how to begin.
local function first(page)
  if #page.products == 0 then return now.empty(page) end
  if #page.products == 1 then return "/p/" .. page.products[1].product_key end
  local rows = {}
  for i, product in ipairs(page.products) do
    rows[i] = { h.a { href = "/p/" .. product.product_key, frame.outside(product.name) }, tostring(product.devices),
      tostring(product.releases) }
  end
  page.title = page.t "products"
  page.body = frame.table({ page.t "product", page.t "devices", page.t "releases" }, rows, page.t "products")
end

local PAGES = {
  ["/"] = first, ["/search"] = search.search, ["/settings"] = people.settings, ["/audit"] = records.audit,
  ["/depot"] = depot.depot, ["/uploads"] = uploads.list,
  ["/p/{product}"] = now.now, ["/p/{product}/devices"] = devices.list, ["/p/{product}/releases"] = releases.list,
  ["/p/{product}/groups"] = groups.list, ["/groups/{id}"] = groups.one,
  ["/p/{product}/hotfixes"] = hotfixes.list, ["/hotfixes/{id}"] = hotfixes.one,
  ["/p/{product}/rollouts"] = rollouts.list, ["/p/{product}/rollouts/new"] = rollouts.new,
  ["/p/{product}/events"] = records.events,
  ["/p/{product}/webhooks"] = webhooks.list, ["/webhooks/{id}"] = webhooks.one,
  ["/devices/{id}"] = devices.one, ["/releases/{id}"] = releases.one, ["/rollouts/{id}"] = rollouts.one,
}
-- For whoever is not logged in.
local OPEN = { ["/login"] = people.log_in, ["/once"] = people.once }

--- Rows for depot.api.router: method, path, show(page) -> nil, or where to go instead; open: without log-in.
M.list = {}
for path, show in pairs(PAGES) do M.list[#M.list + 1] = { method = "GET", path = path, show = show } end
for path, show in pairs(OPEN) do M.list[#M.list + 1] = { method = "GET", path = path, show = show, open = true } end

--- What is said when something did not work.
function M.failure(page, message, code)
  return { h.p { class = "bad", role = "alert", message or "?", code and (" (%s)"):format(code) },
    h.p { h.a { href = page.path, page.t "back" } } }
end

return M
