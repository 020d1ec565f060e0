--- What the actions of `moult depot` have in common: the folder's packages and
-- the store, and which devices the options mean.
--
-- Each action is a module with run(context); a context is {dir, name (of a
-- package, or nil), opts, env, natives, lasting (see depot.filter)}. Actions also work while a depot runs: each
-- changes rows in one transaction and marks them as due, and the depot looks for due rows.
--
-- @module depot.actions.base

local acts = require "depot.acts"
local bulk = require "depot.acts.bulk"
local catalog = require "depot.catalog"
local choice = require "depot.choice"
local chosen = require "depot.acts.chosen"
local disabled = require "depot.disabled"
local filters = require "depot.filter"
local lock = require "depot.lock"
local releases = require "depot.releases"
local store = require "depot.store"
local http_devices = require "depot.http_devices"
local verbs_of = require "depot.verbs"

local M = {}

M.now = acts.now

--- Open the store, unless the context has one, and read the folder.
-- @treturn table|nil the context with store, packages (array), by_digest; nil, message, code
function M.open(context)
  local natives = context.natives
  if context.opts.filter then
    local filter, why, word = filters.parse(context.opts.filter, context.lasting)
    if not filter then return nil, why, word end
    context.filter = filter
  end
  local known = catalog.new(natives, context.dir, context.opts.keys)
  local changes, message, code = known:refresh()
  if not changes then return nil, message, code end
  context.catalog, context.packages, context.by_digest = known, known:packages(), {}
  for _, entry in ipairs(context.packages) do
    context.by_digest[entry.manifest.digest] = entry
  end
  if not context.store then
    context.store, message, code = store.open(natives, context.dir)
    if not context.store then return nil, message, code end
  end
  local withdrawn, off
  withdrawn, message, code = context.store:withdrawn()
  if withdrawn then off, message, code = context.store:disabled() end
  if not off then
    context.store:close()
    return nil, message, code
  end
  releases.mark(context.packages, withdrawn)
  disabled.mark(context.packages, off)
  context.actor = context.actor or acts.local_actor()
  return context
end

--- The package that the command means: the one that it names, else the newest of --product.
-- @treturn table|nil entry of the catalog; nil, message, code
function M.package(context)
  if not context.name then
    if not context.opts.product then
      return nil, "name a package, or give --product for the newest package of a product", "usage"
    end
    local entry = choice.newest(context.packages, context.natives.digest.sha256(context.opts.product))
    if entry then return entry end
    return nil, ("no package in %s belongs to product %s"):format(context.dir, context.opts.product), "missing"
  end
  local name = context.name:match "[^/]+$"
  local entry = name and context.catalog:file(name)
  if not entry then return nil, ("%s has no package %s"):format(context.dir, context.name), "missing" end
  if not entry.manifest then return nil, ("%s: %s"):format(name, entry.reason), "untrusted" end
  if choice.is_delta(entry.manifest) then
    return nil, name .. " is a delta; name the full package, since the depot does not know the cores of these devices",
      "incompatible"
  end
  return entry
end

--- The package that the command names, if it names one.
-- @treturn table|boolean|nil entry; false: none is named; nil, message, code
function M.named(context)
  if not context.name then return false end
  return M.package(context)
end

-- Whether the options mean a device; `names`: of --device, or nil.
local function is_meant(context, names, row)
  local opts = context.opts
  return (not names or names[row.device])
    and (not context.filter or filters.means(context.filter, row, M.now(), context.about))
    and (not opts.product or opts.product == row.product)
    and (not opts.cloud or opts.cloud == row.cloud)
    and (not opts.from or opts.from == row.release or opts.from == row.other)
end

local function set_of(list)
  if not list then return nil end
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

M.where, M.devices = chosen.where, chosen.devices

--- Rows that a list shows, without --first.
M.LISTED = 1000

