--- `moult depot webhook list|add|enable|disable|drop [URL|NUMBER] --server URL`.
--
-- @module depot.remote.webhook

local shown = require "depot.shown"

local M = { verbs = {} }

function M.verbs.list(remote, context)
  local hooks = remote:of_products "webhooks"
  table.sort(hooks, function(a, b) return a.id < b.id end)
  shown.webhooks(context.env, hooks)
end

function M.verbs.add(remote, context)
  local opts = context.opts
  if not context.name then remote:fail("say which https:// URL", "usage") end
  if not opts.product then remote:fail("say of which --product; `product list` shows them", "usage") end
  shown.new_webhook(context.env, remote:need("POST", ("/products/%s/webhooks"):format(
    remote:product(opts.product).product_key), { url = context.name, events = opts.event }))
end

-- The path of the webhook that is named.
local function path_of(remote, context)
  local id = (context.name or ""):match "^%d+$"
  if not id or #id > 9 then
    remote:fail("give the number of a webhook; `webhook list` shows them", "usage")
  end
  return "/webhooks/" .. id
end

for verb, enabled in pairs { enable = true, disable = false } do
  M.verbs[verb] = function(remote, context)
    local hook = remote:need("PATCH", path_of(remote, context), { enabled = enabled })
    shown.done(context.env, ("webhook %d is %s"):format(hook.id, enabled and "on" or "off"))
  end
end

function M.verbs.drop(remote, context)
  remote:need("DELETE", path_of(remote, context))
  shown.done(context.env, ("webhook %s is removed"):format(context.name))
end

return M
