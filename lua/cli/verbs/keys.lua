--- `moult keys list` and `moult keys apply FILE`.
--
-- @module cli.verbs.keys

local natives = require "update.natives"
local session = require "cli.session"

local M = {}

M.verb = {
  name = "keys",
  usage = "keys list [-c CONFIG] [--json] | keys apply FILE [-c CONFIG]",
  summary = "show which keys this device trusts, or change them by a signed list",
  text = "FILE is a list of format moult-keys-1. FILE.minisig is its signature, by a key in the folder `root` of the\n"
    .. "device's keys. Release keys cannot change the set, and root keys cannot sign packages. A revoked key is never\n"
    .. "trusted again, even if its file is copied back. Each list needs a higher serial. It is applied completely or\n"
    .. "not at all, even if the power fails. A running agent uses the new set from the next package on. Applying the\n"
    .. "last list again does no harm.\n\n"
    .. "    { \"format\": \"moult-keys-1\", \"serial\": 2,\n"
    .. "      \"add\": [ { \"name\": \"release-2027\", \"key\": \"RWQ...\" } ], \"revoke\": [ \"0123456789ABCDEF\" ] }",
  positional = { 1, 2 },
  common = { "config", "json" },
  example = "moult keys list\nmoult keys apply keys-2.json",
}

local actions = {}

local function title(key)
  local text = ("%-16s  %-7s  %s"):format(key.id ~= "" and key.id or "?", key.root and "root" or "release", key.name)
  if key.state == "revoked" then return text .. "  (revoked: not trusted)" end
  if key.why then return ("%s  (unreadable: %s)"):format(text, key.why) end
  return text
end

function actions.list(config, env)
  local set, message, code = natives.keys.list(config.keys)
  if not set then return nil, message, code end
  table.sort(set.keys, function(a, b)
    if a.root ~= b.root then return b.root end
    return a.name < b.name
  end)
  if env.json then
    env.out(natives.json.encode { serial = set.serial, settled = set.settled,
      revoked = natives.json.array(set.revoked), keys = natives.json.array(set.keys) })
    return 0
  end
  for _, key in ipairs(set.keys) do env.out(title(key)) end
  for _, id in ipairs(set.revoked) do env.out(("%s  revoked"):format(id)) end
  env.note(set.serial > 0 and ("%s: key list %d was applied last"):format(config.keys, set.serial)
    or ("%s: no key list was ever applied"):format(config.keys))
  return 0
end

function actions.apply(config, env, path)
  local serial, message, code = natives.keys.apply(config.keys, path)
  if not serial then return nil, message, code end
  local count = 0
  for _, key in ipairs((natives.keys.list(config.keys) or { keys = {} }).keys) do
    if not key.root and key.state == "trusted" then count = count + 1 end
  end
  if env.json then
    env.out(natives.json.encode { serial = serial, release_keys = count })
  else
    env.note(("key list %d is in force: %d release keys are trusted%s"):format(serial, count,
      count == 0 and "; nothing installs until a list adds one" or ""))
  end
  return 0
end

function M.run(parsed, env)
  local name, path = parsed.positional[1], parsed.positional[2]
  local action = actions[name]
  if not action then return nil, ("unknown action %q; use list or apply"):format(name), "usage" end
  if name == "list" and path then return nil, "list takes no file", "usage" end
  if name == "apply" and not path then return nil, "apply needs FILE, the signed list of keys", "usage" end
  local config, message, code = session.config(parsed.opts)
  if not config then return nil, message, code end
  return action(config, env, path)
end

return M
