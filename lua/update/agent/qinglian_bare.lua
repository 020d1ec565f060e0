--- Whether a patch that the Qinglian cloud pushes is one of our packages, or a bare hotfix that nobody signed.
--
-- Its first bytes show it. Its name does not: in the cloud's list it has no ending.
--
-- @module update.agent.qinglian_bare

local unsigned = require "update.cloud.unsigned"

local M = {}

local PACKAGE = "manifest.json" -- with which a package begins
local ZIP = "PK"
local WAIT = 1 -- seconds until it is looked at again

-- The first bytes; nil: none came, which the reader will say.
local function first_bytes(cloud, job)
  while true do
    local data, _, code = job.opened:read(0)
    if data or code ~= "again" then return data or nil end
    cloud.agent.tasks:await(cloud.fed, WAIT)
  end
end

--- Set job.bare, the field of update.engine.place, if it is a bare hotfix.
-- @tparam table cloud update.agent.qinglian
-- @tparam table job opened (its source), item
-- @treturn boolean true | nil, message, code
function M.find_out(cloud, job)
  local data, item, config = first_bytes(cloud, job), job.item, cloud.agent.config
  if not data or data:sub(1, #PACKAGE) == PACKAGE:sub(1, #data) then return true end
  local entry = unsigned.trusts(config.trust and config.trust.unsigned, "cloud:" .. cloud.name)
  if not entry then
    return nil, ("patch %s %s: nobody signed it, and trust.unsigned of the configuration has no \"cloud:%s\""):format(
      item.name, item.version, cloud.name), "untrusted"
  end
  job.bare = unsigned.hotfix(config, entry, item, data:sub(1, #ZIP) ~= ZIP)
  return true
end

return M
