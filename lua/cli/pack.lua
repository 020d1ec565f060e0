--- `moult pack RECIPE`.
--
-- @module cli.pack

local globals = require "cli.globals"
local natives = require "update.natives"
local recipe = require "cli.recipe"

local M = {}

M.verb = {
  name = "pack",
  usage = "pack RECIPE -k KEY [-o OUT]",
  summary = "make and sign a package from a recipe",
  text = "The recipe is a Lua table; paths in it count from its folder. The same recipe, contents and key give the\n"
    .. "same bytes; SOURCE_DATE_EPOCH, when set, becomes `issued`. Without -o the package is PROJECT_RELEASE.upd in\n"
    .. "the current directory. VERSION, and PROJECT and PRODUCT_KEY where they stand, in the script's main.lua must\n"
    .. "equal the recipe's: they are read as plain lines such as VERSION = \"1.0.1\", without running the script.",
  positional = { 1, 1 },
  common = { "key", "out", "json", "progress", "dry-run" },
  example = "moult pack recipe.lua -o METER_1.0.1.upd -k release.key",
}

local function check_main(made)
  if not made.script then return true end
  local path = made.script.dir .. "/main.lua"
  local file, why = io.open(path, "rb")
  local text, cause
  if file then
    text, cause = file:read("a")
    file:close()
  end
  if not text then return nil, why or ("%s: %s"):format(path, cause) end
  local ok, message = globals.check(text, made)
  if not ok then return nil, ("%s: %s"):format(path, message) end
  return true
end

local function run(packer, env)
  local label = "packing"
  while true do
    local word, message, code = packer:step()
    if not word then return nil, message, code end
    local done, total = packer:progress()
    env.progress(done, total, label)
    if word == "done" then return true end
  end
end

local function report(packer, out, env)
  local manifest = packer:manifest()
  if env.json then
    env.out(natives.json.encode { package = out, size = packer:size(), release = manifest.release,
      sequence = manifest.sequence, digest = manifest.digest })
  else
    env.out(("%s: release %s, sequence %d, %d bytes"):format(out, manifest.release, manifest.sequence, packer:size()))
  end
end

function M.run(parsed, env)
  local key = parsed.opts.key
  if not key then return nil, "needs -k KEY, the secret key to sign with (`moult keygen` makes one)", "usage" end
  local made, message, code = recipe.load(parsed.positional[1])
  if not made then return nil, message, code end
  local ok
  ok, message = check_main(made)
  if not ok then return nil, message, "usage" end
  local out = parsed.opts.out or ("%s_%s.upd"):format(made.project, made.release):gsub("/", "_")
  if env.dry_run then
    env.out(("%s: would be release %s, sequence %d"):format(out, made.release, made.sequence))
    return 0
  end
  local packer
  packer, message, code = natives.pack.open(made, out, key)
  if not packer then return nil, message, code end
  ok, message, code = run(packer, env)
  if ok then
    env.finish()
    report(packer, out, env)
  end
  packer:close()
  if not ok then return nil, message, code end
  return 0
end

return M
