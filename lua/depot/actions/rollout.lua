--- `moult depot rollout create|list|show|start|advance|pause|resume|change|cancel|retry DIR [PACKAGE|NUMBER]`.
--
-- Each act is one transaction; a running depot sees it before its next offer.
--
-- @module depot.actions.rollout

local base = require "depot.actions.base"
local life = require "depot.rollout.life"
local rollouts = require "depot.acts.rollouts"
local shown = require "depot.rollout.shown"
local views = require "depot.rollout.view"

local M = {}

-- The rollout that the command means: by its number, or the only one that has not ended; the
-- automatic mode is meant only if there is no other.
local function find(context)
  if context.name then
    local id = context.name:find "^%d+$" and #context.name < 10 and math.tointeger(tonumber(context.name))
    if not id then
      return nil, ("%s is not the number of a rollout; see `rollout list`"):format(context.name), "usage"
    end
    local rollout, message, code = context.store:rollout(id)
    if rollout == false then return nil, ("there is no rollout %d"):format(id), "missing" end
    return rollout, message, code
  end
  local all, message, code = context.store:rollouts()
  if not all then return nil, message, code end
  local open = {}
  for _, rollout in ipairs(all) do
    if rollout.kind ~= "auto" then open[#open + 1] = rollout end
  end
  if #open == 0 then open = all end
  if #open == 1 then return open[1] end
  return nil, #open == 0 and "no rollout is open" or ("%d rollouts are open; give the number of one"):format(#open),
    #open == 0 and "missing" or "usage"
end

local function tell(context, rollout, verb, count)
  local object, message, code = views.object(context, rollout)
  if not object then return nil, message, code end
  shown.done(context.env, object, verb, count)
  return 0
end

local verbs = {}

-- Find, do and report.
for verb in pairs(rollouts.verbs) do
  verbs[verb] = function(context)
    local rollout, more, code = rollouts.act(context, verb, function() return find(context) end, context)
    if not rollout then return nil, more, code end
    if life.is_offering(rollout) then base.warn_when_alone(context) end
    return tell(context, rollout, verb, more)
  end
end

function verbs.create(context) return require("depot.actions.rollout_create").run(context, tell) end

function verbs.list(context)
  local objects, message, code = views.objects(context)
  if not objects then return nil, message, code end
  shown.list(context.env, objects)
  return 0
end

function verbs.show(context)
  local rollout, message, code = find(context)
  if not rollout then return nil, message, code end
  local object, product
  object, message, code = views.object(context, rollout)
  if object then product, message, code = context.store:product(rollout.hash) end
  if product == nil then return nil, message, code end
  shown.one(context.env, object, product and product.zone)
  return 0
end

--- @tparam table context of depot.actions.base with verb; plan (texts by field), priority
function M.run(context)
  context.lasting = true
  return base.run_verb(context, "rollout", verbs)
end

return M
