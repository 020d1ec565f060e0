--- Routes of releases.
--
-- @module depot.api.routes.releases

local acts = require "depot.acts"
local chosen = require "depot.acts.chosen"
local ids = require "depot.api.ids"
local lists = require "depot.acts.release_lists"
local may = require "depot.api.may"
local job_of = require("depot.api.routes.devices").job_of
local objects = require "depot.api.objects"
local pages = require "depot.api.pages"
local releases = require "depot.acts.releases"
local verify = require "depot.acts.verify"

local M = {}

local function list(call)
  local items = {}
  local open, message, code = call.world.store:rollouts()
  if not open then return nil, message, code end
  for _, release in ipairs(releases.all(call.world)) do
    if release.manifest.product_key == call.product then
      items[#items + 1], message, code = releases.object(call.world, release, open)
      if code then return nil, message, code end
    end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function shown(call, release)
  local open, message, code = call.world.store:rollouts()
  if not open then return nil, message, code end
  local object
  object, message, code = releases.object(call.world, release, open)
  if not object then return nil, message, code end
  local files = {}
  for i, entry in ipairs(release.entries) do
    local m = entry.manifest
    files[i] = { name = entry.name, digest = m.digest, size = entry.size, limited = entry.devices ~= nil,
      source_core = releases.source_core(m) or call.json.null }
  end
  local names = lists.names(release)
  object.listed = names and #names or call.json.null
  object.files = call.json.array(files)
  return object
end

local function release(call) return shown(call, call.objects.R) end

local function withdraw(call)
  local old = call.objects.R
  local ended, message, code = releases.withdraw(call.world, old)
  if not ended then return nil, message, code end
  call.world.top.version = nil
  call.world.top:refresh()
  local new
  new, message, code = objects.kinds.R.load(call.world, old.id)
  if not new then return nil, message, code end
  call.objects.R = new
  local object
  object, message, code = shown(call, new)
  if object then object.cancelled_jobs = ended end
  return object, message, code
end

-- The device that a request names, by id or by its name in the release's product.
local function device_of(call)
  local args = call.args
  if args.device then
    local id = ids.read(args.device)
    if id then return id end
    return nil, "device: expected the id of a device", "usage", "device"
  end
  if not args.name then return nil, "give device or name", "usage", "device" end
  local found, message, code = chosen.named(call.world.store, call.product, args.name)
  if not found then return nil, message, code end
  if #found == 1 then return found[1] end
  if #found == 0 then return nil, "no device of the product has this name", "missing", "name" end
  return nil, ("%d devices of the product have this name; give the id of one as device"):format(#found), "conflict",
    "name"
end

local function start_verify(call)
  local id, why, word, field = device_of(call)
  if not id then return nil, why, word, field end
  local entry, message, code = releases.need_full(call.objects.R)
  if not entry then return nil, message, code end
  local row
  local done
  done, message, code = acts.change(call.world, function()
    row, why, word = call.world.store:get(id.cloud, id.product, id.device)
    if row and row.hash ~= entry.manifest.product_key then row = false end
    if row == false then return nil, "the release's product has no such device", "missing" end
    if not row then return nil, why, word end
    return verify.start(call.world, entry, row)
  end, { verb = "job.verify", object = "package " .. entry.name, product = entry.manifest.product_key,
    after = "device " .. id.device })
  if not done then return nil, message, code end
  if done == "done" then return { state = "succeeded", device = row.device } end
  return job_of(call, row), { status = 202 }
end

-- The devices whose job is for a release, in one state or any.
local function jobs(call)
  local store, limit = call.world.store, call.args.limit or pages.LIMIT
  local after, message, code, field = pages.after(call)
  if after == nil then return nil, message, code, field end
  local digests = {}
  for i, entry in ipairs(call.objects.R.entries) do digests[i] = entry.manifest.digest end
  local where = store:where()
  where:add("hash = ?", call.product)
  where:any_of("package", digests)
  if call.args.state then where:add("state = ?", call.args.state) end
  local rows
  rows, message, code = store:select(where, limit, after)
  if not rows then return nil, message, code end
  return pages.of_devices(call, rows, limit, job_of)
end

-- A release as it is after a change of its files.
local function again(call)
  local id = call.objects.R.id
  call.world.top.next_look = 0
  call.world.top:refresh()
  local found, message, code = objects.kinds.R.load(call.world, id)
  if not found then return nil, message, code end
  call.objects.R = found
  return shown(call, found)
end

local function note(call)
  local args = call.args
  if args.enabled ~= nil and not may.may(call.actor, "rollout", "operator", call.product) then
    return nil, "enabled: this takes a token that may rollout", "forbidden", "enabled"
  end
  local done, message, code, field = releases.note(call.world, call.objects.R, args)
  call.world.top.version = nil
  if not done then return nil, message, code, field end
  return again(call)
end

local function set_list(call)
  local args = call.args
  if (args.devices == nil) == not args.everybody then return nil, "give devices, or everybody", "usage", "devices" end
  local done, message, code = lists.set(call.world, call.objects.R, not args.everybody and args.devices)
  if not done then return nil, message, code, "devices" end
  return again(call)
end

local function append(call)
  local done, message, code = lists.append(call.world, call.objects.R, call.args.devices)
  if not done then return nil, message, code, "devices" end
  return again(call)
end

local function drop(call)
  local done, message, code = releases.delete(call.world, call.objects.R)
  if not done then return nil, message, code end
  call.world.top.next_look, call.world.top.version = 0, nil
  return {}
end

-- The bytes of a package.
local function file(call)
  local entry = call.objects.F
  return {}, { file = entry.path, headers = { ["Content-Type"] = "application/octet-stream",
    ["Content-Disposition"] = ('attachment; filename="%s"'):format(entry.name:gsub("[^%w._-]", "_")) } }
end

local DEVICES = { type = "strings", most = 10000, need = true, about = "names of devices" }

M.routes = {
  { "GET", "/products/{P}/releases", "viewer", list, verb = "read", about = "The releases of a product" },
  { "GET", "/releases/{R}", "viewer", release, verb = "read", about = "One release with its files" },
  { "PATCH", "/releases/{R}", "operator", note, verb = "upload",
    about = "Say what a release is about, or switch it on or off", body = {
    enabled = { type = "boolean", about = "false: it is offered to nobody; what has begun goes on" },
    text = { type = "string", about = "for people; empty: nothing" },
    security = { type = "boolean", about = "whether it mends what an attacker could use" },
    support_until = { type = "string", most = 10, about = "last day of support, as 2027-12-31; empty: none" } } },
  { "POST", "/releases/{R}/verify", "operator", start_verify, verb = "verify", about = "Try a release on one device",
    body = { device = { type = "string", most = 4096, about = "id of the device" },
      name = { type = "string", most = 256, about = "or its name" } } },
  { "POST", "/releases/{R}/withdraw", "admin", withdraw, verb = "withdraw",
    about = "Offer a release no more: there is no way back" },
  { "DELETE", "/releases/{R}", "admin", drop, verb = "withdraw",
    about = "Withdraw a release that nothing runs or waits for, and remove its files" },
  { "GET", "/releases/{R}/devices", "viewer", jobs, verb = "read", about = "The devices with a job of a release",
    query = { state = pages.state, cursor = pages.cursor, limit = pages.limit } },
  { "PUT", "/releases/{R}/list", "operator", set_list, verb = "rollout",
    about = "Say which devices a release is for", body = {
      devices = { type = "strings", about = "these, by name" },
      everybody = { type = "boolean", about = "or every device" } } },
  { "POST", "/releases/{R}/list", "operator", append, verb = "rollout",
    about = "Put further devices on the list of a release", body = { devices = DEVICES } },
  { "GET", "/packages/{F}/file", "viewer", file, verb = "read", about = "The bytes of a package, by its digest" },
}

return M
