--- `moult keygen NAME`.
--
-- @module cli.verbs.keygen

local natives = require "update.natives"

local M = {}

M.verb = {
  name = "keygen",
  usage = "keygen NAME",
  summary = "make a key pair to sign packages with",
  text = "Writes NAME.key (mode 0600, no password) and NAME.pub. It asks nothing and overwrites nothing. minisign can\n"
    .. "use both files. Keep NAME.key secret, and copy NAME.pub into the keys directory of each device.",
  positional = { 1, 1 },
  common = { "json" },
  example = "moult keygen release",
}

function M.run(parsed, env)
  local name = parsed.positional[1]
  if name == "" or name:sub(-1) == "/" then return nil, "NAME must be a file name without ending", "usage" end
  local ok, message, code = natives.minisign.keygen(name)
  if not ok then return nil, message, code end
  if env.json then
    env.out(natives.json.encode { secret = name .. ".key", public = name .. ".pub" })
  else
    env.note(("%s.key signs packages: keep it secret."):format(name))
    env.note(("%s.pub goes into the keys directory of each device."):format(name))
  end
  return 0
end

return M
