--- `moult depot cancel DIR [PACKAGE]`: end open jobs, and rollouts unless single devices are meant.
--
-- @module depot.actions.cancel

local base = require "depot.actions.base"
local jobs = require "depot.jobs"

local M = {}

local function end_jobs(context, entry, counts)
  local rows, message, code = base.devices(context)
  if not rows then return nil, message, code end
  local now = base.now()
  for _, row in ipairs(rows) do
    if (not entry or entry.manifest.digest == row.package) and jobs.cancel(row, now) then
      local ok
      ok, message, code = context.store:put(row)
      if not ok then return nil, message, code end
      counts.jobs = counts.jobs + 1
    end
  end
  return true
end

local function end_rollouts(context, entry, counts)
  local opts = context.opts
  local hash = opts.product and context.natives.digest.sha256(opts.product)
  local rollouts, message, code = context.store:rollouts()
  if not rollouts then return nil, message, code end
  for _, rollout in ipairs(rollouts) do
    if (not entry or entry.manifest.digest == rollout.package)
        and (not hash or hash == rollout.hash)
        and (not opts.cloud or opts.cloud == rollout.cloud)
        and (not opts.from or opts.from == rollout.source) then
      local ok
      ok, message, code = context.store:end_rollout(rollout.id)
      if not ok then return nil, message, code end
      counts.rollouts = counts.rollouts + 1
    end
  end
  return true
end

local function run(context)
  local entry, message, code
  if context.name then
    entry, message, code = base.package(context)
    if not entry then return nil, message, code end
  end
  local counts
  counts, message, code = base.change(context, function()
    local ended = { jobs = 0, rollouts = 0 }
    local ok, why, word = end_jobs(context, entry, ended)
    if ok and not context.opts.device then
      ok, why, word = end_rollouts(context, entry, ended)
    end
    if not ok then return nil, why, word end
    if ended.jobs + ended.rollouts == 0 then return nil, "no open job and no rollout to end", "nothing" end
    return ended
  end)
  if not counts then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode(counts)
    or ("%d jobs and %d rollouts ended"):format(counts.jobs, counts.rollouts))
  return 0
end

function M.run(context)
  return base.within(context, run)
end

return M
