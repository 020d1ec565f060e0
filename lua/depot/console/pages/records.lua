--- Pages of events and of the audit.
--
-- @module depot.console.pages.records

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

-- The same as a file.
local function exports(path)
  local base = ("/api/v1/%s/export?format="):format(path)
  return h.p { h.a { href = base .. "csv", "CSV" }, " ", h.a { href = base .. "jsonl", "JSON Lines" } }
end

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
    page.t "events"), frame.next_page(page, page.number(found.next)), exports "events",
    page:may("GET", ("/products/%s/webhooks"):format(page.product.product_key))
      and h.p { h.a { href = ("/p/%s/webhooks"):format(page.product.product_key), page.t "webhooks" } } }
end

-- What goes on by itself, or only says who is there.
local QUIET = { ["session.begin"] = true, ["session.end"] = true, ["upload.begin"] = true }

--- What people did, as a table.
-- @tparam[opt] integer most of them, and only those that changed something
function M.acts(page, items, most)
  local rows = {}
  for _, act in ipairs(items) do
    if not most or not QUIET[act.verb] and #rows < most then
      local before, after = page.text(act.before), page.text(act.after)
      local object = most and act.verb:find "^upload%." and after or page.text(act.object)
      rows[#rows + 1] = { frame.time(page, act.at), frame.outside(act.actor), page.t("d_" .. act.verb),
        frame.outside(object), not most and { before and { frame.outside(before), " → " } or "",
          after and frame.outside(after) or "" } }
    end
  end
  local heads = { page.t "time", page.t "who", page.t "what", page.t "object" }
  if not most then heads[5] = page.t "details" end
  return frame.table(heads, rows, page.t "audit")
end

function M.audit(page)
  local found = page:need("/audit", { cursor = page.args.cursor })
  page.title = page.t "audit"
  page.body = { M.acts(page, found.items), frame.next_page(page, page.number(found.next)), exports "audit" }
end

return M
