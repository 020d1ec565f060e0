--- `moult depot events DIR`: what happened, and who did what; as a table, CSV or JSON Lines.
--
-- @module depot.actions.events

local base = require "depot.actions.base"
local csv = require "depot.csv"
local events = require "depot.store.events"
local natives = require "update.natives"
local spans = require "depot.filter"

local M = {}

local PAGE = 1000 -- rows read at once

local function time_of(ms) return os.date("!%Y-%m-%dT%H:%M:%SZ", ms // 1000) end

local function printed(row)
  local shown = {}
  for name, value in pairs(row) do shown[name] = type(value) == "string" and natives.printable.text(value) or value end
  shown.at = time_of(row.at)
  return shown
end

local function object_of(row)
  local object, shown = {}, printed(row)
  for _, name in ipairs(events.fields) do object[name] = shown[name] == nil and natives.json.null or shown[name] end
  object.hash, object.product_key = nil, object.hash
  return object
end

local WHO = { "actor", "device" }

local function table_line(row)
  local shown, who = printed(row), ""
  for _, name in ipairs(WHO) do who = shown[name] or who end
  local text = table.concat({ shown.release or "", shown.code or "", shown.text or "" }, " "):gsub("^ +", "")
  return ("%-20s %-18.18s %-12.12s %.27s"):format(shown.at, who, shown.what, text)
end

local FORMS = {
  table = { head = ("%-20s %-18s %-12s %s"):format("TIME", "WHO", "WHAT", ""), line = table_line },
  csv = { head = csv.head(events.fields),
    line = function(row) return csv.line(printed(row), events.fields) end },
  jsonl = { line = function(row) return natives.json.encode(object_of(row)) end },
}

--- How events are written: {[name] = {head (a line, or nil), line = function(row)}}.
M.forms = FORMS

local function run(context)
  local opts, env = context.opts, context.env
  local form = FORMS[opts.format or env.json and "jsonl" or "table"]
  local which = { product = opts.product }
  if opts.device then
    if #opts.device > 1 then return nil, "events are shown of one --device, or of all", "usage" end
    which.device = opts.device[1]
  end
  if opts.since then
    local span, expected = spans.span(opts.since)
    if not span then return nil, ("--since %s: expected %s"):format(opts.since, expected), "usage" end
    which.since = base.now() - span
  end
  if form.head then env.out(form.head) end
  repeat
    local rows, message, code = context.store:events(which, PAGE)
    if not rows then return nil, message, code end
    for _, row in ipairs(rows) do env.out(form.line(row)) end
    which.after = rows[1] and rows[#rows].id
  until #rows < PAGE
  return 0
end

function M.run(context)
  local served, message, code = base.needs_store(context)
  if not served then return nil, message, code end
  return base.within(context, run)
end

return M
