--- What the parts of a path name: {P} a product, {D} a device, {R} a release, {H} a hotfix, {X} a rollout, {N} a user,
-- {G} a group, {F} a package, {A} a change that can be taken back, {W} a webhook.
--
-- Each is loaded and shown in one place, with the product that rights are asked for, and an ETag over what people can
-- change of it.
--
-- @module depot.api.objects

local devices = require "depot.acts.devices"
local ids = require "depot.api.ids"
local lists = require "depot.acts.release_lists"
local patches = require "depot.acts.patches"
local releases = require "depot.acts.releases"
local undo = require "depot.acts.undo"
local users = require "depot.acts.users"
local views = require "depot.rollout.view"
local webhooks = require "depot.acts.webhooks"

local M = {}

local function missing(what) return nil, ("there is no such %s"):format(what), "missing" end

local function number_of(text)
  return text:find "^%d+$" and #text < 16 and math.tointeger(tonumber(text)) or nil
end
M.number_of = number_of

-- The ETag of what people can change.
local function tag_of(world, value)
  return ('"%s"'):format(world.natives.digest.sha256(world.natives.json.encode(value)):sub(1, 16))
end

--- A device as routes show it.
function M.device(world, row)
  local object = devices.object(row, world.natives.printable.text, world.natives.json.null)
  object.id, object.product_key, object.tags = ids.of(row), row.hash, world.natives.json.array(row.tags)
  object.rollout, object.wave = row.rollout or world.natives.json.null, row.wave or world.natives.json.null
  object.note = row.note or world.natives.json.null
  return object
end

--- A hotfix as routes show it.
function M.hotfix(world, row)
  local object, message, code = patches.object(world, row)
  if not object then return nil, message, code end
  object.id, object.product_key = row.id, row.hash
  return object
end

--- A rollout as routes show it.
function M.rollout(world, rollout) return views.object(world, rollout) end

--- {[letter] = {load = function(world, text) -> object; or nil, message, code, product = function(object) -> hash,
-- name = function(object) -> as the audit has it, etag = function(world, object)}}.
M.kinds = {
  P = {
    load = function(world, text)
      local known, message, code = world:products()
      if not known then return nil, message, code end
      local product = known[text]
      if product then return product end
      return missing "product"
    end,
    product = function(product) return product.product_key end,
    name = function(product) return "product " .. product.name end,
    etag = function(world, product)
      return tag_of(world, { mode = product.mode, enabled = product.enabled, zone = product.zone,
        unsigned = product.unsigned, admit = product.admit })
    end,
  },
  D = {
    load = function(world, text)
      local id = ids.read(text)
      if not id then return missing "device" end
      local row, message, code = world.store:get(id.cloud, id.product, id.device)
      if row == false then return missing "device" end
      if row then
        local tagged
        tagged, message, code = world.store:tag_rows { row }
        if tagged then row.note, message, code = world.store:note(row) end
        if row.note == nil then return nil, message, code end
      end
      return row, message, code
    end,
    product = function(row) return row.hash end,
    name = function(row) return "device " .. row.device end,
    etag = function(world, row)
      return tag_of(world, { tags = world.natives.json.array(row.tags), note = row.note, hardware = row.hardware,
        admitted = row.admitted, zone = row.zone })
    end,
  },
  R = {
    load = function(world, text)
      for _, release in ipairs(releases.all(world)) do
        if release.id == text then return release end
      end
      return missing "release"
    end,
    product = function(release) return release.manifest.product_key end,
    name = releases.name,
    etag = function(world, release)
      local names = lists.names(release)
      return tag_of(world, { withdrawn = release.withdrawn or false, disabled = release.disabled,
        note = world.store:release_note(release.manifest),
        list = table.concat(names or { "*" }, "\n") })
    end,
  },
  F = {
    load = function(world, text)
      local entry = world.by_digest[text]
      if entry then return entry end
      return missing "package"
    end,
    product = function(entry) return entry.manifest.product_key end,
  },
  H = {
    load = function(world, text)
      local id, known, message, code = number_of(text), patches.of(world)
      if not known then return nil, message, code end
      local row
      if id then row, message, code = known:one(id) end
      if row == nil and code then return nil, message, code end
      if row then return row end
      return missing "hotfix"
    end,
    product = function(row) return row.hash end,
    name = function(row) return "patch " .. row.version end,
    etag = function(world, row) return tag_of(world, { stage = row.stage, about = row.about }) end,
  },
  X = {
    load = function(world, text)
      local id = number_of(text)
      if not id then return missing "rollout" end
      local rollout, message, code = world.store:rollout(id)
      if rollout == false then return missing "rollout" end
      return rollout, message, code
    end,
    product = function(rollout) return rollout.hash end,
    name = function(rollout) return ("rollout %d of %s"):format(rollout.id, rollout.target) end,
    etag = function(world, rollout)
      return tag_of(world, { state = rollout.state, plan = rollout.plan, priority = rollout.priority })
    end,
  },
  G = {
    load = function(world, text)
      local id = number_of(text)
      local all, message, code = world.store:groups()
      if not all then return nil, message, code end
      for _, group in ipairs(all) do
        if group.id == id then return group end
      end
      return missing "group"
    end,
    product = function(group) return group.hash end,
    name = function(group) return "group " .. group.name end,
    etag = function(world, group) return tag_of(world, { filter = group.filter, names = group.names }) end,
  },
  A = {
    load = function(world, text)
      local id = number_of(text)
      return undo.find(world, id or 0)
    end,
    product = function(change) return change.product end,
  },
  W = {
    load = function(world, text)
      local row, message, code = world.store:webhook(number_of(text) or 0)
      if row == false then return missing "webhook" end
      return row, message, code
    end,
    product = function(hook) return hook.product end,
    name = webhooks.name,
    etag = function(world, hook)
      return tag_of(world, { url = hook.url, events = world.natives.json.array(hook.events), enabled = hook.enabled })
    end,
  },
  N = {
    load = function(world, text) return users.find(world, text) end,
    name = function(row) return "user " .. row.name end,
    etag = function(world, row)
      return tag_of(world, { roles = world.store:roles(row.id), disabled = row.disabled })
    end,
  },
}

return M
