--- `moult depot rollout create|list|show|... [PACKAGE|NUMBER] --server URL`.
--
-- @module depot.remote.rollout

local life = require "depot.rollout.life"
local shown = require "depot.rollout.shown"

local M = { verbs = {} }

local function all(remote)
  local rollouts = remote:of_products "rollouts"
  table.sort(rollouts, function(a, b) return a.id > b.id end)
  return rollouts
end

-- The rollout that a command means: by its number, or the only one that has not ended; the automatic mode is meant only
-- if there is no other.
local function find(remote, context)
  local name = context.name
  if name then
    if not name:find "^%d+$" or #name >= 10 then
      remote:fail(("%s is not the number of a rollout; see `rollout list`"):format(name), "usage")
    end
    return remote:need("GET", ("/rollouts/%d"):format(math.tointeger(tonumber(name))))
  end
  local open, automatic = {}, {}
  for _, rollout in ipairs(all(remote)) do
    local list = rollout.kind == "auto" and automatic or open
    if not life.has_ended(rollout) then list[#list + 1] = rollout end
  end
  if #open == 0 then open = automatic end
  if #open == 1 then return open[1] end
  return remote:fail(#open == 0 and "no rollout is open" or ("%d rollouts are open; give the number of one"):format(
    #open), #open == 0 and "missing" or "usage")
end

function M.verbs.list(remote, context) shown.list(context.env, all(remote)) end

function M.verbs.show(remote, context)
  local rollout = find(remote, context)
  local product = remote:need("GET", "/products/" .. rollout.product_key)
  shown.one(context.env, rollout, type(product.zone) == "string" and product.zone or nil)
end

local function plan_of(context)
  local given = { priority = context.priority }
  for name, text in pairs(context.plan or {}) do given[name] = text end
  if given.count_silent then given.count_silent = given.count_silent == "yes" end
  return given
end

-- What was done, without what the answer says besides the rollout.
local function tell(context, rollout)
  local count = rollout.forgives or rollout.retried
  rollout.forgives, rollout.retried = nil, nil
  shown.done(context.env, rollout, context.verb, count)
end

for _, verb in ipairs { "start", "pause", "resume", "advance", "cancel", "retry" } do
  M.verbs[verb] = function(remote, context)
    tell(context, remote:need("POST", ("/rollouts/%d/%s"):format(find(remote, context).id, verb)))
  end
end

function M.verbs.change(remote, context)
  tell(context, remote:need("PATCH", ("/rollouts/%d"):format(find(remote, context).id), plan_of(context)))
end

function M.verbs.create(remote, context)
  local opts, given = context.opts, plan_of(context)
  if context.name and opts.product then
    remote:fail("--product chooses the newest release; the package that is named says its product", "usage")
  end
  local release = remote:release(context)
  for _, name in ipairs { "cloud", "from", "filter", "at" } do given[name] = opts[name] end
  given.release, given.devices, given.draft = release.id, opts.device, opts.draft
  given.dry_run = context.env.dry_run or nil
  local made = remote:need("POST", ("/products/%s/rollouts"):format(release.product_key), given)
  if context.env.dry_run then return shown.preview(context.env, made) end
  tell(context, made)
end

return M
