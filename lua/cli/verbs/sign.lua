--- `moult sign FILE`.
--
-- @module cli.verbs.sign

local natives = require "update.natives"
local signed = require "cli.signed"
local warnings = require "cli.warnings"

local M = {}

M.verb = {
  name = "sign",
  usage = "sign FILE -k KEY [-o OUT]",
  summary = "sign a manifest, a permit or a list of keys",
  text = "FILE is JSON in one of Moult's formats. A file that no device would accept is not signed. The signature is\n"
    .. "written to FILE.minisig or OUT; `minisign -V` can check it. Packages are signed by `moult pack`.\n\n"
    .. "A permit lets one package in once, although its sequence is not above the device's floor or its version is\n"
    .. "lower. A release key signs it. `manifest` is the digest that `moult info PKG` shows; `devices` are ids, or\n"
    .. "\"*\" for all:\n\n"
    .. "    { \"format\": \"moult-permit-1\", \"project\": \"METER\", \"devices\": [ \"866714040000001\" ],\n"
    .. "      \"manifest\": \"64 hexadecimal digits\", \"not_after\": 1800000000 }\n\n"
    .. "`moult help keys` shows a list of keys; a root key signs it.",
  positional = { 1, 1 },
  common = { "key", "out" },
  example = "moult sign permit.json -k release.key\nmoult sign keys-2.json -k root.key",
}

-- Written to a new file, which is renamed: completely or not at all.
local function replace(path, text)
  local fresh = path .. ".new"
  local file, why = io.open(fresh, "wb")
  if not file then return nil, why, "write" end
  local ok, cause = file:write(text)
  local closed, late = file:close()
  if not ok or not closed then
    os.remove(fresh)
    return nil, ("%s: %s"):format(fresh, cause or late), "write"
  end
  ok, why = os.rename(fresh, path)
  if not ok then return nil, why, "write" end
  return true
end

function M.run(parsed, env)
  local path, key = parsed.positional[1], parsed.opts.key
  if not key then return nil, "needs -k KEY, the private key to sign with", "usage" end
  local text, comment, object = signed.load(path)
  if not text then return nil, comment, object end
  warnings.of_signed(object, env)
  local sig, message, code
  sig, message, code = natives.minisign.sign(key, text, comment)
  if not sig then return nil, message, code end
  local out = parsed.opts.out or path .. ".minisig"
  local ok
  ok, message, code = replace(out, sig)
  if not ok then return nil, message, code end
  env.note(("%s: signed as \"%s\""):format(out, comment))
  return 0
end

return M
