--- `moult depot product list|add|set DIR [NAME]`: the products of a depot.
--
-- @module depot.actions.product

local acts = require "depot.acts.products"
local base = require "depot.actions.base"
local natives = require "update.natives"
local shown = require "depot.shown"

local M = {}

local verbs = {}

function verbs.list(context)
  local all, message, code = acts.all(context)
  if not all then return nil, message, code end
  local objects = {}
  for i, product in ipairs(all) do
    objects[i] = acts.object(context, product)
    objects[i].unadmitted, message, code = acts.unadmitted(context, product)
    if not objects[i].unadmitted then return nil, message, code end
  end
  shown.products(context.env, objects)
  return 0
end

function verbs.add(context)
  local opts = context.opts
  if not context.name then return nil, "name the product", "usage" end
  local product, made, code = acts.add(context, { name = context.name, mode = opts.mode, key = opts.product,
    cloud = opts.cloud })
  if not product then return nil, made, code end
  local object = acts.object(context, product)
  object.key = made or natives.json.null
  shown.new_product(context.env, object)
  return 0
end

-- Whether an option says yes; nil: it was not given.
local function yes(option)
  if option then return option == "yes" end
end

function verbs.set(context)
  local opts = context.opts
  if not context.name then return nil, "name the product; `product list` shows them", "usage" end
  if not (opts.mode or opts.enabled or opts.zone or opts.unsigned or opts.admit) then
    return nil, "give --mode auto|staged, --enabled yes|no, --unsigned yes|no, --admit open|listed, or --zone NAME",
      "usage"
  end
  local product, message, code = acts.set(context, function() return acts.find(context, context.name) end,
    { mode = opts.mode, enabled = yes(opts.enabled), unsigned = yes(opts.unsigned), admit = opts.admit,
      zone = opts.zone })
  if not product then return nil, message, code end
  shown.product(context.env, acts.object(context, product))
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  -- A product can be registered before a depot was ever started.
  return base.run_verb(context, "product", verbs, context.verb == "add" and base.within or nil)
end

return M
