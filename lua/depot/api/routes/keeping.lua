--- Routes of what a depot keeps: settings, backups, keys, and deltas that are missing.
--
-- @module depot.api.routes.keeping

local acts = require "depot.acts"
local base64 = require "update.cloud.base64"
local choice = require "depot.choice"
local copies = require "depot.acts.copies"
local releases = require "depot.acts.releases"
local retention = require "depot.store.retention"

local M = {}

local function settings(call)
  local store = call.world.store
  local days, message, code = store:kept_days()
  if not days then return nil, message, code end
  local fleet = store:fleet()
  return { admin_url = call.base, fleet = fleet ~= "" and fleet or call.json.null, events_days = days.events,
    audit_days = days.audit }
end

local function change(call)
  local store, args = call.world.store, call.args
  local before, message, code = store:kept_days()
  if not before then return nil, message, code end
  local function said(days) return ("events %d days, audit %d days"):format(days.events, days.audit) end
  local after = { events = args.events_days or before.events, audit = args.audit_days or before.audit }
  local done
  done, message, code = acts.change(call.world, function() return store:set_kept_days(after) end,
    { verb = "settings", object = "depot", before = said(before), after = said(after) })
  if not done then return nil, message, code end
  return settings(call)
end

-- A copy of the store stays on the machine: it holds what links are signed with.
local function backup(call)
  local folder = call.world.dir .. "/.backups"
  local ok, message, code = call.incoming:check_room(call.world.store:size())
  if ok then ok, message, code = call.incoming:prepare(folder) end
  if not ok then return nil, message, code end
  local name = os.date "!depot-%Y%m%d-%H%M%S.db"
  ok, message, code = copies.backup(call.world, ("%s/%s"):format(folder, name))
  if not ok then return nil, (message:gsub("^.*/", "")), code end
  return { file = ".backups/" .. name }, { status = 201 }
end

local function keys(call)
  local items = call.json.array {}
  for i, key in ipairs(call.incoming:public_keys()) do
    local text = base64.decode(key.text) or ""
    items[i] = { file = key.name, key = key.text, id = #text >= 10 and ("%016X"):format(("<I8"):unpack(text, 3))
      or call.json.null }
  end
  return { items = items, next = call.json.null }
end

-- For each core of the field: how many devices would take a delta of the newest release, and whether there is one.
local function deltas(call)
  local world, json = call.world, call.json
  local newest = choice.newest(world.packages, call.product)
  if not newest then return { items = json.array {}, next = json.null } end
  local files, target = {}, newest.manifest
  for _, entry in ipairs(releases.of(world, newest).entries) do
    local source = releases.source_core(entry.manifest)
    if source then files[source] = entry.name end
  end
  local where = world.store:where()
  where:add("hash = ?", call.product)
  where:add("core IS NOT NULL AND core <> ?", target.core_version or -1)
  where:add("release IS NOT ?", target.release)
  local rows, message, code = world.store:count(where, { "core" })
  if not rows then return nil, message, code end
  local items = json.array {}
  for i, row in ipairs(rows) do
    items[i] = { core = row.core, devices = row.n, file = files[row.core] or json.null }
  end
  return { release = target.release, items = items, next = json.null, command = "moult depot pack DIR -k KEY" }
end

local function days(most, about) return { type = "integer", least = 30, most = most, about = about } end

M.routes = {
  { "GET", "/settings", "admin", settings, verb = "settings", about = "The settings of the depot" },
  { "PATCH", "/settings", "admin", change, verb = "settings", about = "Change the settings of the depot", body = {
    events_days = days(retention.MOST, "for which events are kept (400)"),
    audit_days = days(retention.MOST, "for which the audit is kept (1825)") } },
  { "POST", "/backup", "admin", backup, verb = "settings",
    about = "Copy the store into .backups of the folder: a file that is as secret as the store" },
  { "GET", "/products/{P}/keys", "viewer", keys, verb = "read",
    about = "The public keys that packages are checked with" },
  { "GET", "/products/{P}/deltas", "viewer", deltas, verb = "read",
    about = "The cores in the field, and the deltas of the newest release that are missing for them" },
}

return M
