-- What is done to very many devices lets other programs write in between.

local admission = require "depot.acts.admission"
local devices = require "depot.acts.devices"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local slices = require "depot.acts.slices"
local store = require "depot.store"

describe("depot.acts.slices", function()
  local COUNT = 1200
  local folder, world, other

  before_each(function()
    folder = folders.new()
    local dir = folder.make "packages"
    world = { natives = natives, dir = dir .. "/packages", actor = { name = "spec" } }
    world.store = assert(store.open(natives, world.dir))
    other = assert(store.open(natives, world.dir, 0))
    assert(world.store:change())
    assert(world.store:add_product("h", "METER", "staged", 1))
    for i = 1, COUNT do
      assert(world.store:put { cloud = "aliyun", product = "pk", device = ("d%04d"):format(i), hash = "h" })
    end
    assert(world.store:commit())
  end)

  after_each(function()
    world.store:close()
    other:close()
    folder.remove()
  end)

  local function tag(before)
    return slices.devices(world, function(which)
      if before then before() end
      return devices.tag(world, which, { lab = true })
    end, world.store:devices())
  end

  local function tagged()
    return world.store.db:prepare("SELECT count(*) AS n FROM tag WHERE tag = 'lab'"):first().n
  end

  local function audited()
    local list = {}
    for _, row in ipairs(world.store.db:prepare("SELECT object FROM audit ORDER BY id"):all()) do
      list[#list + 1] = row.object
    end
    return list
  end

  it("changes all, with an audit row for each slice, and others write in between", function()
    local wrote = 0
    assert.equal(COUNT, tag(function()
      assert(other:change()) -- waits for no lock
      assert(other:commit())
      wrote = wrote + 1
    end))
    assert.same({ COUNT, 3 }, { tagged(), wrote })
    assert.same({ "500 devices", "500 devices", "200 devices" }, audited())
  end)

  it("leaves out what was forgotten meanwhile, and does not bring it back", function()
    local first = true
    assert.equal(COUNT - 1, tag(function()
      if first then assert(other:forget(other:get("aliyun", "pk", "d1100"))) end
      first = false
    end))
    assert.is_false(world.store:get("aliyun", "pk", "d1100"))
  end)

  it("says how many were changed before one failed", function()
    assert(world.store.db:execute [[CREATE TRIGGER bad BEFORE INSERT ON tag WHEN NEW.device LIKE 'd0700%'
      BEGIN SELECT RAISE(ABORT, 'no'); END]])
    local count, message = tag()
    assert.is_nil(count)
    assert.matches("; 500 were changed before$", message)
    assert.same({ 500, 1 }, { tagged(), #audited() })
    assert(world.store.db:execute "DROP TRIGGER bad")
    assert.equal(700, tag())
    assert.equal(COUNT, tagged())
  end)

  it("registers names, and does nothing for none", function()
    local names = {}
    for i = 1, 501 do names[i] = "new" .. i end
    local function register(slice)
      return admission.register(world, { cloud = "aliyun", hash = "h", product = "pk2" }, slice)
    end
    world.store.sha256 = function() return "h" end
    assert.equal(501, slices.each(world, names, register))
    assert.same({ "500 devices", "1 devices" }, audited())
    assert.equal(0, slices.devices(world, function(which) return #which() end, {}))
  end)
end)
