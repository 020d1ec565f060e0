--- `moult depot product list|add|set [NAME] --server URL`.
--
-- @module depot.remote.product

local natives = require "update.natives"
local shown = require "depot.shown"

local M = { verbs = {} }

local json = natives.json

local FIELDS = { "name", "product_key", "mode", "enabled", "zone", "unsigned", "admit", "made", "devices" }

-- As depot.acts.products has it; `alone`: without what only the list counts.
local function object_of(product, alone)
  local object = { clouds = json.array(alone and {} or product.names) }
  for _, name in ipairs(FIELDS) do object[name] = product[name] == nil and json.null or product[name] end
  if alone then object.devices = json.null else object.unadmitted = product.unadmitted end
  return object
end

function M.verbs.list(remote, context)
  local objects = {}
  for _, product in ipairs(remote:products()) do
    if product.registered then objects[#objects + 1] = object_of(product) end
  end
  shown.products(context.env, objects)
end

function M.verbs.add(remote, context)
  local opts = context.opts
  if not context.name then remote:fail("name the product", "usage") end
  local product = remote:need("POST", "/products", { name = context.name, mode = opts.mode, key = opts.product,
    cloud = opts.cloud })
  local object = object_of(product, true)
  object.key = product.key
  shown.new_product(context.env, object)
end

local WISHES = { "mode", "enabled", "unsigned", "admit", "zone" }
local FLAGS = { yes = true, no = false }

function M.verbs.set(remote, context)
  local given = {}
  for _, name in ipairs(WISHES) do
    local text = context.opts[name]
    if FLAGS[text] ~= nil then given[name] = FLAGS[text] else given[name] = text end
  end
  if not context.name then remote:fail("name the product; `product list` shows them", "usage") end
  if not next(given) then
    remote:fail("give --mode auto|staged, --enabled yes|no, --unsigned yes|no, --admit open|listed, or --zone NAME",
      "usage")
  end
  local product = remote:product(context.name)
  shown.product(context.env, object_of(remote:need("PATCH", "/products/" .. product.product_key, given), true))
end

return M
