--- What a package is called, for people.
--
-- @module cli.titles

local M = {}

--- What a release is called that its package does not name, as far as that is known before a device.
function M.release(manifest)
  return manifest.release or "F" .. (manifest.files_version or manifest.files.version)
end

--- What a package holds, for people.
-- @tparam table manifest as of update.native.package, or a recipe
-- @treturn string "release 1.0.1", or "hotfix clock 2"
function M.title(manifest)
  local fix = manifest.hotfix
  return fix and ("hotfix %s %s"):format(fix.name, fix.version) or ("release %s"):format(M.release(manifest))
end

return M
