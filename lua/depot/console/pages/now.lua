--- The first page: what needs a person, what is under way, what the devices run, who did what.
--
-- @module depot.console.pages.now

local chart = require "depot.console.chart"
local filters = require "depot.filter"
local frame = require "depot.console.frame"
local html = require "depot.console.html"
local life = require "depot.rollout.life"
local records = require "depot.console.pages.records"
local rollouts = require "depot.console.pages.rollouts"
local uploads = require "depot.console.pages.uploads"

local M = {}

local h = html.h

local ACTS = 10 -- of people, that are shown
local DAYS = "30" -- of the picture

-- Where the devices of an entry are listed, or what it is about; false: that is not for this user.
local function where(page, item)
  local base = "/p/" .. page.product.product_key
  if item.rollout then return "/rollouts/" .. item.rollout end
  if item.id then return "/releases/" .. item.id end
  if item.what == "broker" then return base .. "/events" end
  if item.what == "webhook off" then
    return page:may("GET", ("/products/%s/webhooks"):format(page.product.product_key)) and base .. "/webhooks"
  end
  return base .. "/devices" .. page.query { filter = item.filter }
end

local KEYS = { ["not listening"] = "unheard", ["hardware unknown"] = "hardware", ["support ends"] = "support",
  ["not admitted"] = "admission", ["webhook off"] = "webhook" }

local function need(page, item)
  local key = KEYS[item.what] or item.what
  local text, since = page.text(item.text), page.number(item.since) or page.number(item.at)
  local counted = not (item.rollout or item.id or key == "broker")
  return h.li { h.a { href = where(page, item), counted and { h.strong { frame.number(item.count) }, " " },
      page.t("n_" .. key) }, page.text(item.release) and { " ", frame.outside(item.release) },
    page.text(item.reason) and { " – ", page.t("w_" .. item.reason) },
    text and { " – ", frame.outside(text) }, since and { " – ", frame.time(page, since) },
    h.br {}, h.small { page.t("a_" .. key) } }
end

local function needs(page, items)
  if #items == 0 then return h.p { class = "good", page.t "nothing_needs" } end
  local list = {}
  for i, item in ipairs(items) do list[i] = need(page, item) end
  return h.ul { class = "needs", list }
end

local function runs(page, summary)
  local rows = {}
  for i, run in ipairs(summary.runs) do
    local release = page.text(run.release)
    rows[i] = { frame.outside(release), h.a { href = ("/p/%s/devices"):format(page.product.product_key)
      .. page.query { filter = filters.term("release", release or "") }, frame.number(run.devices) },
      h.meter { min = 0, max = math.max(1, summary.devices), value = run.devices, ["aria-label"] = page.t "share" } }
  end
  return frame.table({ page.t "release", page.t "count", page.t "share" }, rows, page.t "runs")
end

local function open_rollouts(page, base)
  local open = {}
  for _, rollout in ipairs(page:need(base .. "/rollouts").items) do
    if not life.has_ended(rollout) then open[#open + 1] = rollout end
  end
  return open
end

-- How to begin: what is there already is marked.
local function begin(page, product)
  local function step(done, key, ...)
    return h.li { class = done and "good" or "", done and "✓ " or "", page.t(key), ... }
  end
  local has_releases = product ~= nil and product.releases > 0
  return h.section { h.h2 { page.t "empty_title" }, h.ol {
    step(has_releases, "empty_1", h.pre {
      "moult keygen release\nmoult pack recipe.lua -o METER_1.0.1.upd -k release.key" }),
    step(has_releases, "empty_2", h.pre {
      "cp release.pub packages/keys/\nmoult depot add packages METER_1.0.1.upd" }),
    step(false, "empty_3", h.pre {
      'cloud = { kind = "luat", url = "http://DEPOT:8080/api/site/firmware_upgrade" }' }) },
    uploads.form(page, { label = page.t "upload", hint = page.t "upload_hint", back = "/" }) }
end

--- The page of a product.
function M.now(page)
  local base = "/products/" .. page.product.product_key
  local attention, summary = page:need(base .. "/attention"), page:need(base .. "/summary", { days = DAYS })
  local acts = page:ask("/audit", { limit = "50" })
  page.title = page.t "now"
  page.body = {
    h.section { h.h2 { page.t "needs" }, frame.part("needs", needs(page, attention.items)) },
    summary.devices == 0 and begin(page, page.product),
    h.section { h.h2 { page.t "running" }, frame.part("running", rollouts.table(page, open_rollouts(page, base),
      page.t "none_under_way")) },
    h.section { h.h2 { page.t "runs" }, frame.part("runs", { chart.releases(page, summary.daily),
      runs(page, summary) }) },
    acts and h.section { h.h2 { page.t "last_acts" }, frame.part("acts", records.acts(page, acts.items, ACTS)),
      h.p { h.a { href = "/audit", page.t "audit" } } } }
end

--- The page of a depot that is empty.
function M.empty(page)
  page.title = page.t "now"
  page.body = frame.part("begin", begin(page))
end

return M
