--- `moult depot patch add DIR FILE`: take in a patch.
--
-- @module depot.actions.patch_add

local bare_patch = require "depot.bare_patch"
local into_folder = require "depot.into_folder"
local patches = require "depot.acts.patches"

local M = {}

-- The manifest of a package, or what stands for it in a bare patch.
local function manifest_of(context, path)
  local name = path:match "[^/]*$"
  if bare_patch.is_bare(path, name) then
    return bare_patch.manifest(context, path, name, context.opts.product)
  end
  local manifest, message, code = into_folder.manifest(context, path)
  if not manifest then return nil, message, code end
  if not manifest.hotfix then
    return nil, ("%s: not a hotfix; `moult depot add` takes releases"):format(path), "incompatible"
  end
  return manifest
end

--- @tparam table context dir, name (path of the file), opts, env, natives, store
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local path = context.name
  if not path then return nil, "usage: moult depot patch add DIR FILE [--about TEXT]", "usage" end
  local manifest, item, message, code
  manifest, message, code = manifest_of(context, path)
  if not manifest then return nil, message, code end
  item, message, code = patches.add(context, path, manifest, context.opts.about)
  if not item then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode { name = item.name, version = item.version,
    stage = "uploaded", unsigned = item.unsigned == 1 } or ("patch %s %s: added%s; verify it on a device next"):format(
    item.name, item.version, item.unsigned == 1 and ", unsigned" or ""))
  return 0
end

return M
