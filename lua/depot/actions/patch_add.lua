--- `moult depot patch add DIR FILE`: take in a patch.
--
-- Durable order: the file, then its row. A file without a row is written over when
-- the patch is added again.
--
-- @module depot.actions.patch_add

local base = require "depot.actions.base"
local frame = require "update.cloud.qinglian_frame"
local into_folder = require "depot.actions.into_folder"
local patch_store = require "depot.patch_store"

local M = {}

local SIZE = 0xFFFFFFFF -- bytes; the cloud counts with 32 bits
local ABOUT = 200       -- bytes

-- The row of a patch, from its manifest; nil, message, code.
local function row_of(context, path)
  local manifest, message, code = into_folder.manifest(context, path)
  if not manifest then return nil, message, code end
  if not manifest.hotfix then
    return nil, ("%s: not a hotfix; `moult depot add` takes releases"):format(path), "incompatible"
  end
  local about = context.opts.about
  if about and (#about > ABOUT or about ~= context.natives.printable.text(about)) then
    return nil, ("--about takes at most %d printable bytes"):format(ABOUT), "usage"
  end
  return { hash = manifest.product_key, name = manifest.hotfix.name, version = manifest.hotfix.version, about = about,
    digest = manifest.digest, size = 0, crc = 0xFFFF }
end

--- @tparam table context dir, name (path of the package), opts, env, natives, patches
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local path = context.name
  if not path then return nil, "usage: moult depot patch add DIR FILE [--about TEXT]", "usage" end
  local row, message, code = row_of(context, path)
  if not row then return nil, message, code end
  local there = context.patches:find(row.version, row.hash)
  if there and there[1] then
    return nil, ("version %s is taken by patch %s of this product; each patch needs its own"):format(row.version,
      there[1].name), "refused"
  end
  local ok
  ok, message, code = into_folder.put(context.dir, patch_store.file(row), function(to)
    return into_folder.copy(path, to, function(piece)
      row.size, row.crc = row.size + #piece, frame.crc16(piece, row.crc)
    end)
  end)
  if not ok then return nil, message, code end
  if row.size > SIZE then return nil, path .. ": larger than 4 GiB", "nospace" end
  local item
  local act = { verb = "patch.add", object = "patch " .. row.version, product = row.hash }
  item, message, code = base.change(context, function() return context.patches:add(row, base.now()) end, act)
  if not item then return nil, message, code end
  context.env.out(context.env.json and context.natives.json.encode { name = row.name, version = row.version,
    stage = "uploaded" } or ("patch %s %s: added; verify it on a device next"):format(row.name, row.version))
  return 0
end

return M
