--- Routes of what happened, and what needs a person.
--
-- @module depot.api.routes.records

local acts = require "depot.acts"
local attention = require "depot.acts.attention"
local daily = require "depot.store.daily"
local filters = require "depot.filter"
local forms = require "depot.record_forms"
local may = require "depot.api.may"
local objects = require "depot.api.objects"
local pages = require "depot.api.pages"
local undo = require "depot.acts.undo"

local M = {}

local DAY = 86400000 -- ms
local FOUND = 50 -- devices that a search shows

-- Only what the actor may see.
local function visible(call, rows)
  local seen = {}
  for _, row in ipairs(rows) do
    -- What concerns the whole depot is of users and settings.
    local role = not row.hash and row.what == "act" and "admin" or "viewer"
    if may.may(call.actor, "read", role, row.hash) then seen[#seen + 1] = row end
  end
  return seen
end

local function events(call)
  local args = call.args
  local limit = args.limit or pages.LIMIT
  local rows, message, code = call.world.store:events_before({ before = args.cursor, hash = args.product,
    rollout = args.rollout, what = args.what }, limit)
  if not rows then return nil, message, code end
  local last = #rows == limit and rows[limit].id or call.json.null
  local items = {}
  for i, row in ipairs(visible(call, rows)) do items[i] = pages.event(call, row) end
  return { items = call.json.array(items), next = last }
end

local EXPORTED = 10000 -- rows at most

local TYPES = { csv = "text/csv; charset=utf-8", jsonl = "application/jsonl", table = "text/plain; charset=utf-8" }

-- Rows as a file, in one of `forms`; `last`: the number of the last row that was read, if there may be more.
local function written(call, how, rows, name, last)
  local format = call.args.format
  local form, lines = how[format], {}
  if form.head then lines[1] = form.head end
  for _, row in ipairs(rows) do lines[#lines + 1] = form.line(row) end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n"), { headers = { ["Content-Type"] = TYPES[format],
    ["Content-Disposition"] = ('attachment; filename="%s.%s"'):format(name, format),
    ["X-Next-Cursor"] = last and tostring(last) or nil } }
end

