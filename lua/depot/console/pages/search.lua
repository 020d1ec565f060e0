--- The page of a search: devices by name, IMEI or MAC in any spelling, or how it begins; and releases.
--
-- @module depot.console.pages.search

local devices = require "depot.console.pages.devices"
local filters = require "depot.filter"
local frame = require "depot.console.frame"
local html = require "depot.console.html"
local queries = require "depot.console.pages.queries"

local M = {}

local h = html.h

local PRODUCTS, FOUND = 20, 20 -- products that are searched, devices of each that are shown

local function releases_of(page, product, text, list)
  local found = page:ask(("/products/%s/releases"):format(product.product_key))
  for _, release in ipairs(found and found.items or {}) do
    if release.release:lower():sub(1, #text) == text:lower() then
      list[#list + 1] = h.li { h.a { href = "/releases/" .. release.id, frame.outside(product.name), " ",
        frame.outside(release.release) }, " – ", page.t("g_" .. release.stage) }
    end
  end
end

-- By the whole name, else by its beginning.
local function devices_of(page, product, text, list)
  local path = ("/products/%s/devices"):format(product.product_key)
  for _, star in ipairs { "", "*" } do
    local found = page:ask(path, { filter = filters.term("name", text .. star), limit = tostring(FOUND) })
    for _, device in ipairs(found and found.items or {}) do list[#list + 1] = device end
    if found and #found.items > 0 then return end
  end
end

function M.search(page)
  page.q = page.args.q or ""
  local text = page.q:gsub('"', ""):match "^%s*(.-)%s*$"
  local releases, found = {}, {}
  for i, product in ipairs(text ~= "" and page.products or {}) do
    if i > PRODUCTS then break end
    releases_of(page, product, text, releases)
    devices_of(page, product, text, found)
  end
  local asked = queries.section(page, text)
  page.title = page.t "find"
  page.body = { #releases > 0 and h.section { h.h2 { page.t "releases" }, h.ul { releases } },
    #found > 0 and h.section { h.h2 { page.t "devices" }, devices.table(page, found) },
    asked, #releases + #found == 0 and not asked and h.p { role = "status", page.t "nothing_found" } }
end

return M
