--- One device tries a package before others get it.
--
-- @module depot.acts.verify

local acts = require "depot.acts"
local choice = require "depot.choice"
local jobs = require "depot.jobs"

local M = {}

--- Give a device the job to verify a package, within change().
-- @treturn true|string|nil "done": it runs the package already, so that is verified; nil, message, code
function M.start(world, entry, row)
  local now = acts.now()
  local store, manifest = world.store, entry.manifest
  if entry.withdrawn then
    return nil, ("%s is withdrawn"):format(manifest.release), "refused"
  elseif entry.disabled then
    return nil, ("%s is switched off; enable it first"):format(manifest.release), "refused"
  -- Each device names it after its own VERSION, so none but a terminal would report what is awaited.
  elseif entry.unnamed and row.cloud ~= "terminal" then
    return nil, ("%s names no release; pack it with one"):format(entry.name), "incompatible"
  elseif entry.devices and not entry.devices[row.device] then
    return nil, ("%s is not on the list %s.devices"):format(row.device, entry.name), "refused"
  elseif not choice.suits(world.packages, entry, row) then
    return nil, ("%s is for other hardware than %s, which is %s; if that is wrong, set the hardware of "
      .. "the device"):format(manifest.release, row.device, row.hardware or "not known"), "incompatible"
  elseif jobs.has(row, manifest.release) then
    row.package, row.target = manifest.digest, manifest.release
    local ok, message, code = store:verify(row, now)
    return ok and "done", message, code
  elseif row.state == "upgrading" and row.package ~= manifest.digest then
    return nil, ("%s is upgrading to %s; wait, or cancel that job"):format(row.device, row.target), "busy"
  end
  jobs.begin(row, { package = manifest.digest, target = manifest.release, kind = "verify" }, now)
  local ok, message, code = store:put(row)
  return ok and true, message, code
end

return M
