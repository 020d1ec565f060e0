--- `moult verify FILE`.
--
-- @module cli.verbs.verify

local natives = require "update.natives"
local titles = require "cli.titles"
local package_check = require "cli.package_check"
local signed = require "cli.signed"

local M = {}

M.verb = {
  name = "verify",
  usage = "verify FILE -k KEYS",
  summary = "check every byte of a package, or a signed file",
  text = "KEYS is a public key file or a directory of them. For a package this checks the signature, every block as\n"
    .. "stored and as decoded, every byte in between, and that a device would accept its script, files or hotfix. For\n"
    .. "any other signed file it checks FILE.minisig.",
  positional = { 1, 1 },
  common = { "key", "json", "progress" },
  example = "moult verify METER_1.0.1.upd -k release.pub",
}

local function verify_file(path, keys, env)
  local seen, message, code = signed.beside(path, keys)
  if not seen then return nil, message, code end
  env.out(env.json and natives.json.encode { file = path, comment = seen.comment }
    or ("%s: good signature, \"%s\""):format(path, seen.comment))
  return 0
end

local function verify_package(path, keys, env)
  local found, message, code = package_check.whole(path, keys, env.progress)
  if not found then return nil, message, code end
  env.finish()
  local manifest, count = found.manifest, 0
  for _, n in pairs(found.blocks) do count = count + n end
  if env.json then
    env.out(natives.json.encode { file = path, size = found.size, release = manifest.release,
      hotfix = manifest.hotfix, sequence = manifest.sequence, digest = manifest.digest, blocks = found.blocks })
  else
    env.out(("%s: good: %s, sequence %d, %d bytes, %d block%s"):format(path, titles.title(manifest),
      manifest.sequence, found.size, count, count == 1 and "" or "s"))
  end
  return 0
end

function M.run(parsed, env)
  local path, keys = parsed.positional[1], parsed.opts.key
  if not keys then return nil, "needs -k KEYS, a public key file or a directory of them", "usage" end
  local fine, why, word = require("cli.bare_delta").refuse(path)
  if not fine then return nil, why, word end
  local start, message, code = signed.read(path, 0, 1)
  if not start then return nil, message, code end
  if start == "{" then return verify_file(path, keys, env) end
  return verify_package(path, keys, env)
end

return M
