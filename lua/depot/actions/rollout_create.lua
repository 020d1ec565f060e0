--- `moult depot rollout create DIR [PACKAGE]`: lay down a rollout, and start it unless it is a draft.
--
-- @module depot.actions.rollout_create

local base = require "depot.actions.base"
local rollouts = require "depot.acts.rollouts"
local shown = require "depot.rollout.shown"

local M = {}

local function preview(context, rollout, found)
  local overtaken, message, code = rollouts.overtaken(context, rollout)
  if not overtaken then return nil, message, code end
  local waves = {}
  for i, count in ipairs(found.waves) do waves[i] = { percent = rollout.plan.waves[i], devices = count } end
  shown.preview(context.env, { release = rollout.target, reaches = found.reaches, waves = waves, others = found.others,
    overtakes = overtaken })
  return 0
end

--- @tparam table context of depot.actions.base
-- @tparam function tell function(context, rollout)
function M.run(context, tell)
  local entry, message, code = base.package(context)
  if not entry then return nil, message, code end
  local rollout, at
  rollout, at, code = rollouts.read(context, entry)
  if not rollout then return nil, at, code end
  if context.env.dry_run then
    local found
    found, message, code = rollouts.reach(context, rollout)
    if not found then return nil, message, code end
    return preview(context, rollout, found)
  end
  local made
  made, message, code = rollouts.create(context, rollout, at)
  if not made then return nil, message, code end
  if not context.opts.draft then base.warn_when_alone(context) end
  return tell(context, made)
end

return M
