--- Routes of webhooks: where events of a product are sent.
--
-- @module depot.api.routes.webhooks

local webhooks = require "depot.acts.webhooks"

local M = {}

local function list(call)
  local all, message, code = call.world.store:webhooks()
  if not all then return nil, message, code end
  local items = {}
  for _, hook in ipairs(all) do
    if hook.product == call.product then items[#items + 1] = webhooks.object(call.world, hook) end
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function add(call)
  local hook, secret, code, field = webhooks.add(call.world, call.product, call.args)
  if not hook then return nil, secret, code, field end
  call.objects.W, call.kind = hook, "W"
  local object = webhooks.object(call.world, hook)
  object.secret = secret -- never again
  return object, { status = 201 }
end

local function show(call) return webhooks.object(call.world, call.objects.W) end

local function change(call)
  local hook, message, code, field = webhooks.set(call.world, call.objects.W, call.args)
  if not hook then return nil, message, code, field end
  call.objects.W = hook
  return webhooks.object(call.world, hook)
end

local function drop(call)
  local done, message, code = webhooks.drop(call.world, call.objects.W)
  if not done then return nil, message, code end
  return {}
end

local EVENTS = { type = "strings", most = #webhooks.EVENTS, about = ("which events: of %s; %s if absent"):format(
  table.concat(webhooks.EVENTS, ", "), table.concat(webhooks.USUAL, ", ")) }

local function url(need)
  return { type = "string", most = 1000, need = need, about = "https:// address that is sent POST requests" }
end

M.routes = {
  { "GET", "/products/{P}/webhooks", "admin", list, verb = "settings", about = "The webhooks of a product" },
  { "POST", "/products/{P}/webhooks", "admin", add, verb = "settings",
    about = "Send the events of a product to an address; the secret that signs them is shown once",
    body = { url = url(true), events = EVENTS } },
  { "GET", "/webhooks/{W}", "admin", show, verb = "settings", about = "One webhook, and how its deliveries fare" },
  { "PATCH", "/webhooks/{W}", "admin", change, verb = "settings", about = "Change a webhook, or switch it off or on",
    body = { url = url(), events = EVENTS,
      enabled = { type = "boolean", about = "whether it is sent anything; it begins with the next event" } } },
  { "DELETE", "/webhooks/{W}", "admin", drop, verb = "settings", about = "Remove a webhook" },
}

return M
