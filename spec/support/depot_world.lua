--- What specs of the depot's clouds share: packages in a folder, and clients of a broker that stand for devices.
--
-- @module spec.support.depot_world

local acts = require "depot.acts"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local recipe = require "cli.recipe"
local store = require "depot.store"
local tokens = require "depot.acts.tokens"
local users = require "depot.acts.users"

local M = {}

local PATIENCE = 20 -- seconds after which something is broken, not slow

--- A package as the catalog has it, which no file stands behind. `overrides`: devices, and fields of the manifest
function M.entry(sequence, release, overrides)
  local e = { name = release .. ".upd", manifest = { digest = "d" .. release, product_key = "h", sequence = sequence,
    release = release, parts = { { kind = "script" } } } }
  for name, value in pairs(overrides or {}) do
    if name == "devices" then e.devices = value else e.manifest[name] = value end
  end
  return e
end

--- A folder with `packages`, and a key that it trusts.
-- @tparam string dir
-- @treturn table of spec.support.folder, pack(name, product, sequence, version) and pack_hotfix, of the same
function M.folder(dir)
  local folder = folders.new()
  folder.use(dir, "packages/keys", "app")
  assert(natives.minisign.keygen(dir .. "/release"))
  assert(os.rename(dir .. "/release.pub", dir .. "/packages/keys/release.pub"))
  local function pack(name, text)
    folder.write("recipe.lua", text)
    local packer <close> = assert(natives.pack.open(assert(recipe.load(dir .. "/recipe.lua")),
      dir .. "/packages/" .. name, dir .. "/release.key"))
    repeat
      local word = assert(packer:step())
    until word == "done"
  end
  function folder.pack(name, product, sequence, version)
    folder.write("app/main.lua", ('PROJECT, VERSION = "METER", "%s"\n'):format(version))
    pack(name, ([[return { project = "METER", product_key = "%s", sequence = %d, version = "%s",
      script = { dir = "app" } }]]):format(product, sequence, version))
  end
  function folder.pack_hotfix(name, product, sequence, version)
    folder.use(dir, "fix/lua")
    folder.write("fix/lua/clock.lua", ("return %q\n"):format(version))
    pack(name, ([[return { project = "METER", product_key = "%s", sequence = %d,
      hotfix = { dir = "fix", name = "clock", version = "%s", base = { script = "1.0.0" } } }]]):format(product,
      sequence, version))
  end
  return folder
end

--- A folder with the package METER_1.0.1.upd of product "pk", and three of its devices.
-- @tparam string dir
-- @treturn table folder, dir (of the packages), store, pk (hash of the product's key)
function M.with_devices(dir)
  local self = { folder = M.folder(dir), dir = dir .. "/packages", pk = natives.digest.sha256 "pk" }
  self.folder.pack("METER_1.0.1.upd", "pk", 2, "1.0.1")
  self.store = assert(store.open(natives, self.dir))
  for _, name in ipairs { "dev1", "dev2", "dev3" } do
    assert(self.store:put { cloud = "aliyun", product = "pk", device = name, hash = self.pk, release = "1.0.0",
      heard = 5000 })
  end
  return self
end

--- A user with roles, and a token of his.
-- @tparam table kept store
-- @tparam string name
-- @tparam {[hash]=role} roles
-- @tparam[opt] table token as for depot.acts.tokens
-- @treturn string token
-- @treturn table his row
function M.user(kept, name, roles, token)
  local world = { natives = natives, store = kept, actor = { name = "spec" } }
  assert(acts.change(world, function() return users.add(world, name, roles) end))
  local row = kept:account(name)
  return assert(tokens.add(world, { account = row.id, name = name }, token or { name = "spec" })), row
end

--- Take what came for clients: {mqtt, inbox (array), subscribed (set when the broker said so)}.
function M.take(clients)
  for _, client in ipairs(clients) do
    for event in client.mqtt.step, client.mqtt do
      client.subscribed = client.subscribed or event.kind == "subscribed"
      if event.kind == "message" then table.insert(client.inbox, event) end
    end
  end
end

--- Step until something is there.
-- @tparam function step
-- @tparam string what it is, for the message
-- @tparam function done -> what is returned, or nil
function M.wait(step, what, done)
  local till = natives.loop.now() + PATIENCE
  while true do
    local result = done()
    if result then return result end
    assert(natives.loop.now() < till, "nothing came of " .. what)
    step()
  end
end

--- What a client hears next.
-- @tparam function wait(what, done)
-- @tparam table client
-- @treturn table decoded JSON, event
function M.hear(wait, client)
  local event = wait(client.name .. " hearing something", function() return table.remove(client.inbox, 1) end)
  return assert(natives.json.decode(event.payload)), event
end

return M
