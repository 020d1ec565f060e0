-- Packages with a hotfix, as their maker meets them: pack, verify, info.

local json = require "update.native.json"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read, exists = folder.path, folder.write, folder.read, folder.exists
local good, bad = verbs.good, verbs.bad

local BASE = 'base = { script = "1.0.1" }'

local function recipe(base, fields)
  return write("recipe.lua", ([[return { project = "METER", product_key = "k-123", sequence = 18,
    hotfix = { dir = "fix", name = "clock", version = "v2", %s }, %s }]]):format(base or BASE, fields or ""))
end

local function pack(out)
  return good("pack", { recipe() }, { key = path("release.key"), out = path(out or "fix.upd") })
end

local function refused(fragment, base, fields)
  bad(fragment, "usage", "pack", { recipe(base, fields) }, { key = path("release.key"), out = path("fix.upd") })
  assert.is_false(exists("fix.upd"))
end

before_each(function()
  folder.make "fix/lua/clock"
  write("fix/lua/clock/zone.lua", "return 1")
  write("fix/test.lua", "return function() return true end")
  good("keygen", { path("release") })
end)

after_each(folder.remove)

describe("a package with a hotfix", function()
  it("is packed, verified, and named after the hotfix", function()
    assert.matches("fix.upd: hotfix clock v2, sequence 18", (pack()))
    assert.matches("good: hotfix clock v2", (good("verify", { path("fix.upd") }, { key = path("release.pub") })))
    assert.equal("METER_clock_v2.upd", require("cli.packing").name { project = "METER",
      hotfix = { name = "clock", version = "v2" } })
  end)

  it("is the same again, with any modes and times of its files", function()
    pack("one.upd")
    os.execute(("find '%s' -exec touch -d 2001-01-01 {} +"):format(path("fix")))
    pack("two.upd")
    assert.truthy(read("one.upd") == read("two.upd"))
  end)

  it("says what it is and what it is made for, and needs a device that knows hotfixes", function()
    pack()
    local object = json.decode((good("info", { path("fix.upd") }, {}, { json = true }))).manifest
    assert.same({ "hotfix" }, object.needs)
    assert.same({ name = "clock", version = "v2", base = { script = "1.0.1" } }, object.hotfix)
    assert.is_nil(object.release)
    local out = good("info", { path("fix.upd") }, { key = path("release.pub") })
    assert.matches("\nhotfix       clock v2\nbase         script 1.0.1\n", out)
  end)

  for _, case in ipairs {
    { "no base", "base = {}", nil, "base" },
    { "a base that is no range", 'base = { script = ">1.0" }', nil, "must be a version, or a range" },
    { "a range with its ends in the wrong order", 'base = { core = "<2 >=1" }', nil, "must be a version, or a range" },
    { "a script beside it", nil, 'script = { dir = "fix" }, version = "1"', "must be the only part" },
    { "a release that is not its base", nil, 'release = "1.0.2"', "release must be absent" },
  } do
    it("is refused with " .. case[1], function() refused(case[4], case[2], case[3]) end)
  end

  for _, range in ipairs { "1.0", ">=1.0", "<2.0", ">=1.0 <2.0" } do
    it("takes the base " .. range, function()
      good("pack", { recipe(('base = { script = "%s", files = "080507" }'):format(range)) },
        { key = path("release.key"), out = path("fix.upd") })
    end)
  end
end)

describe("the folder of a hotfix", function()
  for _, name in ipairs { "main.lua", "main/init.lua", "policy.lua", "sys.lua", "sys/init.lua", "update.lua",
    "update/policy.lua" } do
    it("may not replace " .. name, function()
      folder.use(folder.dir, "fix/lua/main", "fix/lua/sys", "fix/lua/update")
      write("fix/lua/" .. name, "return 1")
      refused "stay the release's"
    end)
  end

  it("may replace a module whose name only begins so", function()
    write("fix/lua/system.lua", "return 1")
    write("fix/lua/updates.lua", "return 1")
    pack()
  end)

  it("holds nothing else", function()
    write("fix/readme.txt", "no")
    refused "only lua/, files/ and test.lua"
  end)

  it("holds a module", function()
    os.remove(path("fix/lua/clock/zone.lua"))
    refused "neither a module below lua/ nor files/"
  end)

  describe("with files", function()
    local function files(ini, ...)
      folder.use(folder.dir, "fix/files")
      write("fix/files/update.ini", ini)
      for _, name in ipairs { ... } do write("fix/files/" .. name, name) end
    end

    it("says so in its manifest", function()
      files("conf\t/app/etc\t4\t4\n", "conf")
      pack()
      assert.matches("hotfix +clock v2, with files\n", (good("info", { path "fix.upd" })))
    end)

    it("is refused without an update.ini", function()
      files("conf\t/app/etc\t4\t4\n", "conf")
      os.remove(path "fix/files/update.ini")
      refused "files/ has no update.ini"
      os.remove(path "fix/files/conf")
      refused "files/ has no update.ini"
    end)

    it("needs no module", function()
      files("conf\t/app/etc\t4\t4\n", "conf")
      os.execute(("rm -r %s"):format(path "fix/lua"))
      pack()
    end)

    it("is refused with an update.ini that is wrong, or another set of files", function()
      files("conf\t/app/etc\n", "conf")
      refused "line 1"
      files("conf\t/app/etc\t4\t4\n")
      os.remove(path "fix/files/conf")
      refused "line 1: name: there is no such file"
      files("conf\t/app/etc\t4\t4\n", "conf", "stray")
      refused "files/stray"
      os.remove(path "fix/files/stray")
      folder.use(folder.dir, "fix/files/below")
      refused "files/below"
    end)

    it("changes no directories, and brings no drivers", function()
      files "data\t/app\t1\t1\n"
      refused "adds and deletes no directory"
      files("card.ko\t/app\t4\t8\n", "card.ko")
      refused "a driver"
    end)
  end)
end)
