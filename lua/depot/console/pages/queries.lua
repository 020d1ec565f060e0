--- What queries of a device were answered, and why.
--
-- @module depot.console.pages.queries

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

local KNOWN = { [0] = true, [3] = true, [25] = true, [26] = true, [27] = true, [43] = true } -- codes with a word

-- From when till when, how often.
local function times(page, item)
  if item.count == 1 then return frame.time(page, item.last) end
  return { frame.time(page, item.first), " – ", frame.time(page, item.last), " (", frame.number(item.count), " ×)" }
end

local function table_of(page, items)
  local rows = {}
  for i, item in ipairs(items) do
    rows[i] = { times(page, item), frame.outside(item.product), frame.outside(item.release),
      { ("%d"):format(item.code), KNOWN[item.code] and { " ", page.t("q_" .. item.code) } },
      frame.outside(page.text(item.why)) }
  end
  return frame.table({ page.t "time", page.t "asked_for", page.t "runs_now", page.t "answered", page.t "why" }, rows,
    page.t "queries")
end

--- A section, if the device has asked.
-- @tparam table page
-- @tparam string device its name
-- @tparam[opt] string product hash of the product's key
-- @treturn table|boolean false: nothing is known
function M.section(page, device, product)
  local found = device ~= "" and #device <= 64 and page:ask("/queries", { device = device, product = product })
  if not found or #found.items == 0 then return false end
  return h.section { h.h2 { page.t "queries" }, h.p { page.t "queries_hint" },
    frame.part("queries", table_of(page, found.items)) }
end

return M
