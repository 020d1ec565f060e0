--- `moult depot patch verify DIR VERSION --device MAC`: try a patch on one device, and show how far it is.
--
-- @module depot.actions.patch_verify

local base = require "depot.actions.base"
local patch = require "depot.actions.patch"
local patches = require "depot.acts.patches"

local M = {}

local LOOK = 200     -- ms between two looks
local NO_NEWS = 180  -- seconds beyond that without a change

local ENDS = { done = true, failed = true, reverted = true }

local WORDS = { waiting = "waiting for the depot", preparing = "waiting for the device to ask",
  downloading = "downloading", downloaded = "downloaded, waiting for the result", done = "done", failed = "failed",
  reverted = "undone" }

local function verdict(context, item, row)
  local env, text = context.env, row.text and context.natives.printable.text(row.text)
  if env.json then
    env.out(context.natives.json.encode { device = row.device, name = item.name, version = item.version,
      state = row.state, percent = row.percent, text = text })
  end
  if row.state == "done" then
    if not env.json then env.out(("%s: patch %s %s is verified"):format(row.device, item.name, item.version)) end
    return 0
  end
  return nil, ("%s: patch %s %s %s%s"):format(row.device, item.name, item.version, WORDS[row.state],
    text and ": " .. text or ""), "refused"
end

local function watch(context, item, mac)
  local loop <close> = context.natives.loop.new()
  local now, known = context.natives.loop.now, patches.of(context)
  local shown, till
  repeat
    local row, message, code = known:device(item.id, mac)
    if not row then return nil, message, code end
    local line = WORDS[row.state] .. (row.state == "downloading" and (" %d %%"):format(row.percent or 0) or "")
      .. (row.state == "preparing" and row.text and ": " .. row.text or "")
    if line ~= shown then
      if not ENDS[row.state] then context.env.note(("%s: %s"):format(mac, line)) end
      shown, till = line, now() + row.wait // 1000 + NO_NEWS
    end
    if ENDS[row.state] then return verdict(context, item, row) end
    loop:poll(LOOK)
  until now() > till
  return nil, ("no news of %s; does a depot with --qinglian serve %s?"):format(mac, context.dir), "busy"
end

--- @tparam table context dir, name (the version), opts, env, natives, store
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local macs, message, code = patch.macs(context)
  if not macs then return nil, message, code end
  if #macs > 1 then return nil, "a patch is verified on one device; `trial` takes several", "usage" end
  local item
  item, message, code = patches.verify(context, function() return patch.find(context) end, macs[1],
    context.opts.timeout)
  if not item then return nil, message, code end
  base.warn_when_alone(context)
  return watch(context, item, macs[1])
end

return M
