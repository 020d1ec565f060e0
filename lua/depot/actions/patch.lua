--- `moult depot patch ACTION DIR [VERSION]`: the life of a patch for devices of the Qinglian cloud.
--
-- An action takes a patch from one stage to the next, as the vendor's console does:
-- added, verified on one device, tried on some, released to all, deleted. It works
-- with and without a running depot, which sees the change within a second.
--
-- @module depot.actions.patch

local acts = require "depot.acts"
local patches = require "depot.acts.patches"
local store = require "depot.store"

local M = {}

--- The patch that the command names by its version.
-- @tparam table context store, name (the version), opts, natives
-- @treturn table|nil its row; nil, message, code
function M.find(context)
  if not context.name then return nil, "name a patch by its version; `moult depot patch list` shows them", "usage" end
  local product = context.opts.product
  local rows, message, code = patches.of(context):find(context.name, product and context.natives.digest.sha256(product))
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
  local macs, message, code = patches.macs(context.opts.device or {})
  if not macs then return nil, "--device: " .. message, code end
  return macs
end

local function say(context, item, text)
  context.env.out(context.env.json and context.natives.json.encode { name = item.name, version = item.version,
    stage = item.stage } or ("patch %s %s: %s"):format(item.name, item.version, text))
  return 0
end

-- Do one of depot.acts.patches to the patch that is named, and say so.
local function act(context, verb, text, ...)
  local item, message, code = patches[verb](context, function() return M.find(context) end, ...)
  if not item then return nil, message, code end
  return say(context, item, text)
end

local actions = {}

function actions.trial(context)
  local macs, message, code = M.macs(context)
  if not macs then return nil, message, code end
  return act(context, "trial", ("on trial on %d more device%s"):format(#macs, #macs == 1 and "" or "s"), macs)
end

function actions.release(context) return act(context, "release", "released to every device of its product") end

function actions.delete(context) return act(context, "delete", "deleted") end

function actions.list(context)
  local rows, message, code = patches.of(context):every()
  if not rows then return nil, message, code end
  local env, json = context.env, context.natives.json
  local list = json.array {}
  for i, item in ipairs(rows) do
    list[i], message, code = patches.object(context, item)
    if not list[i] then return nil, message, code end
    local trials = item.trials > 0 and (", on trial on %d"):format(item.trials) or ""
    if not env.json then
      env.out(("%s %s %s%s: %d done, %d failed, %d open%s%s"):format(item.name, item.version, item.stage,
        item.unsigned == 1 and ", unsigned" or "", item.done,
        item.failed, item.open, trials, item.about and "; " .. item.about or ""))
    end
  end
  if env.json then env.out(json.encode { patches = list }) end
  if #rows == 0 and not env.json then env.out "no patches" end
  return 0
end

local MODULES = { add = "depot.actions.patch_add", verify = "depot.actions.patch_verify" }

--- @tparam table context action, dir, name, opts, env, natives
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local run = MODULES[context.action] and require(MODULES[context.action]).run or actions[context.action]
  if not run then return nil, "usage: moult depot patch add|verify|trial|release|delete|list DIR", "usage" end
  local kept, message, code = store.open(context.natives, context.dir)
  if not kept then return nil, message, code end
  local result, known
  context.actor, context.store = context.actor or acts.local_actor(), kept
  known, message, code = patches.of(context)
  if known then result, message, code = run(context) end
  kept:close()
  return result, message, code
end

return M
