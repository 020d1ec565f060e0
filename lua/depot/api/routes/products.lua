--- Routes of products, and of devices that are registered before they report.
--
-- @module depot.api.routes.products

local acts = require "depot.acts.products"
local admission = require "depot.acts.admission"
local may = require "depot.api.may"
local objects = require "depot.api.objects"

local M = {}

local function list(call)
  local known, message, code = call.world:products()
  if not known then return nil, message, code end
  local items = call.json.array {}
  for hash, product in pairs(known) do
    if hash == product.product_key and may.sees(call.actor, hash) then items[#items + 1] = product end
  end
  table.sort(items, function(a, b) return a.name < b.name end)
  return { items = items, next = call.json.null }
end

local function show(call) return call.objects.P end

-- A product as it is now.
local function again(call, hash)
  call.world.top.known = nil
  local product, message, code = objects.kinds.P.load(call.world, hash)
  if not product then return nil, message, code end
  call.objects.P, call.kind = product, "P"
  return product
end

local function add(call)
  local args = call.args
  local product, made, code = acts.add(call.world, { name = args.name, mode = args.mode, key = args.key,
    cloud = args.cloud })
  if not product then return nil, made, code end
  local object, message
  object, message, code = again(call, product.hash)
  if not object then return nil, message, code end
  local shown = { key = made or call.json.null } -- only its hash is kept
  for name, value in pairs(object) do shown[name] = value end
  return shown, { status = 201 }
end

local function change(call)
  local hash = call.product
  local product, message, code = acts.set(call.world, function() return acts.find(call.world, hash) end,
    { mode = call.args.mode, enabled = call.args.enabled, unsigned = call.args.unsigned, admit = call.args.admit,
      zone = call.args.zone })
  if not product then return nil, message, code end
  return again(call, hash)
end

local function register(call)
  local count, message, code, field = admission.register(call.world, { cloud = call.args.cloud,
    product = call.args.product, hash = call.product }, call.args.devices)
  if not count then return nil, message, code, field end
  call.world.top.known = nil
  return { added = count }, { status = 201 }
end

local MODE = { type = "string", one_of = acts.MODES, about = "how devices get packages" }
local CLOUD = { type = "string", one_of = acts.CLOUDS, about = "the cloud whose dialect they speak" }

M.routes = {
  { "GET", "/products", "viewer", list, verb = "read", scope = "any", about = "The products that you may see" },
  { "POST", "/products", "admin", add, verb = "settings",
    about = "Register a product; a key that is made is shown once", body = {
      name = { type = "string", most = 64, need = true, about = "of the product" }, mode = MODE, cloud = CLOUD,
      key = { type = "string", most = 64, about = "the product's key; one is made if absent" } } },
  { "GET", "/products/{P}", "viewer", show, verb = "read", about = "One product" },
  { "PATCH", "/products/{P}", "admin", change, verb = "settings",
    about = "Choose how a product gets its packages, or switch it off", body = { mode = MODE,
      enabled = { type = "boolean", about = "whether its devices are offered anything" },
      admit = { type = "string", one_of = { "open", "listed" },
        about = "whether rollouts are for every device of it, or for admitted ones" },
      unsigned = { type = "boolean", about = "whether it takes patches that nobody signed" },
      zone = { type = "string", most = 64, about = "time zone of the windows of its rollouts, as Asia/Shanghai" } } },
  { "POST", "/products/{P}/devices", "operator", register, verb = "tag",
    about = "Register devices before they report", body = {
      cloud = { type = "string", need = true, one_of = CLOUD.one_of, about = CLOUD.about },
      product = { type = "string", most = 64, about = "what that cloud calls the product; known if devices reported" },
      devices = { type = "strings", need = true, about = "their names" } } },
}

return M
