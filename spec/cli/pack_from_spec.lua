-- `moult pack` of a recipe that names older cores: the full package and its deltas.

local json = require "update.native.json"
local packing = require "cli.packing"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read, exists = folder.path, folder.write, folder.read, folder.exists
local verb, good = verbs.run, verbs.good

-- An image that no codec makes much smaller, the same for the same seed.
local function image(seed, changes)
  local state, words = seed, {}
  for i = 1, 40000 do
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    words[i] = string.pack("<I4", state >> 31)
  end
  for i = 1, changes do words[i * 997] = "new!" end
  return table.concat(words)
end

local FROM = "from = { { version = 17, image = 'core17.img' }, { version = 21, image = 'core21.img' } }"

local function pack(from, out, flags)
  write("recipe.lua", ([[return {
    project = "METER", product_key = "k-123", sequence = 18, version = "1.0.1", script = { dir = "app" },
    core = { name = "Luat", version = 22, image = "core22.img", %s } }]]):format(from))
  return good("pack", { path("recipe.lua") }, { key = path("release.key"), out = path(out) }, flags)
end

describe("moult pack with older cores", function()
  before_each(function()
    folder.make "app"
    write("app/main.lua", 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.1", "k-123"\nreturn 1\n')
    write("core17.img", image(7, 0))
    write("core21.img", image(7, 2))
    write("core22.img", image(7, 5))
    good("keygen", { path("release") })
  end)

  after_each(folder.remove)

  it("names deltas as the full package", function()
    local beside = require("cli.packing").beside
    assert.same({ "m-from-17.upd", "m-from-17.tar", "m.bin-from-17", "m-from-17" },
      { beside("m.upd", 17), beside("m.tar", 17), beside("m.bin", 17), beside("m", 17) })
  end)

  it("makes the full package and a delta for each, of one release", function()
    local out, notes, progress = pack(FROM, "m.upd")
    local labels = {}
    for _, row in ipairs(progress) do
      local done, total, label = table.unpack(row)
      assert.is_true(done <= total)
      labels[label] = done == total
    end
    assert.matches("m%-from%-17%.upd: release 1%.0%.1, sequence 18, %d+ bytes, %d+%.%d %% of the full package", out)
    assert.same({ packing = true, ["packing, from 17"] = true, ["packing, from 21"] = true }, labels)
    assert.equal("", notes)
    local sizes = {}
    for i, name in ipairs { "m.upd", "m-from-17.upd", "m-from-21.upd" } do
      assert.matches("good: release 1%.0%.1, sequence 18", (good("verify", { path(name) },
        { key = path("release.pub") })))
      sizes[i] = #read(name)
    end
    assert.is_true(sizes[2] < sizes[1] / 10 and sizes[3] <= sizes[2])
  end)

  it("names the base of a delta in the signed manifest", function()
    pack(FROM, "m.upd")
    local info = json.decode((good("info", { path("m-from-17.upd") }, { key = path("release.pub") }, { json = true })))
    local sum = io.popen("sha256sum < " .. path("core17.img")):read(64)
    assert.same({ version = 17, size = #read("core17.img"), sha256 = sum }, info.manifest.parts[2].source)
    assert.matches("core version 17", (good("info", { path("m-from-17.upd") }, { key = path("release.pub") })))
  end)

  it("gives the same bytes again", function()
    pack(FROM, "one.upd")
    pack(FROM, "two.upd")
    for _, tail in ipairs { ".upd", "-from-17.upd", "-from-21.upd" } do
      assert.truthy(read("one" .. tail) == read("two" .. tail))
    end
    pack("", "three.upd") -- nor do deltas change the full package
    assert.truthy(read("one.upd") == read("three.upd"))
    assert.is_false(exists("three-from-17.upd"))
  end)

  it("prints JSON, and writes nothing on a dry run", function()
    local object = json.decode((pack(FROM, "m.upd", { json = true })))
    assert.same({ 17, 21 }, { object.deltas[1].from, object.deltas[2].from })
    assert.same({ #read("m.upd"), #read("m-from-21.upd") }, { object.size, object.deltas[2].size })
    assert.not_equal(object.digest, object.deltas[1].digest)
    local out = pack(FROM, "dry.upd", { dry_run = true })
    assert.matches("dry%-from%-21%.upd: would be release 1%.0%.1, sequence 18, from core version 21", out)
    assert.is_false(exists("dry.upd") or exists("dry-from-17.upd"))
  end)

  it("warns of an image that is compressed inside", function()
    write("core22.img", "\x1f\x8b\x08" .. image(7, 5))
    local _, notes = pack(FROM, "m.upd")
    assert.matches("core22%.img is compressed with gzip: a delta will hardly", notes)
    _, notes = pack("", "m.upd")
    assert.equal("", notes)
  end)

  it("refuses an older image of 2 GiB before it reads it", function()
    assert(os.execute(("truncate -s 2147483648 %s"):format(path("core21.img"))))
    write("recipe.lua", ([[return { project = "METER", product_key = "k-123", sequence = 18, version = "1.0.1",
      core = { name = "Luat", version = 22, image = "core22.img", %s } }]]):format(FROM))
    local _, message, code = verb("pack", { path("recipe.lua") }, { key = path("release.key"), out = path("m.upd") })
    assert.matches("core21%.img: 2147483648 bytes; a delta needs an older image of less than 2 GiB", message)
    assert.equal("usage", code)
    assert.is_true(exists("m-from-17.upd"))
  end)

  it("names an older image that is not there, and leaves nothing half made", function()
    os.remove(path("core21.img"))
    write("recipe.lua", ([[return { project = "METER", product_key = "k-123", sequence = 18, version = "1.0.1",
      core = { name = "Luat", version = 22, image = "core22.img", %s } }]]):format(FROM))
    local exit, message, code = verb("pack", { path("recipe.lua") }, { key = path("release.key"), out = path("m.upd") })
    assert.is_nil(exit)
    assert.matches("core21%.img", message)
    assert.equal("missing", code)
    assert.is_true(exists("m-from-17.upd"))
    for _, name in ipairs { "m-from-21.upd", "m-from-21.upd.new", "m-from-21.upd.data" } do
      assert.is_false(exists(name))
    end
  end)
end)

describe("cli.packing.beside", function()
  it("puts the version before the ending", function()
    assert.equal("a.b/METER-from-17.upd", packing.beside("a.b/METER.upd", 17))
    assert.equal("a.upd/METER-from-0", packing.beside("a.upd/METER", 0))
  end)
end)
