--- `moult depot verify DIR [PACKAGE] --device NAME`: one device tries a package.
--
-- @module depot.actions.verify

local base = require "depot.actions.base"
local chosen = require "depot.acts.chosen"
local verdict = require "depot.verdict"
local verify = require "depot.acts.verify"

local M = {}

local LOOK = 200 -- ms between two looks

-- The one device that --device names.
local function find(context, entry)
  local names = context.opts.device or {}
  if #names ~= 1 then return nil, "name one device to try it on, with --device NAME", "usage" end
  local rows, message, code = base.devices(context, entry)
  if rows and #rows == 0 then
    rows, message, code = chosen.named(context.store, entry.manifest.product_key, names[1])
  end
  if not rows then return nil, message, code end
  if #rows == 1 then return rows[1] end
  if #rows > 1 then
    return nil, ("%d devices are called %s; add --cloud or --product"):format(#rows, names[1]), "usage"
  end
  local row = base.unheard(context, entry, names[1])
  if row then return row end
  return nil, ("device %s of this package's product has never reported; give its --cloud and --product")
    :format(names[1]), "missing"
end

local function watch(context, entry, device)
  local loop <close> = context.natives.loop.new()
  return verdict.watch(context.env, entry.name, { timeout = context.opts.timeout,
    look = function()
      local row, message, code = context.store:get(device.cloud, device.product, device.device)
      if row then return row end
      return nil, message or "the device's row is missing", code or "internal"
    end,
    is_ours = function(row) return row.package == entry.manifest.digest end,
    pause = function() loop:poll(LOOK) end })
end

local function run(context)
  local entry, message, code = base.package(context)
  if not entry then return nil, message, code end
  local row
  local started
  started, message, code = base.change(context, function()
    local why, word
    row, why, word = find(context, entry)
    if not row then return nil, why, word end
    return verify.start(context, entry, row)
  end, base.act(context, "job.verify", entry))
  if not started then return nil, message, code end
  if started == "done" then
    row.state = "succeeded"
    return verdict.of(context.env, entry.name, row)
  end
  base.warn_when_alone(context)
  return watch(context, entry, row)
end

function M.run(context)
  return base.within(context, run)
end

return M
