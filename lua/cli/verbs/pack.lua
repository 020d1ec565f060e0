--- `moult pack RECIPE`.
--
-- @module cli.verbs.pack

local compressed = require "cli.compressed"
local natives = require "update.natives"
local packing = require "cli.packing"
local titles = require "cli.titles"
local qinglian = require "update.cloud.qinglian"
local recipe = require "cli.recipe"
local warnings = require "cli.warnings"

local M = {}

M.verb = {
  name = "pack",
  usage = "pack RECIPE -k KEY [-o OUT]",
  summary = "make and sign a package from a recipe",
  text = "The recipe is a Lua table. Paths in it are relative to its folder. The same recipe, contents and key give\n"
    .. "the same bytes; SOURCE_DATE_EPOCH, if set, becomes `issued`. Without -o the package is PROJECT_RELEASE.upd in\n"
    .. "the current directory, that of a hotfix PROJECT_NAME_VERSION.upd. VERSION in the script's main.lua must equal\n"
    .. "the recipe's, and so must PROJECT and PRODUCT_KEY if main.lua sets them. They are read as plain lines\n"
    .. "such as VERSION = \"1.0.1\"; the script is not run. The folder of a files part is checked completely; an\n"
    .. "error names line and field of its update.ini.\n"
    .. "Likely mistakes give a warning: a sequence above 2^62, which devices accept only with a permit; an issue\n"
    .. "date more than a day ahead of this machine's clock; a `not_after` in the past.\n\n"
    .. "For each older core in core.from, OUT-from-VERSION.upd is made beside OUT.upd: the same release as a delta,\n"
    .. "for devices that run exactly that core. This takes memory: six times the older image, twice the new one and\n"
    .. "at most 100 MiB. The older image must be smaller than 2 GiB.",
  options = {
    { name = "trim", help = "remove spaces after a / in the directories of update.ini" },
    { name = "for", value = "CLOUD", choices = { "qinglian" },
      help = "check that this cloud can name the release: qinglian's have the form 01.02" },
  },
  positional = { 1, 1 },
  common = { "key", "out", "json", "progress", "dry-run" },
  example = "moult pack recipe.lua -o METER_1.0.1.upd -k release.key",
}

local function as_json(one)
  return { package = one.path, size = one.size, release = one.release, hotfix = one.hotfix, sequence = one.sequence,
    digest = one.digest, from = one.from }
end

-- Such a space is part of the name, but hardly ever intended.
local function warn_of_blanks(made, blanks, env)
  if blanks == 0 then return end
  env.note(("warning: update.ini: in %d lines a space follows a / in the directory; %s"):format(blanks,
    made.files.trim and "it was removed" or "it was kept as part of the name; --trim removes it"))
end

local function report(written, env)
  local full = written[1]
  if env.json then
    local object = as_json(full)
    for i = 2, #written do
      object.deltas = object.deltas or {}
      object.deltas[i - 1] = as_json(written[i])
    end
    env.out(natives.json.encode(object))
    return
  end
  for _, one in ipairs(written) do
    local text = ("%s: %s, sequence %d, %d bytes"):format(one.path, one.title, one.sequence, one.size)
    if one.from then
      text = ("%s, %.1f %% of the full package, for core version %d"):format(text, one.size / full.size * 100, one.from)
    end
    env.out(text)
  end
end

function M.run(parsed, env)
  local key = parsed.opts.key
  if not key then return nil, "needs -k KEY, the private key to sign with (`moult keygen` makes one)", "usage" end
  local made, message, code = recipe.load(parsed.positional[1])
  if not made then return nil, message, code end
  local ok
  ok, message, code = packing.check(made)
  if not ok then return nil, message, code end
  if parsed.opts["for"] == "qinglian" and not made.hotfix and not qinglian.is_release(made.release or "") then
    return nil, ("%s: release %s is not of the form 00.00, which the Qinglian cloud needs"):format(parsed.positional[1],
      made.release or "(none)"), "usage"
  end
  if parsed.opts.trim then
    if not made.files then return nil, "--trim is for a recipe with files", "usage" end
    made.files.trim = true
  end
  local wanted, written = packing.all(made, parsed.opts.out or packing.name(made)), {}
  warnings.of_recipe(made, env)
  local warning = #wanted > 1 and compressed.warning(made.core.image)
  if warning then env.note("warning: " .. warning) end
  for i, one in ipairs(wanted) do
    if env.dry_run then
      env.out(("%s: would be %s, sequence %d%s"):format(one.path, titles.title(made), made.sequence,
        one.from and (", from core version %d"):format(one.from) or ""))
    else
      written[i], message, code = packing.write(one, key, env.progress)
      if not written[i] then return nil, message, code end
      warn_of_blanks(made, written[i].blanks, env)
    end
  end
  if not env.dry_run then
    env.finish()
    report(written, env)
  end
  return 0
end

return M
