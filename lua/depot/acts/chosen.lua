--- Which devices a command, or a request, means by its options.
--
-- @module depot.acts.chosen

local acts = require "depot.acts"
local filters = require "depot.filter"

local M = {}

--- The condition on devices that the options mean.
-- @tparam table context store, opts, filter
-- @tparam[opt] table entry only devices of this package's product
-- @treturn table of depot.store.where
function M.where(context, entry)
  local opts = context.opts
  local where = context.store:where(context.filter, acts.now())
  if opts.device then where:any_of("device", opts.device) end
  if opts.product then where:add("product = ?", opts.product) end
  if opts.cloud then where:add("cloud = ?", opts.cloud) end
  if opts.from then where:add("? IN (release, other)", opts.from) end
  if entry then where:add("hash = ?", entry.manifest.product_key) end
  return where
end

--- The devices that the options mean.
-- @tparam table context store, opts, filter
-- @tparam[opt] table entry only devices of this package's product
-- @treturn {table,...}|nil rows; nil, message, code
function M.devices(context, entry) return context.store:select(M.where(context, entry)) end

--- The devices of a product that are called so; if none is, those whose name is another spelling of the same MAC.
-- @tparam table store
-- @tparam string hash of the product's key
-- @tparam string name
-- @treturn {table,...}|nil rows; nil, message, code
function M.named(store, hash, name)
  local found, message, code
  for _, names in ipairs { { name }, filters.spellings(name) } do
    local where = store:where()
    where:any_of("device COLLATE NOCASE", names)
    where:add("hash = ?", hash)
    if #names == 1 then where:add("device = ?", name) end
    found, message, code = store:select(where)
    if not found or #found > 0 then break end
  end
  return found, message, code
end

return M
