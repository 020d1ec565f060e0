--- Pages of events and of the audit.
--
-- @module depot.console.pages.records

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

function M.events(page)
  local found = page:need("/events", { product = page.product.product_key, cursor = page.args.cursor })
  local rows = {}
  for i, event in ipairs(found.items) do
    rows[i] = { frame.time(page, event.at), frame.outside(page.text(event.device) or page.text(event.actor)),
      page.t("s_" .. event.what), frame.outside(page.text(event.release)),
      { frame.outside(page.text(event.text) or page.text(event.code)), page.number(event.rollout)
        and { " ", h.a { href = "/rollouts/" .. event.rollout, page.t "rollout", (" %d"):format(event.rollout) } } } }
  end
  page.title = page.t "events"
  page.body = { frame.table({ page.t "time", page.t "who", page.t "what", page.t "release", page.t "details" }, rows,
    page.t "events"), frame.next_page(page, page.number(found.next)),
    h.p { h.a { href = "/api/v1/events/export?format=csv", "CSV" }, " ",
      h.a { href = "/api/v1/events/export?format=jsonl", "JSON Lines" } } }
end

function M.audit(page)
  local found = page:need("/audit", { cursor = page.args.cursor })
  local rows = {}
  for i, act in ipairs(found.items) do
    rows[i] = { frame.time(page, act.at), frame.outside(act.actor), act.verb, frame.outside(page.text(act.object)),
      { frame.outside(page.text(act.before)), " → ", frame.outside(page.text(act.after)) } }
  end
  page.title = page.t "audit"
  page.body = { frame.table({ page.t "time", page.t "who", page.t "what", page.t "object", page.t "details" }, rows,
    page.t "audit"), frame.next_page(page, page.number(found.next)) }
end

return M
