--- What is printed of a device that tries a release, while it does and in the end.
--
-- @module depot.verdict

local dialects = require "depot.dialects"
local jobs = require "depot.jobs"
local natives = require "update.natives"

local M = {}

local TIMEOUT = 3600 -- seconds

--- What became of it.
-- @tparam table env
-- @tparam string name of the package
-- @tparam table row cloud, device, release, target, state, code, text
-- @treturn integer|nil 0: the device runs it; nil, message, code
function M.of(env, name, row)
  local json, text = natives.json, row.text and natives.printable.text(row.text) -- the device's own words
  if env.json then
    env.out(json.encode { device = row.device, release = row.release or json.null, target = row.target,
      state = row.state, code = row.code, text = text })
  end
  if row.state == "succeeded" then
    if not env.json then env.out(("%s runs %s: %s is verified"):format(row.device, row.release, name)) end
    return 0
  elseif row.state == "failed" then
    return nil, ("%s failed: %s (%d)"):format(row.device, text, row.code), dialects.word(row.cloud, row.code)
  end
  return nil, ("the job of %s was %s%s"):format(row.device, row.state, text and ": " .. text or ""), "refused"
end

--- Say how far a job is until it ends.
-- @tparam table env
-- @tparam string name of the package
-- @tparam table job look (function() -> row as of() takes, with step; nil, message, code), is_ours (function(row):
--   whether the job is still the one), pause (function() between two looks), timeout (seconds, or nil)
-- @treturn integer|nil as of()
function M.watch(env, name, job)
  local till = natives.loop.now() + (job.timeout or TIMEOUT)
  local said, row, message, code
  repeat
    row, message, code = job.look()
    if not row then return nil, message, code end
    if not job.is_ours(row) then
      return nil, ("%s was given another job meanwhile, %s"):format(row.device, row.target or "none"), "busy"
    elseif not jobs.is_open(row) then
      return M.of(env, name, row)
    end
    local line = row.state .. (row.step and (" %d %%"):format(row.step) or "")
    if line ~= said then env.note(("%s: %s"):format(row.device, line)) end
    said = line
    job.pause()
  until natives.loop.now() > till
  return nil, ("no result from %s in time; its job stays open, and `moult depot status` shows it"):format(row.device),
    "busy"
end

return M
