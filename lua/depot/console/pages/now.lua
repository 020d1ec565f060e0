--- The first page: what needs a person, what is under way, what the devices run, who did what.
--
-- @module depot.console.pages.now

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local rollouts = require "depot.console.pages.rollouts"

local M = {}

local h = html.h

-- Where the devices of an entry are listed.
local function where(page, item)
  local base = "/p/" .. page.product.product_key
  if item.rollout then return "/rollouts/" .. item.rollout end
  return base .. "/devices" .. (item.filter and "?filter=" .. item.filter or "")
end

local KEYS = { paused = "paused", failed = "failed", reverted = "reverted", ["not listening"] = "deaf" }

local function needs(page, items)
  if #items == 0 then return h.p { class = "good", page.t "nothing_needs" } end
  local list = {}
  for i, item in ipairs(items) do
    local key = KEYS[item.what]
    list[i] = h.li { h.a { href = where(page, item), not item.rollout and { h.strong { tostring(item.count) }, " " },
      page.t("n_" .. key) },
      item.release and { " ", frame.outside(item.release) },
      type(item.reason) == "string" and { " – ", page.t("w_" .. item.reason) },
      h.br {}, h.small { page.t("a_" .. key) } }
  end
  return h.ul { class = "needs", list }
end

local function runs(page, summary)
  local rows = {}
  for i, run in ipairs(summary.runs) do
    local release = type(run.release) == "string" and run.release or nil
    rows[i] = { frame.outside(release), h.a { href = ("/p/%s/devices"):format(page.product.product_key)
      .. (release and page.query { filter = ('release:"%s"'):format(release) } or ""), tostring(run.devices) },
      h.meter { min = 0, max = math.max(1, summary.devices), value = run.devices, ["aria-label"] = page.t "share" } }
  end
  return frame.table({ page.t "release", page.t "count", page.t "share" }, rows, page.t "runs")
end

--- The page of a product.
function M.now(page)
  local base = "/products/" .. page.product.product_key
  local attention, summary = page:need(base .. "/attention"), page:need(base .. "/summary")
  local open = {}
  for _, rollout in ipairs(page:need(base .. "/rollouts").items) do
    if rollout.state ~= "finished" and rollout.state ~= "cancelled" then open[#open + 1] = rollout end
  end
  local acts = page:ask("/audit", { limit = "10" })
  local rows = {}
  for i, act in ipairs(acts and acts.items or {}) do
    rows[i] = { frame.time(page, act.at), frame.outside(act.actor), act.verb, frame.outside(page.text(act.object)) }
  end
  page.title = page.t "now"
  page.body = {
    h.section { h.h2 { page.t "needs" }, frame.part("needs", needs(page, attention.items)) },
    h.section { h.h2 { page.t "running" }, frame.part("running", rollouts.table(page, open)) },
    h.section { h.h2 { page.t "runs" }, frame.part("runs", runs(page, summary)) },
    acts and h.section { h.h2 { page.t "audit" },
      frame.table({ page.t "time", page.t "who", page.t "what", page.t "object" }, rows, page.t "audit") } }
end

--- The page of a depot that is empty.
function M.empty(page)
  page.title = page.t "empty_title"
  page.body = { h.p { page.t "empty_1" }, h.pre { "moult keygen release\nmoult pack recipe.lua -k release.key" },
    h.p { page.t "empty_2" }, h.pre { "cp release.pub packages/keys/\nmoult depot add packages METER_1.0.1.upd" },
    h.p { page.t "empty_3" } }
end

return M
