--- Routes of hotfixes: patches for devices of the Qinglian cloud, from stage to stage.
--
-- @module depot.api.routes.hotfixes

local objects = require "depot.api.objects"
local patches = require "depot.acts.patches"

local M = {}

local function list(call)
  local known, message, code = patches.of(call.world)
  local rows
  if known then rows, message, code = known:every() end
  if not rows then return nil, message, code end
  local items = {}
  for _, row in ipairs(rows) do
    if row.hash == call.product then
      items[#items + 1], message, code = objects.hotfix(call.world, row)
      if code then return nil, message, code end
    end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function hotfix(call) return objects.hotfix(call.world, call.objects.H) end

-- The row within the transaction of an act.
local function fresh(call)
  return function()
    local row, message, code = patches.of(call.world):one(call.objects.H.id)
    if row == nil then return nil, message, code end
    if not row or row.stage == "deleted" then return nil, "the hotfix is deleted", "conflict" end
    return row
  end
end

-- Do one of depot.acts.patches, and show what came of it.
local function done(call, verb, ...)
  local row, message, code = patches[verb](call.world, fresh(call), ...)
  if not row then return nil, message, code end
  row, message, code = patches.of(call.world):one(row.id)
  if not row then return nil, message, code end
  call.objects.H = row
  return objects.hotfix(call.world, row)
end

local function verify(call)
  local macs, message, code = patches.macs { call.args.device }
  if not macs then return nil, message, code, "device" end
  local object
  object, message, code = done(call, "verify", macs[1], call.args.timeout)
  return object, object and { status = 202 } or message, code
end

local function trial(call)
  local macs, message, code = patches.macs(call.args.devices)
  if not macs then return nil, message, code, "devices" end
  return done(call, "trial", macs)
end

M.routes = {
  { "GET", "/products/{P}/hotfixes", "viewer", list, verb = "read", about = "The hotfixes of a product" },
  { "GET", "/hotfixes/{H}", "viewer", hotfix, verb = "read", about = "One hotfix, and how far its devices are" },
  { "PATCH", "/hotfixes/{H}", "operator", function(call) return done(call, "describe", call.args.about) end,
    verb = "upload", about = "Say what a hotfix is for", body = {
      about = { type = "string", most = 200, need = true, about = "the description" } } },
  { "POST", "/hotfixes/{H}/verify", "operator", verify, verb = "verify", about = "Try a hotfix on one device", body = {
    device = { type = "string", most = 17, need = true, about = "its MAC" },
    timeout = { type = "integer", least = 1, most = 86400,
      about = "seconds from the last piece to the result (60)" } } },
  { "POST", "/hotfixes/{H}/trial", "operator", trial, verb = "verify", about = "Offer a hotfix to some devices",
    body = { devices = { type = "strings", need = true, about = "their MACs" } } },
  { "POST", "/hotfixes/{H}/release", "operator", function(call) return done(call, "release") end, verb = "rollout",
    about = "Offer a hotfix to every device of its product" },
  { "DELETE", "/hotfixes/{H}", "admin", function(call) return done(call, "delete") end, verb = "withdraw",
    about = "Offer a hotfix no more" },
}

return M
