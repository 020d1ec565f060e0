--- `moult depot cancel DIR [PACKAGE]`: end open jobs, and rollouts unless --device names single devices. With a filter
-- it ends the rollouts that were made with the same filter.
--
-- @module depot.actions.cancel

local acts = require "depot.rollout.acts"
local base = require "depot.actions.base"
local jobs = require "depot.jobs"

local M = {}

local function end_rollouts(context, entry)
  local opts = context.opts
  local hash = opts.product and context.natives.digest.sha256(opts.product)
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  local count, parts = 0, base.parts(context)
  for _, rollout in ipairs(rollouts) do
    if rollout.kind ~= "auto" and (not entry or entry.manifest.digest == rollout.package)
        and (not hash or hash == rollout.hash)
        and (not opts.cloud or opts.cloud == rollout.cloud)
        and (not opts.from or opts.from == rollout.source)
        and (not opts.filter or opts.filter == rollout.filter) then
      local ok
      ok, message, code = acts.apply(parts, rollout, "cancel")
      if not ok then return nil, message, code end
      count = count + 1
    end
  end
  return count
end

local function run(context)
  local entry, message, code = base.named(context)
  if entry == nil then return nil, message, code end
  local counts
  counts, message, code = base.change(context, function()
    local rollouts = 0
    local ended, why, word = base.each_job(context, entry, jobs.cancel)
    if ended and not context.opts.device then rollouts, why, word = end_rollouts(context, entry) end
    if not ended or not rollouts then return nil, why, word end
    if ended + rollouts == 0 then return nil, "no open job and no rollout to end", "nothing" end
    return { jobs = ended, rollouts = rollouts }
  end, base.act(context, "job.cancel", entry))
  if not counts then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode(counts)
    or ("%d job%s and %d rollout%s ended"):format(counts.jobs, counts.jobs == 1 and "" or "s", counts.rollouts,
      counts.rollouts == 1 and "" or "s"))
  return 0
end

function M.run(context)
  return base.within(context, run)
end

return M