local function export(call)
  local args, limit = call.args, call.args.limit or EXPORTED
  local rows, message, code = call.world.store:events({ after = args.cursor, product = args.product,
    device = args.device, since = args.since and args.since * 1000 }, limit)
  if not rows then return nil, message, code end
  return written(call, forms.events, visible(call, rows), "events", #rows == limit and rows[limit].id)
end

local function live(call)
  local ok, message, code = call.live:admit(call.actor)
  if not ok then return nil, message, code end
  return {}, { stream = true, headers = { ["Content-Type"] = "text/event-stream" } }
end

local function changes(call)
  local limit = call.args.limit or pages.LIMIT
  local rows, message, code = call.world.store:audited(call.args.cursor, limit)
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do items[i] = forms.audit_row(row) end
  return pages.of(call, items, limit)
end

local function export_changes(call)
  local limit = call.args.limit or EXPORTED
  local rows, message, code = call.world.store:audit_since(call.args.cursor or 0, limit)
  if not rows then return nil, message, code end
  return written(call, forms.audit, rows, "audit", #rows == limit and rows[limit].id)
end

local function take_back(call)
  local change = call.objects.A
  local done, message, code = undo.take_back(call.world, change)
  if not done then return nil, message, code end
  call.world.top.next_look = 0 -- it may have been a list in the folder
  return { undone = change.id }
end

local function search(call)
  local store = call.world.store
  local where = store:where()
  where:any_of("device COLLATE NOCASE", filters.spellings(call.args.q))
  local rows, message, code = store:select(where, FOUND)
  if rows then rows, message, code = store:tag_rows(rows) end
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(visible(call, rows)) do items[i] = objects.device(call.world, row) end
  return { items = call.json.array(items), next = call.json.null }
end

-- What the devices ran on the days before, and run on this one.
local function days_of(call, runs)
  local now = acts.now()
  local days, message, code = call.world.store:daily(call.product, daily.day_of(now - call.args.days * DAY),
    daily.day_of(now))
  if not days then return nil, message, code end
  days[#days + 1] = { day = daily.day_of(now), runs = runs }
  local list = {}
  for i, day in ipairs(days) do
    local items = {}
    for k, run in ipairs(day.runs) do items[k] = { release = run.release or "", devices = run.n } end
    list[i] = { day = day.day, releases = call.json.array(items) }
  end
  return call.json.array(list)
end

local function summary(call)
  local found, message, code = call.world:standing(call.product)
  if not found then return nil, message, code end
  local list, states = {}, {}
  for i, row in ipairs(found.runs) do list[i] = { release = row.release or call.json.null, devices = row.n } end
  for state, n in pairs(found.states) do states[state] = n end
  local days
  if call.args.days then
    days, message, code = days_of(call, found.runs)
    if not days then return nil, message, code end
  end
  return { product_key = call.product, devices = call.objects.P.devices, runs = call.json.array(list), jobs = states,
    daily = days }
end

local function needs(call)
  local items, message, code = attention.list(call.world, call.product)
  if not items then return nil, message, code end
  return { items = call.json.array(items), next = call.json.null }
end

local EXPORT = { format = { type = "string", need = true, one_of = { "csv", "jsonl" }, about = "of the file" },
  cursor = { type = "integer", about = "X-Next-Cursor of the file before" },
  limit = { type = "integer", least = 1, most = EXPORTED, about = "rows at most" } }

local EVENTS = { cursor = EXPORT.cursor, limit = EXPORT.limit,
  format = { type = "string", need = true, one_of = { "csv", "jsonl", "table" }, about = "of the file" },
  product = { type = "string", most = 64, about = "only of this product, as its cloud calls it" },
  device = { type = "string", most = 256, about = "only of devices of this name" },
  since = { type = "integer", about = "only from this second since 1970 on" } }

M.routes = {
  { "GET", "/products/{P}/summary", "viewer", summary, verb = "read", about = "What the devices run, and their jobs",
    query = { days = { type = "integer", least = 1, most = 400,
      about = "also what they ran on so many days before, in `daily`; those releases that are not the most common "
        .. "together are \"\"" } } },
  { "GET", "/products/{P}/attention", "viewer", needs, verb = "read", about = "What needs a person" },
  { "GET", "/search", "viewer", search, verb = "read", scope = "any", about = "Devices of a name", query = {
    q = { type = "string", need = true, most = 256, about = "name or IMEI of a device, or a MAC in any spelling" } } },
  { "GET", "/events", "viewer", events, verb = "read", scope = "any", about = "What happened, the newest first",
    query = { cursor = pages.numbered.cursor, limit = pages.limit,
      product = { type = "string", most = 64, about = "hash of a product's key" },
      rollout = { type = "integer", about = "number of a rollout" },
      what = { type = "string", most = 32, about = "kind of event" } } },
  { "GET", "/events/export", "viewer", export, verb = "read", scope = "any",
    about = "Events as a file, the oldest first; X-Next-Cursor says where to go on", query = EVENTS },
  { "GET", "/events/live", "viewer", live, verb = "read", scope = "any",
    about = "What happens from now on, as server-sent events; Last-Event-ID goes on", query = {
      after = { type = "integer", about = "number of the last event that was seen" } } },
  { "GET", "/audit", "admin", changes, verb = "audit", about = "What people changed, the newest first",
    query = pages.numbered },
  { "GET", "/audit/export", "admin", export_changes, verb = "audit", query = EXPORT,
    about = "The audit as a file, the oldest first; X-Next-Cursor says where to go on" },
  { "POST", "/undo/{A}", "operator", take_back, verb = "undo",
    about = "Take a change back, within ten minutes: X-Undo of its answer has the number" },
}

return M
