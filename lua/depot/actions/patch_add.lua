--- `moult depot patch add DIR FILE`: take in a patch.
--
-- @module depot.actions.patch_add

local into_folder = require "depot.into_folder"
local patches = require "depot.acts.patches"

local M = {}

--- @tparam table context dir, name (path of the package), opts, env, natives, store
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local path = context.name
  if not path then return nil, "usage: moult depot patch add DIR FILE [--about TEXT]", "usage" end
  local manifest, message, code = into_folder.manifest(context, path)
  if not manifest then return nil, message, code end
  if not manifest.hotfix then
    return nil, ("%s: not a hotfix; `moult depot add` takes releases"):format(path), "incompatible"
  end
  local item
  item, message, code = patches.add(context, path, manifest, context.opts.about)
  if not item then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode { name = item.name, version = item.version,
    stage = "uploaded" } or ("patch %s %s: added; verify it on a device next"):format(item.name, item.version))
  return 0
end

return M
