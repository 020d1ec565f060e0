--- How rows of events and of the audit are written: as a table, CSV or JSON Lines.
--
-- @module depot.record_forms

local csv = require "depot.csv"
local events = require "depot.store.events"
local times = require "depot.times"
local natives = require "update.natives"

local M = {}

local function time_of(ms) return times.stamp(ms // 1000) end

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

--- How events are written: {[name] = {head (a line, or nil), line = function(row)}}.
M.events = {
  table = { head = ("%-20s %-18s %-12s %s"):format("TIME", "WHO", "WHAT", ""), line = table_line },
  csv = { head = csv.head(events.fields),
    line = function(row) return csv.line(printed(row), events.fields) end },
  jsonl = { line = function(row) return natives.json.encode(object_of(row)) end },
}

local TEXTS = { "actor", "address", "verb", "object", "product", "before", "after", "hash" }

--- A row of the audit as an object for JSON.
function M.audit_row(row)
  local object = { id = row.id, at = row.at // 1000 }
  for _, name in ipairs(TEXTS) do
    object[name] = row[name] and natives.printable.text(row[name]) or natives.json.null
  end
  return object
end

local FIELDS = table.move(TEXTS, 1, #TEXTS, 3, { "id", "at" })

local function audit_line(row)
  local shown = {}
  for _, name in ipairs(TEXTS) do shown[name] = row[name] and natives.printable.text(row[name]) end
  shown.id, shown.at = row.id, time_of(row.at)
  return csv.line(shown, FIELDS)
end

--- The same of the audit.
M.audit = { csv = { head = csv.head(FIELDS), line = audit_line },
  jsonl = { line = function(row) return natives.json.encode(M.audit_row(row)) end } }

return M
