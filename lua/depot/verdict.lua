--- What is printed of a device that tries a release, while it does and in the end.
--
-- @module depot.verdict

local dialects = require "depot.dialects"
local natives = require "update.natives"

local M = {}

--- How far a job is.
-- @tparam table row state, step
function M.progress(row) return row.state .. (row.step and (" %d %%"):format(row.step) or "") end

--- It ended.
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

--- It took too long.
function M.none(device)
  return nil, ("no result from %s in time; its job stays open, and `moult depot status` shows it"):format(device),
    "busy"
end

return M
