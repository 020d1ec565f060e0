--- The keys of a folder, and verification of its packages.
--
-- Effects go through `natives`: folder, package, source, storage.
--
-- @module depot.trusted

local offers = require "update.engine.offer"

local M = {}

local NAME = "/.keys"

--- The manifest of the package at path, if a key verifies it and the file has
-- the length that the manifest says.
-- @treturn table|nil nil, message, code
function M.manifest(natives, path, keys)
  local source, message, code = natives.source.file(path)
  if not source then
    return nil, message, code
  end
  local package, manifest, done
  package, message, code = natives.package.open(source, keys)
  if package then
    done, message, code = package:step()
    manifest = done and offers.open_meta(package:manifest(), natives.json.decode)
    local size = done and package:layout().size
    if done and size ~= source:size() then
      manifest, message = nil, ("has %d bytes, the package has %d"):format(source:size(), size)
    end
    package:close()
  end
  source:close()
  return manifest or nil, message, code
end

--- A text that changes when the file's size or change time does; "" without a file.
-- @tparam table|nil found as from folder.list()
function M.stamp(found)
  return found and ("%d/%d"):format(found.size, found.changed) or ""
end

local function holds_keys(files)
  for name in pairs(files) do
    if name:find("%.pub$") then return true end
  end
  return false
end

--- Record the keys that the depot of a folder was started with, for actions in other processes.
-- @tparam string|nil keys absolute path; nil: those that the folder holds
function M.keep(natives, dir, keys)
  if keys then
    natives.storage.replace(dir .. NAME, keys) -- if this fails, actions need --keys
  else
    natives.storage.remove(dir .. NAME)
  end
end

--- The public keys of a folder.
-- @tparam table natives update.natives
-- @tparam string dir
-- @tparam string|nil keys folder of public keys, or one key; else those of keep(); else dir if it has *.pub, else
--   dir/keys
-- @tparam table files of dir, by name
-- @treturn string their folder, or the one key
-- @treturn string a text that changes when the keys change: every package is then read again
function M.keys(natives, dir, keys, files)
  keys = keys or natives.storage.read(dir .. NAME) or holds_keys(files) and dir or dir .. "/keys"
  local parts = {}
  for _, found in ipairs(natives.folder.list(keys) or {}) do
    if found.name:find("%.pub$") then parts[#parts + 1] = found.name .. M.stamp(found) end
  end
  table.sort(parts)
  return keys, keys .. "\n" .. table.concat(parts, "\n")
end

return M
