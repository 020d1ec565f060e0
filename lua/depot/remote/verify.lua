--- `moult depot verify [PACKAGE] --device NAME --server URL`: one device tries a package.
--
-- @module depot.remote.verify

local filters = require "depot.filter"
local shown = require "depot.shown"
local verdict = require "depot.verdict"

local M = {}

local LOOK = 300 -- ms between two looks

local FIELDS = { "cloud", "device", "release", "target", "state", "step", "code", "text" }

-- The device as it is now, without JSON's nulls.
local function look(remote, id)
  local row, object = {}, remote:need("GET", "/devices/" .. id)
  for _, name in ipairs(FIELDS) do row[name] = shown.value(object[name]) end
  return row
end

-- The device that --device names in the product of a release; --cloud tells two of one name apart.
local function device_of(remote, context, release)
  local names, opts, found = context.opts.device or {}, context.opts, {}
  if #names ~= 1 then remote:fail("name one device to try it on, with --device NAME", "usage") end
  local path = ("/products/%s/devices"):format(release.product_key)
  for _, device in ipairs(remote:items(path, { filter = filters.term("name", names[1]) })) do
    if (not opts.cloud or opts.cloud == device.cloud) and (not opts.product or not context.name
        or opts.product == device.product) then
      found[#found + 1] = device
    end
  end
  if #found == 0 then
    remote:fail(("device %s of this package's product has never reported"):format(names[1]), "missing")
  elseif #found > 1 then
    remote:fail(("%d devices are called %s; add --cloud or --product"):format(#found, names[1]), "usage")
  end
  return found[1].id
end

function M.run(remote, context)
  local release, name = remote:release(context)
  local id = device_of(remote, context, release)
  remote:need("POST", ("/releases/%s/verify"):format(release.id), { device = id })
  remote:must(verdict.watch(context.env, name, { timeout = context.opts.timeout,
    look = function() return look(remote, id) end,
    is_ours = function(row) return row.target == release.release end,
    pause = function() remote.client:pause(LOOK) end }))
end

return M
