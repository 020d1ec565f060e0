--- `moult depot patch ACTION DIR [VERSION]`: the life of a patch for devices of the Qinglian cloud.
--
-- An action takes a patch from one stage to the next, as the vendor's console does:
-- added, verified on one device, tried on some, released to all, deleted. It works
-- with and without a running depot, which sees the change within a second.
--
-- @module depot.actions.patch

local acts = require "depot.acts"
local base = require "depot.actions.base"
local patch_store = require "depot.patch_store"
local qinglian = require "update.cloud.qinglian"
local store = require "depot.store"

local M = {}

--- The patch that the command names by its version.
-- @tparam table context patches, name (the version), opts, natives
-- @treturn table|nil its row; nil, message, code
function M.find(context)
  if not context.name then return nil, "name a patch by its version; `moult depot patch list` shows them", "usage" end
  local product = context.opts.product
  local rows, message, code = context.patches:find(context.name, product and context.natives.digest.sha256(product))
  if not rows then return nil, message, code end
  if #rows == 0 then return nil, ("%s has no patch of version %s"):format(context.dir, context.name), "missing" end
  if #rows > 1 then
    return nil, ("%d products have a patch of version %s; add --product"):format(#rows, context.name), "usage"
  end
  if rows[1].stage == "deleted" then return nil, ("patch %s is deleted"):format(context.name), "missing" end
  return rows[1]
end

--- The devices that --device names.
-- @treturn {string,...}|nil MACs; nil, message, code
function M.macs(context)
  local names = context.opts.device or {}
  if #names == 0 then return nil, "name a device by its MAC, with --device 00:0c:29:4b:5b:1f", "usage" end
  local macs = {}
  for i, name in ipairs(names) do
    macs[i] = name:lower()
    if not qinglian.is_mac(macs[i]) then
      return nil, ("--device %s: not a MAC as 00:0c:29:4b:5b:1f"):format(name), "usage"
    end
  end
  return macs
end

local function say(context, item, text)
  context.env.out(context.env.json and context.natives.json.encode { name = item.name, version = item.version,
    stage = item.stage } or ("patch %s %s: %s"):format(item.name, item.version, text))
  return 0
end

-- Run work(item) on the patch that is named, in one transaction.
local function change(context, work)
  local act = { verb = "patch." .. context.action, object = "patch " .. tostring(context.name) }
  if context.opts.device then act.after = table.concat(context.opts.device, ", ") end
  return base.change(context, function()
    local item, message, code = M.find(context)
    if not item then return nil, message, code end
    local done
    act.product, act.before = item.hash, item.stage
    done, message, code = work(item)
    if not done then return nil, message, code end
    return item
  end, act)
end

-- Whether a patch is in a stage that the action follows: true; nil, message, code.
local function follows(item, action, ...)
  for _, stage in ipairs { ... } do
    if item.stage == stage then return true end
  end
  return nil, ("patch %s is %s; it must be %s before it is %s"):format(item.version, item.stage,
    table.concat({ ... }, " or "), action), "refused"
end

local actions = {}

function actions.trial(context)
  local macs, message, code = M.macs(context)
  if not macs then return nil, message, code end
  local tried
  tried, message, code = change(context, function(item)
    local ok, why, word = follows(item, "tried", "verified", "trial")
    for _, mac in ipairs(ok and macs or {}) do
      local row
      row, why, word = context.patches:device(item.id, mac)
      if not row then return nil, why, word end
      row.trial = 1
      ok, why, word = context.patches:put(row)
      if not ok then return nil, why, word end
    end
    if ok then item.stage = "trial" end
    return ok and context.patches:stage(item.id, "trial"), why, word
  end)
  if not tried then return nil, message, code end
  return say(context, tried, ("on trial on %d more device%s"):format(#macs, #macs == 1 and "" or "s"))
end

function actions.release(context)
  local item, message, code = change(context, function(item)
    local ok, why, word = follows(item, "released", "verified", "trial")
    item.stage = "released"
    return ok and context.patches:stage(item.id, "released"), why, word
  end)
  return item and say(context, item, "released to every device of its product"), message, code
end

function actions.delete(context)
  local item, message, code = change(context, function(item)
    item.stage = "deleted"
    return context.patches:stage(item.id, "deleted")
  end)
  if not item then return nil, message, code end
  os.remove(patch_store.path(context.dir, item)) -- a depot that sends it stops
  return say(context, item, "deleted")
end

local FIELDS = { "name", "version", "stage", "about", "size", "trials", "open", "done", "failed" }

local function row_of(context, item)
  local json = context.natives.json
  local row = { devices = json.array {} }
  for _, name in ipairs(FIELDS) do row[name] = item[name] == nil and json.null or item[name] end
  for i, device in ipairs(context.patches:devices(item.id) or {}) do
    row.devices[i] = { device = device.device, trial = device.trial ~= nil, state = device.state or json.null,
      percent = device.percent or json.null, text = device.text or json.null }
  end
  return row
end

function actions.list(context)
  local rows, message, code = context.patches:every()
  if not rows then return nil, message, code end
  local env, json = context.env, context.natives.json
  if env.json then
    local patches = json.array {}
    for i, item in ipairs(rows) do patches[i] = row_of(context, item) end
    env.out(json.encode { patches = patches })
    return 0
  end
  for _, item in ipairs(rows) do
    local trials = item.trials > 0 and (", on trial on %d"):format(item.trials) or ""
    env.out(("%s %s %s: %d done, %d failed, %d open%s%s"):format(item.name, item.version, item.stage, item.done,
      item.failed, item.open, trials, item.about and "; " .. item.about or ""))
  end
  if #rows == 0 then env.out "no patches" end
  return 0
end

local MODULES = { add = "depot.actions.patch_add", verify = "depot.actions.patch_verify" }

--- @tparam table context action, dir, name, opts, env, natives
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local act = MODULES[context.action] and require(MODULES[context.action]).run or actions[context.action]
  if not act then return nil, "usage: moult depot patch add|verify|trial|release|delete|list DIR", "usage" end
  local kept, message, code = store.open(context.natives, context.dir)
  if not kept then return nil, message, code end
  local result
  context.actor = context.actor or acts.local_actor()
  context.store, context.patches, message, code = kept, patch_store.new(kept)
  if context.patches then result, message, code = act(context) end
  kept:close()
  return result, message, code
end

return M
