-- A withdrawn release stays withdrawn: without the database, after its loss, and when nothing can be told.

local catalog = require "depot.catalog"
local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"
local releases = require "depot.releases"
local site = require "depot.site"
local store = require "depot.store"
local release_file = require "depot.release_file"
local withdrawn = require "depot.withdrawn"

describe("a withdrawn release", function()
  local dir, folder, manifest

  local function entries()
    local known = catalog.new(natives, dir .. "/packages")
    local changes = assert(known:refresh())
    return known:packages(), changes
  end

  setup(function()
    dir = os.tmpname()
    os.remove(dir)
    folder = depot_world.folder(dir)
    folder.pack("one.upd", "pk", 1, "1.0.0")
    folder.pack("two.upd", "pk", 2, "2.0.0")
    manifest = entries()[2].manifest
  end)

  teardown(function() os.execute("rm -r " .. dir) end)

  after_each(function() os.execute("rm -rf " .. dir .. "/packages/depot.db* " .. dir .. "/packages/.withdrawn") end)

  local function withdraw()
    local s <close> = setmetatable({}, { __close = function(t) t[1]:close() end })
    s[1] = assert(store.open(natives, dir .. "/packages"))
    assert(s[1]:change())
    assert(s[1]:withdraw(manifest, 1))
    assert(s[1]:settle_withdrawn(dir .. "/packages", 1))
    assert(s[1]:commit())
  end

  it("is none without the file", function()
    for _, entry in ipairs((entries())) do assert.is_nil(entry.withdrawn) end
  end)

  it("is known to a depot that opens no database, as in a copy of the packages", function()
    withdraw()
    os.execute("rm " .. dir .. "/packages/depot.db*")
    local list = entries()
    assert.same({ nil, true }, { list[1].withdrawn, list[2].withdrawn })
  end)

  it("is that of one hardware, if its product has one for each of several", function()
    local s = assert(store.open(natives, dir .. "/packages"))
    local function of(...)
      return { manifest = { product_key = manifest.product_key, release = "3.0.0", sequence = 3, hardware = { ... } } }
    end
    local function marks()
      local list = { of "B", of("A", "C"), of("C", "A"), of(), { manifest = manifest } }
      releases.mark(list, assert(s:withdrawn()))
      local found = {}
      for i, entry in ipairs(list) do found[i] = entry.withdrawn or false end
      return found
    end
    assert(s:change())
    assert(s:withdraw(of("C", "A").manifest, 1))
    assert(s:settle_withdrawn(dir .. "/packages", 1))
    assert(s:commit())
    assert.same({ false, true, true, false, false }, marks())
    s:close()
    os.execute("rm " .. dir .. "/packages/depot.db*") -- the file has it, too
    s = assert(store.open(natives, dir .. "/packages"))
    assert(s:change())
    assert(s:settle_withdrawn(dir .. "/packages", 2))
    assert(s:commit())
    assert.same({ false, true, true, false, false }, marks())
    assert(s:change())
    assert(s:withdraw(of().manifest, 3)) -- as earlier versions wrote all of them
    assert.same({ true, true, true, true, false }, marks())
    s:abandon()
    s:close()
  end)

  it("becomes known while the folder is served", function()
    local known = catalog.new(natives, dir .. "/packages")
    assert(known:refresh())
    assert.is_nil(known:file("two.upd").withdrawn)
    withdraw()
    assert(known:refresh())
    assert.is_true(known:file("two.upd").withdrawn)
  end)

  it("comes back to a database that was lost", function()
    withdraw()
    os.execute("rm " .. dir .. "/packages/depot.db*")
    local s = assert(store.open(natives, dir .. "/packages"))
    assert.same({}, s:withdrawn())
    assert(s:settle_withdrawn(dir .. "/packages", 2))
    assert.same({ [release_file.key(manifest.product_key, "2.0.0", 2)] = true }, s:withdrawn())
    s:close()
  end)

  it("may be any if the file cannot be read, so none is offered, which is said once", function()
    assert(os.execute("mkdir " .. dir .. "/packages/.withdrawn"))
    local known = catalog.new(natives, dir .. "/packages")
    local changes = assert(known:refresh())
    assert.same({ ".withdrawn", "skipped" }, { changes[1].name, changes[1].change })
    for _, entry in ipairs(known:packages()) do assert.is_true(entry.withdrawn) end
    assert.same({}, assert(known:refresh()))
    assert.is_nil(withdrawn.add(natives, dir .. "/packages", { x = true }))
    assert(os.execute("rmdir " .. dir .. "/packages/.withdrawn"))
    assert(known:refresh())
    for _, entry in ipairs(known:packages()) do assert.is_nil(entry.withdrawn) end
  end)

  it("is refused to signed links while they cannot be checked, but what has begun goes on", function()
    local entry = { name = "a.upd", path = "/a", size = 9, tag = '"1"', manifest = manifest, withdrawn = true }
    local world = { file = function() return entry end, check = function() end }
    local function status(query, range, can_check)
      world.can_check = function() return can_check end
      return site.answer(world, { method = "GET", path = "/a.upd", query = query, headers = { range = range } }).status
    end
    local signed = { Signature = "x", Expires = "1", For = "aliyun/pk/d" }
    assert.equal(403, status(signed, nil, false))
    assert.equal(403, status({}, nil, true))
    assert.is_not.equal(403, status(signed, "bytes=5-", false))
    assert.is_not.equal(403, status(signed, nil, true))
  end)
end)
