--- `moult depot webhook list|add|enable|disable|drop DIR [URL|NUMBER]`: where events of a product are sent.
--
-- @module depot.actions.webhook

local base = require "depot.actions.base"
local products = require "depot.acts.products"
local shown = require "depot.shown"
local webhooks = require "depot.acts.webhooks"

local M = {}

local verbs = {}

function verbs.list(context)
  local all, message, code = context.store:webhooks()
  if not all then return nil, message, code end
  local objects = {}
  for i, hook in ipairs(all) do objects[i] = webhooks.object(context, hook) end
  shown.webhooks(context.env, objects)
  return 0
end

function verbs.add(context)
  local opts = context.opts
  if not context.name then return nil, "say which https:// URL", "usage" end
  if not opts.product then return nil, "say of which --product; `product list` shows them", "usage" end
  local product, message, code = products.find(context, opts.product)
  if not product then return nil, message, code end
  context.secret_file = opts["secret-file"]
  local hook, secret
  hook, secret, code = webhooks.add(context, product.hash, { url = context.name, events = opts.event })
  if not hook then return nil, secret, code end
  local object = webhooks.object(context, hook)
  object.secret = secret
  shown.new_webhook(context.env, object)
  return 0
end

-- The webhook of the number that is named.
local function find(context)
  local id = (context.name or ""):find "^%d+$" and #context.name < 10 and math.tointeger(tonumber(context.name))
  if not id then return nil, "give the number of a webhook; `webhook list` shows them", "usage" end
  local hook, message, code = context.store:webhook(id)
  if hook == false then return nil, ("there is no webhook %d"):format(id), "missing" end
  return hook, message, code
end

for verb, enabled in pairs { enable = true, disable = false } do
  verbs[verb] = function(context)
    local hook, message, code = find(context)
    if hook then hook, message, code = webhooks.set(context, hook, { enabled = enabled }) end
    if not hook then return nil, message, code end
    shown.done(context.env, ("webhook %d is %s"):format(hook.id, enabled and "on" or "off"))
    return 0
  end
end

function verbs.drop(context)
  local hook, done, message, code
  hook, message, code = find(context)
  if hook then done, message, code = webhooks.drop(context, hook) end
  if not done then return nil, message, code end
  shown.done(context.env, ("webhook %d is removed"):format(hook.id))
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  return base.run_verb(context, "webhook", verbs)
end

return M
