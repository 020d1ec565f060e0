--- `moult depot product list|add|set DIR [NAME]`: the products of a depot.
--
-- @module depot.actions.product

local acts = require "depot.acts.products"
local base = require "depot.actions.base"
local natives = require "update.natives"

local M = {}

local verbs = {}

local function clouds_of(product)
  local seen, list = {}, {}
  for _, name in ipairs(product.names) do
    if not seen[name.cloud] then list[#list + 1] = name.cloud end
    seen[name.cloud] = true
  end
  return #list > 0 and table.concat(list, ",") or "-"
end

function verbs.list(context)
  local env, json = context.env, natives.json
  local all, message, code = acts.all(context)
  if not all then return nil, message, code end
  local objects = json.array {}
  if not env.json then env.out(("%-22s %-8s %-7s %8s  %-8s %s"):format("NAME", "MODE", "ENABLED", "DEVICES", "KEY",
    "CLOUDS")) end
  for i, product in ipairs(all) do
    objects[i] = acts.object(context, product)
    if not env.json then
      env.out(natives.printable.text(("%-22.22s %-8s %-7s %8d  %-8.8s %.20s"):format(product.name,
        product.mode or "open", product.enabled == 1 and "yes" or "no", product.devices, product.hash,
        clouds_of(product))))
    end
  end
  if env.json then
    env.out(json.encode { products = objects })
    return 0
  end
  for _, product in ipairs(all) do
    if product.unsigned == 1 then
      env.out(natives.printable.text(product.name .. " takes patches that nobody signed"))
    end
    if product.admit == "listed" then
      local waiting
      waiting, message, code = context.store:unadmitted(product.hash)
      if not waiting then return nil, message, code end
      env.out(natives.printable.text(("%s offers to admitted devices only; %d are not"):format(product.name, waiting)))
    end
  end
  return 0
end

function verbs.add(context)
  local opts, env = context.opts, context.env
  if not context.name then return nil, "name the product", "usage" end
  local product, made, code = acts.add(context, { name = context.name, mode = opts.mode, key = opts.product,
    cloud = opts.cloud })
  if not product then return nil, made, code end
  if env.json then
    local object = acts.object(context, product)
    object.key = made or natives.json.null
    env.out(natives.json.encode(object))
    return 0
  end
  env.out(natives.printable.text(("%s: registered, %s"):format(product.name, product.mode)))
  env.out(("product_key %s"):format(product.hash))
  if made then env.out(("key         %s (it is not kept: note it)"):format(made)) end
  return 0
end

-- Whether an option says yes; nil: it was not given.
local function yes(option)
  if option then return option == "yes" end
end

local function said(product)
  return (product.mode or "open") .. (product.enabled == 0 and ", switched off" or "")
    .. (product.zone and ", zone " .. product.zone or "")
    .. (product.unsigned == 1 and ", takes unsigned patches" or "")
    .. (product.admit == "listed" and ", offers to admitted devices only" or "")
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
  context.env.out(context.env.json and natives.json.encode(acts.object(context, product))
    or natives.printable.text(product.name .. ": " .. said(product)))
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  if not verbs[context.verb] then
    return nil, ("product %s: expected list, add or set"):format(context.verb), "usage"
  end
  -- A product can be registered before a depot was ever started.
  local ok, message, code = true, nil, nil
  if context.verb ~= "add" then ok, message, code = base.needs_store(context) end
  if not ok then return nil, message, code end
  return base.within(context, verbs[context.verb])
end

return M
