--- `moult depot retry DIR [PACKAGE]`: try again on devices that failed, and only on those.
--
-- @module depot.actions.retry

local base = require "depot.actions.base"
local jobs = require "depot.jobs"

local M = {}

local function again(context, entry)
  local count, message, code = base.each_job(context, entry, jobs.retry)
  if not count then return nil, message, code end
  if count == 0 then return nil, "no job of these devices has failed", "nothing" end
  return count
end

local function run(context)
  local entry, message, code = base.named(context)
  if entry == nil then return nil, message, code end
  local count
  count, message, code = base.change(context, function() return again(context, entry) end,
    base.act(context, "job.retry", entry))
  if not count then return nil, message, code end
  base.warn_when_alone(context)
  context.env.out(context.env.json and context.natives.json.encode { retried = count }
    or ("%d %s once more"):format(count, count == 1 and "device tries" or "devices try"))
  return 0
end

function M.run(context)
  return base.within(context, run)
end

return M
