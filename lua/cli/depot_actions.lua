--- Runs what `moult depot` is asked for: serve a folder, or one of its actions.
--
-- @module cli.depot_actions

local api = require "cli.depot_api"
local configured = require "cli.depot_config"
local natives = require "update.natives"
local product = require "cli.depot_product"
local rollout = require "cli.depot_rollout"
local serve = require "depot.serve"

local M = {}

-- Actions: module depot.actions.<name>, with run(context).
local ACTIONS = { add = true, admin = true, status = true, verify = true, batch = true, retry = true, cancel = true,
  rollout = true, release = true, device = true, user = true, audit = true, events = true,
  group = true, backup = true, restore = true, product = true, webhook = true }
-- Actions whose second word says what they do.
local MANY = { rollout = "PACKAGE|NUMBER", release = "PACKAGE", device = "NAME", user = "NAME", group = "NAME",
  product = "NAME", webhook = "URL|NUMBER" }
-- Actions that take --filter.
local FILTERED = { status = true, batch = true, retry = true, cancel = true, rollout = true, device = true,
  group = true }

-- The first of the options that only rollouts, or products, take.
local function given(module, opts)
  for _, option in ipairs(module.options) do
    if opts[option.name] then return option.name end
  end
end

local function run_patch(args, env)
  local _, action, dir, name = table.unpack(args.positional, 1, 4)
  if args.positional[5] then return nil, "moult depot patch takes one patch at a time", "usage" end
  if not dir then return nil, "usage: moult depot patch ACTION DIR (a folder of that name is ./patch)", "usage" end
  -- What would choose fewer devices is never overlooked.
  local other = args.opts.filter and "filter" or given(rollout, args.opts) or given(product, args.opts)
    or action ~= "verify" and action ~= "trial" and args.opts.device and "device"
  if other then return nil, ("patch %s takes no --%s"):format(action, other), "usage" end
  return require("depot.actions.patch").run { action = action, dir = dir, name = name, opts = args.opts, env = env,
    natives = natives }
end

-- Run an action of the folder `dir`.
local function act(action, dir, name, args, env)
  local ok, message, code = serve.number_of(args.opts, "first", 1)
  if not ok then return nil, message, code end
  local context = { dir = dir, name = name, opts = args.opts, env = env, natives = natives }
  if MANY[action] then
    local said
    said, message, code = rollout.read(args.opts)
    if not said then return nil, message, code end
    context.verb, context.plan, context.priority = args.positional[2], said.plan, said.priority
  end
  if args.opts.server then
    return require("depot.remote").run(action, context, function() return api.client(args.opts, env) end)
  end
  return require("depot.actions." .. action).run(context)
end

-- What is wrong with the words of an action.
local function fault_of(action, args)
  local words, opts = args.positional, args.opts
  if words[5] then return ("moult depot %s does not take %s too"):format(action, words[5]) end
  if MANY[action] and not words[3] then
    return ("usage: moult depot %s VERB DIR [%s]"):format(action, MANY[action])
  elseif action == "rollout" then
    return nil
  end
  if not words[2] then return ("usage: moult depot %s DIR (a folder of that name is ./%s)"):format(action, action) end
  if words[4] and not MANY[action] then return ("moult depot %s takes one package at a time"):format(action) end
  if action == "pack" and words[3] then return "usage: moult depot pack DIR; the recipe names the packages" end
  if opts.filter and not FILTERED[action] then
    return action .. " takes no --filter; status, batch, retry, cancel, rollout and device do"
  end
  local other = given(rollout, opts)
  if other == "zone" and (action == "product" or action == "device") then return nil end
  return other and ("%s takes no --%s; rollout does"):format(action, other) or nil
end

-- Where the folder stands among the words, which lack it; nil: a folder is named, or none is needed.
local function place_of_folder(words)
  if not words[1] then return 1 end
  if MANY[words[1]] or words[1] == "patch" then return 3 end
  return (ACTIONS[words[1]] or words[1] == "pack") and 2 or nil
end

-- An action at a server has no folder; an empty word stands in its place.
local function at_server(action, words)
  if not ACTIONS[action] then
    return nil, ("%s takes no --server; it is done where the depot's folder is"):format(action), "usage"
  end
  table.insert(words, math.min(place_of_folder { action }, #words + 1), "")
  return true
end

--- Serve until SIGTERM or SIGINT, or run an action. A folder that is named like an action is written ./NAME.
-- @tparam table args positional {[ACTION,] DIR [, PACKAGE]}, opts
-- @tparam table env out, note, json, quiet
-- @tparam {table,...} options that the verb takes
-- @treturn integer 0; or nil, message, code
function M.run(args, env, options)
  local ok, message, code = configured.apply(args, options, function(words)
    return not args.opts.server and place_of_folder(words) or nil
  end)
  if ok then ok, message, code = serve.number_of(args.opts, "timeout", 1) end
  if not ok then return nil, message, code end
  local action = args.positional[1]
  if not action then return nil, "name the folder: moult depot DIR", "usage" end
  if action == "api" then return api.run(args, env) end
  if args.opts.server then ok, message, code = at_server(action, args.positional) end
  if not ok then return nil, message, code end
  if action == "patch" then return run_patch(args, env) end
  if not ACTIONS[action] and action ~= "pack" then
    if #args.positional > 1 then
      return nil, ("%s is not an action, and only one folder can be served; see `moult help "
        .. "depot`"):format(action), "usage"
    end
    if args.opts["store-of"] then return require("depot.serve_store").run(action, args.opts, env) end
    return serve.run(action, args.opts, env)
  end
  local fault = fault_of(action, args)
  local extra = action ~= "product" and given(product, args.opts)
  if extra then fault = fault or ("%s takes no --%s; product does"):format(action, extra) end
  if fault then return nil, fault, "usage" end
  if action == "pack" then return require("cli.depot_pack").run(args.positional[2], args.opts, env) end
  local first = MANY[action] and 3 or 2
  return act(action, args.positional[first], args.positional[first + 1], args, env)
end

return M
