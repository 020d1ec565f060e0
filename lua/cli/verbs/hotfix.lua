--- `moult hotfix list` and `moult hotfix undo NAME`.
--
-- @module cli.verbs.hotfix

local natives = require "update.natives"
local offers = require "update.engine.offer"
local session = require "cli.session"
local times = require "cli.times"

local M = {}

M.verb = {
  name = "hotfix",
  usage = "hotfix list | hotfix undo NAME [--all-above] [-c CONFIG]",
  summary = "show the hotfixes of this device, or undo one",
  text = "`list` shows what is on record, oldest first: fresh and applied hotfixes are in force. A fresh one is\n"
    .. "applied when a start of the script has lived a minute with it; one without Lua is applied at once. One that\n"
    .. "was undone, or failed (quarantined), is not applied again in that version. A release that it is not made for\n"
    .. "drops it. Of one name the highest version leads; the lower one is kept until that is applied, and is back if\n"
    .. "that is undone before.\n\n"
    .. "`undo` takes it out of force, and puts back the files that it changed. If a later hotfix has modules of the\n"
    .. "same names or changed the same files, that is refused (exit 5); --all-above undoes those first, and all\n"
    .. "versions of that name. `moult install` applies one. Of an opaque one, a bare .bin, the script's handler\n"
    .. "undoes what it did.",
  options = { { name = "all-above", help = "first undo the hotfixes that lie on it" } },
  positional = { 1, 2 },
  common = { "config", "json" },
  example = "moult hotfix list\nmoult hotfix undo clock",
}

local function ledger(s)
  local agent = s:awake(session.ANSWER_WITHIN)
  if agent then return agent:call("hotfixes") end
  local device, message, code = s:device "read"
  if not device then return nil, message, code end
  return device:hotfixes()
end

local function list(s, env)
  local rows, message, code = ledger(s)
  if not rows then return nil, message, code end
  if env.json then
    env.out(natives.json.encode { hotfixes = natives.json.array(rows) })
    return 0
  end
  for _, row in ipairs(rows) do
    env.out(("%-16s %-16s %-11s %s%s, %s%s"):format(row.name, row.version, row.state, offers.number_of(row),
      row.opaque and ", opaque" or "", times.when(row.time), row.message and ": " .. row.message or ""))
  end
  if #rows == 0 then env.note "no hotfixes" end
  return 0
end

local function undo(s, env, name, all_above)
  local ok, message, code = s:order("undo", { name = name, all_above = all_above }, function(device)
    return device:hotfix_undo(name, all_above)
  end)
  if not ok then return nil, message, code end
  env.note(("hotfix %s is undone"):format(name))
  return 0
end

function M.run(parsed, env)
  local action, name = parsed.positional[1], parsed.positional[2]
  if action == "list" and not name then return session.run(parsed, env, function(s) return list(s, env) end) end
  if action == "undo" and name then
    return session.run(parsed, env, function(s) return undo(s, env, name, parsed.opts["all-above"]) end)
  end
  return nil, "hotfix list, or hotfix undo NAME", "usage"
end

return M
