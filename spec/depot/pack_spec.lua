-- `moult depot pack`: what is missing of a folder's packages.

local depot_pack = require "cli.depot_pack"
local json = require "update.native.json"
local natives = require "update.natives"
local pending = require "depot.pending"
local signed = require "cli.signed"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read = folder.path, folder.write, folder.read
local verb = verbs.run

local function pack(flags)
  local exit, message, code, out, notes = verb("depot", { "pack", path("depot") }, { key = path("release.key") }, flags)
  assert.equal(0, exit, message and ("%s (%s)"):format(message, code))
  return out, notes
end

local function image(number)
  return ("%d of these are different "):format(number) .. ("core image, "):rep(9000)
end

local function recipe(text)
  write("depot/recipe.lua", ([[return { project = "METER", product_key = "k-123", sequence = 18, version = "1.0.1",
    script = { dir = "../app" }, %s }]]):format(text or 'core = { name = "L", version = 22, image = "core22.img" }'))
end

local function manifest(name)
  return assert(signed.peek(path("depot/" .. name))).manifest
end

local function packages()
  local names = {}
  for _, entry in ipairs(assert(natives.folder.list(path("depot")))) do
    if entry.name:find("%.upd") then names[#names + 1] = entry.name end
  end
  table.sort(names)
  return names
end

describe("moult depot pack", function()
  before_each(function()
    folder.make("app", "depot")
    write("app/main.lua", 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.1", "k-123"\nreturn 1\n')
    for _, n in ipairs { 17, 21, 22 } do write(("depot/core%d.img"):format(n), image(n)) end
    recipe()
    assert.equal(0, (verb("keygen", { path("release") })))
  end)

  after_each(folder.remove)

  local ALL = { "METER_1.0.1-from-17.upd", "METER_1.0.1-from-21.upd", "METER_1.0.1.upd" }

  it("makes a package of files, and again when their version is another", function()
    folder.use(folder.dir, "depot/update")
    write("depot/update/update.ini", "app\t/mnt/app\t4\t2\n")
    write("depot/update/app", "program")
    recipe 'files = { dir = "update", version = "080507" }'
    assert.matches("METER_1.0.1.upd: release 1.0.1", (pack()))
    assert.same({ "METER_1.0.1.upd" }, packages())
    assert.same({ version = "080507" }, manifest("METER_1.0.1.upd").files)
    local before = read("depot/METER_1.0.1.upd")
    pack()
    assert.truthy(before == read("depot/METER_1.0.1.upd"))
    recipe 'files = { dir = "update", version = "080508" }'
    pack()
    assert.same({ version = "080508" }, manifest("METER_1.0.1.upd").files)
  end)

  it("makes the full package and a delta against each older core", function()
    local out = pack()
    assert.same(ALL, packages())
    assert.matches("METER_1.0.1%-from%-17%.upd: release 1%.0%.1, sequence 18, %d+ bytes, for core version 17", out)
    assert.equal(17, manifest("METER_1.0.1-from-17.upd").parts[2].source.version)
    assert.is_nil(manifest("METER_1.0.1.upd").parts[2].source)
    assert.is_nil(read("depot/.packing"))
  end)

  it("makes only missing packages, with the same bytes", function()
    pack()
    local kept = read("depot/METER_1.0.1-from-17.upd")
    local out, notes = pack()
    assert.equal("", out)
    assert.matches("METER_1.0.1%.upd: kept, it is up to date", notes)
    os.remove(path("depot/METER_1.0.1-from-17.upd"))
    write("depot/core20.img", image(20))
    local object = json.decode((pack { json = true }))
    assert.same({ "METER_1.0.1-from-17.upd", "METER_1.0.1-from-20.upd" }, object.made)
    assert.same({ "METER_1.0.1.upd", "METER_1.0.1-from-21.upd" }, object.present)
    assert.truthy(kept == read("depot/METER_1.0.1-from-17.upd"))
  end)

  it("makes packages again that have another sequence, or another image as base", function()
    pack()
    recipe 'core = { name = "L", version = 22, image = "core22.img" }, text = "x"'
    assert.equal("", (pack())) -- the sequence names the release, nothing else does
    write("depot/core17.img", image(1717))
    local object = json.decode((pack { json = true }))
    assert.same({ "METER_1.0.1-from-17.upd" }, object.made)
    local text = read("depot/recipe.lua"):gsub("18", "19")
    write("depot/recipe.lua", text)
    object = json.decode((pack { json = true }))
    assert.equal(3, #object.made)
    assert.equal(19, manifest("METER_1.0.1-from-21.upd").sequence)
  end)

  it("takes a higher core for the new one, and raises the sequence", function()
    pack()
    write("depot/core0024.img", image(24)) -- leading zeros as in Luat's names
    write("depot/other25.img", image(25))
    write("depot/core25.img.txt", "notes")
    local out = pack()
    assert.matches("METER_1.0.1%-V24%.upd: release 1%.0%.1%-V24, sequence 20", out)
    local m = manifest("METER_1.0.1-V24-from-22.upd")
    assert.same({ 24, 20, 22 }, { m.core.version, m.sequence, m.parts[2].source.version })
    assert.equal(7, #packages())
    assert.equal("", (pack()))
  end)

  it("packs a script alone, and cores whose names say nothing", function()
    recipe ""
    pack()
    assert.same({ "METER_1.0.1.upd" }, packages())
    assert.equal("", (pack()))
    write("depot/system.img", image(30))
    write("depot/recipe.lua", (read("depot/recipe.lua"):gsub("sequence = 18", [[sequence = 19,
      core = { name = "L", version = 30, image = "system.img", from = { { version = 21, image = "core21.img" } } }]])))
    pack()
    assert.same({ "METER_1.0.1-from-21.upd", "METER_1.0.1.upd" }, packages())
  end)

  it("tells depots which packages are still to come, as long as it lives", function()
    local seen = {}
    pack { progress = function(_, _, label)
      local names = {}
      for i, entry in ipairs(pending.read(natives, path("depot"))) do names[i] = entry.name end
      seen[label] = table.concat(names, " ")
    end }
    assert.equal("METER_1.0.1.upd METER_1.0.1-from-17.upd METER_1.0.1-from-21.upd", seen.packing)
    assert.equal("METER_1.0.1-from-17.upd METER_1.0.1-from-21.upd", seen["packing, from 17"])
    assert.equal("METER_1.0.1-from-21.upd", seen["packing, from 21"])
    assert.same({}, pending.read(natives, path("depot")))
  end)

  it("makes devices wait that will get a coming package", function()
    local luat = require "depot.luat"
    local function code(core, list)
      local answer = luat.answer({ project_key = "k-123", imei = "1", firmware_name = "METER_L", core_version = core,
        dfota = "1", version = "1.0.1" }, {}, natives.digest.sha256, nil, list)
      return answer.code
    end
    local list
    pack { progress = function(_, _, label)
      if label == "packing, from 21" then list = pending.read(natives, path("depot")) end
    end }
    assert.same({ 43, 25 }, { code("21", list), code("21", {}) })
    assert.equal(27, code("20", list)) -- none is coming for this core
  end)

  it("is not held up by a packer that was killed, but by one that works", function()
    local entry = { name = "x.upd", manifest = { project = "METER", product_key = "x", sequence = 1, release = "1",
      parts = {} } }
    assert(pending.write(natives, path("depot"), { entry }))
    assert.equal(1, #pending.read(natives, path("depot")))
    local exit, message, code = verb("depot", { "pack", path("depot") }, { key = path("release.key") })
    assert.same({ "busy", true }, { code, exit == nil and message:find("another process is making", 1, true) ~= nil })
    local mine = read("depot/.packing")
    write("depot/.packing", (mine:gsub('"start":"%d+"', '"start":"1"'))) -- the number was given to another process
    assert.same({}, pending.read(natives, path("depot")))
    pack()
    assert.same(ALL, packages())
    for _, text in ipairs { "", "{", "[]", '{"pid":"1"}', mine:gsub('"sequence":1', '"sequence":"1"') } do
      write("depot/.packing", text)
      assert.same({}, pending.read(natives, path("depot")))
    end
  end)

  it("makes the others if one cannot be made, and says so at the end", function()
    recipe [[core = { name = "L", version = 22, image = "core22.img",
      from = { { version = 3, image = "absent.img" } } }]]
    local exit, message, code, _, notes = verb("depot", { "pack", path("depot") }, { key = path("release.key") })
    assert.is_nil(exit)
    assert.equal("missing", code)
    assert.matches("from%-3%.upd: .*absent%.img", message)
    assert.matches("absent%.img", notes)
    assert.same(ALL, packages())
    assert.is_nil(read("depot/.packing"))
  end)

  it("writes nothing on a dry run, and needs a key, a folder and a recipe", function()
    assert.matches("METER_1.0.1%-from%-21%.upd: would be made", (pack { dry_run = true }))
    assert.same({}, packages())
    local function refused(words, options)
      local _, message, code = verb("depot", words, options)
      return { code, message }
    end
    assert.same({ "usage", "needs -k KEY, the private key to sign with" }, refused({ "pack", path("depot") }, {}))
    assert.equal("usage", refused({ "pack" }, { key = "k" })[1])
    assert.equal("usage", refused({ path("depot"), "more" }, {})[1])
    os.remove(path("depot/recipe.lua"))
    assert.matches("recipe.lua", refused({ "pack", path("depot") }, { key = path("release.key") })[2])
  end)
end)

describe("cli.depot_pack.around", function()
  local cases = {
    { "core22.img", 22, "core", ".img" }, { "Luat_V0022_RDA8910.bin", 22, "Luat_V", "_RDA8910.bin" },
    { "22-22.img", 22, "22-", ".img" }, { "core122.img", 22 }, { "core.img", 22 }, { "0", 0, "", "" },
    { "v99999999999999999999.img", 9 },
  }
  for _, case in ipairs(cases) do
    it(("finds %d in %s"):format(case[2], case[1]), function()
      assert.same({ case[3], case[4] }, { depot_pack.around(case[1], case[2]) })
    end)
  end
end)