--- The first rows of a list.
-- @tparam table context opts.first
-- @tparam function rows function(limit) -> array; nil, message, code
-- @treturn {table,...}|nil rows; nil, message, code
-- @treturn boolean whether there are more
function M.page(context, rows)
  local limit = context.opts.first or M.LISTED
  local list, message, code = rows(limit + 1)
  if not list then return nil, message, code end
  local more = #list > limit
  for i = limit + 1, #list do list[i] = nil end
  return list, more
end

--- Change the jobs of devices that the options mean, within change().
-- @tparam table context
-- @tparam table|boolean entry only jobs of this package; false: all jobs
-- @tparam function method(row, now) -> whether the row was changed
-- @treturn integer|nil how many; nil, message, code
function M.each_job(context, entry, method)
  local rows, message, code = M.devices(context)
  if not rows then return nil, message, code end
  return bulk.each_job(context, rows, function(row, now)
    return (not entry or entry.manifest.digest == row.package) and method(row, now)
  end)
end

--- The devices that ask over HTTP and have no row of their own: only staged depots give them jobs.
-- @treturn {table,...}|nil rows of depot.http_devices; nil, message, code
function M.http_devices(context)
  local rows, message, code = http_devices.read(context.natives, context.dir)
  if not rows then return nil, message, code end
  local names, meant = set_of(context.opts.device), {}
  for _, row in ipairs(rows) do
    local kept = context.store:get("luat", row.product, row.device)
    if kept == nil then return nil, "depot.db cannot be read", "busy" end
    if not kept and is_meant(context, names, row) then meant[#meant + 1] = row end
  end
  return meant
end

--- A row for a device that has never reported, if the options say enough about it.
-- @treturn table|nil nil: --cloud or --product is missing, or it is not this package's product
function M.unheard(context, entry, name)
  local opts = context.opts
  if not opts.cloud or not opts.product then return nil end
  local hash = context.natives.digest.sha256(opts.product)
  if hash ~= entry.manifest.product_key then return nil end
  return { cloud = opts.cloud, product = opts.product, device = name, hash = hash }
end

M.change, M.parts = acts.change, acts.parts

-- The options that say which devices are meant.
local CHOOSE = { "cloud", "product", "from", "filter" }

--- An act on a package, or on the jobs of devices.
-- @tparam table context
-- @tparam string verb
-- @tparam table|boolean entry of the catalog; false: none is named
-- @treturn table for change()
function M.act(context, verb, entry)
  local said = {}
  for _, name in ipairs(CHOOSE) do
    if context.opts[name] then said[#said + 1] = ("%s %s"):format(name, context.opts[name]) end
  end
  for _, name in ipairs(context.opts.device or {}) do said[#said + 1] = "device " .. name end
  return { verb = verb, object = entry and "package " .. entry.name or "jobs", product = entry
    and entry.manifest.product_key or nil, after = #said > 0 and table.concat(said, ", ") or nil }
end

--- Say so if no depot runs that could carry out the jobs.
function M.warn_when_alone(context)
  if not lock.is_held(context.natives, context.dir) then
    context.env.note(("no depot with --mqtt serves %s now; the jobs wait for one"):format(context.dir))
  end
end

--- Open, run, close.
-- @tparam table context
-- @tparam function work function(context)
-- @return what work() returns
function M.within(context, work)
  local opened, message, code = M.open(context)
  if not opened then return nil, message, code end
  local result
  result, message, code = work(opened)
  opened.store:close()
  return result, message, code
end

--- The same, for what only a depot with --mqtt keeps: its store is there.
function M.within_served(context, work)
  if store.exists(context.dir) then return M.within(context, work) end
  return nil, ("%s has no depot.db: no depot with --mqtt has served it yet"):format(context.dir), "missing"
end

--- Run the verb of an action.
-- @tparam table context with verb
-- @tparam string action
-- @tparam {[verb]=function} verbs
-- @tparam[opt] function within M.within, where no depot has to have served the folder; default: M.within_served
function M.run_verb(context, action, verbs, within)
  local verb, message, code = verbs_of.find(action, verbs, context.verb)
  if not verb then return nil, message, code end
  return (within or M.within_served)(context, verb)
end

return M
