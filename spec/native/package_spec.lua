-- minisign, package, verify and pack as scripts see them.

local minisign = require "update.native.minisign"
local pack = require "update.native.pack"
local package = require "update.native.package"
local source = require "update.native.source"
local verify = require "update.native.verify"

local folder = require("spec.support.folder").new()
local path, write = folder.path, folder.write

local function make(changes, name)
  local recipe = { project = "METER", product_key = "k-123", hardware = { "rev-a", "rev-b" }, sequence = 18,
    release = "1.0.1", script = { dir = path("app"), version = "1.0.1" },
    core = { image = path("core.img"), name = "Luat", version = 22, encoding = "raw", block_size = 4096 },
    override = { "version" }, requires = { core = "Luat", version = 17 }, issued = 1700000000 }
  for field, value in pairs(changes or {}) do recipe[field] = value or nil end
  local packer <close> = assert(pack.open(recipe, path(name or "p.upd"), path("k.key")))
  local steps = 0
  repeat
    local word = assert(packer:step())
    steps = steps + 1
  until word == "done"
  return packer:manifest(), packer:size(), steps
end

setup(function()
  folder.make("app", "tx")
  write("app/main.lua", 'VERSION = "1.0.1"\n')
  write("core.img", ("core image "):rep(3000))
  assert(minisign.keygen(path("k")))
end)

teardown(folder.remove)

describe("update.native.pack", function()
  it("packs a block a step", function()
    local manifest, size, steps = make()
    assert.equal(18, manifest.sequence)
    assert.truthy(size > 33000)
    assert.truthy(steps > 9)
  end)

  it("reports failures of the system", function()
    local recipe = { project = "P", product_key = "k", sequence = 1, release = "1",
      script = { dir = path("absent"), version = "1" } }
    local p, message, code = pack.open(recipe, path("q.upd"), path("k.key"))
    assert.is_nil(p)
    assert.matches("absent", message)
    assert.equal("missing", code)
    recipe.script.dir = path("app")
    recipe.sequence = 0
    p, message, code = pack.open(recipe, path("q.upd"), path("k.key"))
    assert.is_nil(p)
    assert.matches("sequence", message)
    assert.equal("usage", code)
    recipe.sequence = 1
    p, message, code = pack.open(recipe, path("q.upd"), path("k.pub"))
    assert.is_nil(p)
    assert.matches("k.pub", message)
    assert.equal("usage", code)
  end)

  it("raises on misuse", function()
    assert.error(function() pack.open("recipe", "out", "key") end)
    assert.error(function() pack.open({ sequence = "1" }, "out", "key") end)
    assert.error(function() pack.open({ project = ("p"):rep(65) }, "out", "key") end)
    assert.error(function() pack.open({ script = {} }, "out", "key") end)
    assert.error(function() pack.open({ hardware = { {} } }, "out", "key") end)
    local p = assert(pack.open({ project = "P", product_key = "k", sequence = 1, release = "1",
      script = { dir = path("app"), version = "1" } }, path("q.upd"), path("k.key")))
    p:close()
    p:close()
    assert.error(function() p:step() end)
    assert.is_nil(io.open(path("q.upd.data")))
  end)
end)

describe("update.native.package", function()
  it("passes on any names of rules to skip, since their meaning is policy's", function()
    local manifest = make({ override = { "moon", "tide" } }, "moon.upd")
    assert.same({ "moon", "tide" }, manifest.override)
    assert.same({ "version" }, make().override)
  end)

  it("gives the manifest once the head is verified", function()
    make()
    local s <close> = assert(source.file(path("p.upd")))
    local p <close> = assert(package.open(s, path("k.pub"), path("tx")))
    assert.is_nil(p:manifest())
    assert.is_nil(p:layout())
    assert.is_true(p:step())
    assert.is_true(p:step())
    local m = p:manifest()
    assert.same({ "METER", "1.0.1", 18, "1.0.1", "Luat", 22, "Luat", 17, 1700000000 }, { m.project, m.release,
      m.sequence, m.script_version, m.core_name, m.core_version, m.requires_core, m.requires_version, m.issued })
    assert.same({ { "rev-a", "rev-b" }, { "version" } }, { m.hardware, m.override })
    assert.is_nil(m.not_after or m.deadline or m.text or m.min_moult)
    assert.equal(64, #m.digest)
    assert.equal(2, #m.parts)
    assert.same({ kind = "core", size = 33000, block_size = 4096, index_size = 32 + 80 * 9, data_size = 33000,
      delta = false }, m.parts[2])
    assert.equal(s:size(), p:layout().size)
    assert.same(m, assert(package.load(path("tx"), folder.dir)))
  end)

  it("keeps its source alive, and notices when that was closed", function()
    make()
    local p = assert(package.open(assert(source.file(path("p.upd"))), path("k.pub")))
    collectgarbage()
    collectgarbage()
    assert.is_true(p:step())
    p:close()
    assert.error(function() p:step() end)
    local s = assert(source.file(path("p.upd")))
    p = assert(package.open(s, path("k.pub")))
    s:close()
    assert.error(function() p:step() end)
    p:close()
  end)

  it("refuses a package without a trusted signature", function()
    make()
    assert(minisign.keygen(path("other")))
    local s <close> = assert(source.file(path("p.upd")))
    local p <close> = assert(package.open(s, path("other.pub")))
    local ok, message, code = p:step()
    assert.is_nil(ok)
    assert.matches("not trusted", message)
    assert.equal("untrusted", code)
    assert.is_nil(p:manifest())
    local none, why, word = package.open(s, path("app"))
    assert.is_nil(none)
    assert.matches("no .pub file", why)
    assert.equal("untrusted", word)
    local loaded, _, failure = package.load(path("app"), folder.dir)
    assert.same({ nil, "missing" }, { loaded, failure })
  end)
end)

describe("update.native.verify", function()
  it("walks every block", function()
    make { hardware = false }
    local s <close> = assert(source.file(path("p.upd")))
    local v <close> = assert(verify.open(s, folder.dir))
    assert.is_nil(v:manifest())
    assert.is_nil(v:size())
    repeat local word = assert(v:step()) until word == "done"
    assert.same({ raw = 9, zstd = 1 }, v:blocks())
    assert.equal(s:size(), v:size())
    assert.same({ v:progress() }, { 33000 + 2048, 33000 + 2048 })
    assert.same({}, v:manifest().hardware)
  end)
end)

describe("update.native.minisign", function()
  it("signs and verifies", function()
    local sig = assert(minisign.sign(path("k.key"), "text\0with nul", "a comment"))
    assert.equal("a comment", minisign.verify(path("k.pub"), "text\0with nul", sig))
    local ok, message, code = minisign.verify(path("k.pub"), "text", sig)
    assert.is_nil(ok)
    assert.matches("did not sign", message)
    assert.equal("untrusted", code)
    assert.equal("usage", (select(3, minisign.sign(path("k.key"), "text", "two\nlines"))))
    assert.equal("missing", (select(3, minisign.sign(path("absent"), "text", "c"))))
    assert.equal("usage", (select(3, minisign.keygen(path("k")))))
  end)
end)
