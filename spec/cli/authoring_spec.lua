-- keygen, pack, sign, verify, info as one uses them: in a folder, with files.

local json = require "update.native.json"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read, exists = folder.path, folder.write, folder.read, folder.exists
local verb, good, bad = verbs.run, verbs.good, verbs.bad

local permit = ('{"format":"moult-permit-1","project":"METER","devices":["a","b"],"manifest":"%s",'
  .. '"not_after":1800000000}'):format(("ab"):rep(32))

local main = 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.1", "k-123"\nreturn 1\n'

local function recipe(extra)
  write("recipe.lua", ([[return {
    project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = 18, version = "1.0.1",
    script = { dir = "app" }, core = { name = "Luat", version = 22, image = "core.img", encoding = "lzma" },
    text = "hello", %s }]]):format(extra or ""))
  return path("recipe.lua")
end

before_each(function()
  folder.make "app/lib"
  write("app/main.lua", main)
  write("app/lib/part.lua", "return {}\n")
  write("core.img", ("core image "):rep(60000) .. ("\0"):rep(600000))
  good("keygen", { path("release") })
end)

after_each(folder.remove)

local function pack(extra, out)
  return good("pack", { recipe(extra) }, { key = path("release.key"), out = path(out or "p.upd") })
end

describe("moult keygen", function()
  it("writes a pair and overwrites nothing", function()
    assert.matches("minisign", read("release.key"))
    assert.matches("minisign public key", read("release.pub"))
    local before = read("release.key")
    bad("already", "usage", "keygen", { path("release") })
    assert.equal(before, read("release.key"))
    bad("must be a file name", "usage", "keygen", { "" })
    bad("absent", "write", "keygen", { path("absent/key") })
  end)
end)

describe("moult pack", function()
  it("makes a package that verify accepts, with progress", function()
    local out, _, progress = pack()
    assert.matches("release 1.0.1, sequence 18, %d+ bytes", out)
    assert.same({ progress[#progress][2], progress[#progress][2], "packing" }, progress[#progress])
    for _, keys in ipairs { path("release.pub"), folder.dir } do -- one key, or a folder of them
      out = good("verify", { path("p.upd") }, { key = keys })
      assert.matches("good: release 1.0.1, sequence 18", out)
    end
  end)

  it("gives the same bytes again", function()
    pack(nil, "one.upd")
    os.execute(("touch -d '2001-01-01' %s %s"):format(path("core.img"), path("app/main.lua")))
    pack(nil, "two.upd")
    assert.truthy(read("one.upd") == read("two.upd"))
    pack("issued = 1700000000", "three.upd")
    assert.falsy(read("one.upd") == read("three.upd"))
  end)

  it("prints JSON", function()
    local out = good("pack", { recipe() }, { key = path("release.key"), out = path("p.upd") }, { json = true })
    local object = assert(json.decode(out))
    assert.equal(18, object.sequence)
    assert.equal(#read("p.upd"), object.size)
    assert.equal(64, #object.digest)
  end)

  it("writes nothing on a dry run", function()
    good("pack", { recipe() }, { key = path("release.key"), out = path("p.upd") }, { dry_run = true })
    assert.is_false(exists("p.upd"))
  end)

  it("refuses a bad recipe, and leaves the old package in place", function()
    pack()
    local before = read("p.upd")
    local options = { key = path("release.key"), out = path("p.upd") }
    bad("-k KEY", "usage", "pack", { recipe() }, { out = path("p.upd") })
    bad("release.pub", "usage", "pack", { recipe() }, { key = path("release.pub"), out = path("p.upd") })
    bad("absent.key", "missing", "pack", { recipe() }, { key = path("absent.key"), out = path("p.upd") })
    bad("unknown field colour", "usage", "pack", { recipe("colour = 1") }, options)
    bad("field override", "usage", "pack", { recipe("override = { 'floor' }") }, options)
    write("app/main.lua", 'VERSION = "1.0.0"\n')
    bad("VERSION is \"1.0.0\"", "usage", "pack", { recipe() }, options)
    os.remove(path("app/main.lua"))
    bad("main.lua", "usage", "pack", { recipe() }, options)
    write("app/main.lua", main)
    assert(os.execute(("ln -s main.lua %s"):format(path("app/link"))))
    bad("symbolic link", "usage", "pack", { recipe() }, options)
    os.remove(path("app/link"))
    os.remove(path("core.img"))
    bad("core.img", "missing", "pack", { recipe() }, options)
    assert.truthy(before == read("p.upd"))
    assert.is_false(exists("p.upd.new"))
    assert.is_false(exists("p.upd.data"))
  end)
end)

describe("moult verify", function()
  it("finds a flipped byte, a cut and a longer file", function()
    pack()
    local text = read("p.upd")
    local options = { key = path("release.pub") }
    for _, at in ipairs { 1, 600, 1100, 2100, #text - 1100, #text - 3 } do
      write("bad.upd", text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1) .. text:sub(at + 1))
      local exit, _, code = verb("verify", { path("bad.upd") }, options)
      assert.is_nil(exit)
      assert.truthy(code == "untrusted" or code == "corrupt", code)
    end
    write("bad.upd", text:sub(1, -2))
    bad("bytes", "corrupt", "verify", { path("bad.upd") }, options)
    write("bad.upd", text .. "x")
    bad("bytes", "corrupt", "verify", { path("bad.upd") }, options)
  end)

  it("names an untrusted key, and a file that is not a key", function()
    pack()
    good("keygen", { path("other") })
    bad("not trusted", "untrusted", "verify", { path("p.upd") }, { key = path("other.pub") })
    bad("-k KEYS", "usage", "verify", { path("p.upd") })
    bad("absent.upd", "missing", "verify", { path("absent.upd") }, { key = path("release.pub") })
    bad("absent", "untrusted", "verify", { path("p.upd") }, { key = path("absent") })
    bad("not a package", "untrusted", "verify", { write("noise", ("x"):rep(5000)) }, { key = path("release.pub") })
    bad("", "corrupt", "verify", { write("empty", "") }, { key = path("release.pub") })
  end)
end)

describe("moult sign", function()
  local list = '{"format":"moult-keys-1","serial":3,"revoke":["0123456789ABCDEF"]}'

  it("signs a permit that verify accepts, and nobody alters", function()
    write("permit.json", permit)
    good("sign", { path("permit.json") }, { key = path("release.key") })
    assert.matches("moult permit", (good("verify", { path("permit.json") }, { key = path("release.pub") })))
    write("permit.json", permit .. "\n")
    bad("did not sign", "untrusted", "verify", { path("permit.json") }, { key = path("release.pub") })
  end)

  it("names the format in the trusted comment", function()
    write("keys.json", list)
    good("sign", { path("keys.json") }, { key = path("release.key"), out = path("sig") })
    assert.matches("trusted comment: moult keys serial 3\n", read("sig"))
  end)

  it("does not pass one kind off as another", function()
    write("keys.json", list)
    local sig = assert(require("update.native.minisign").sign(path("release.key"), read("keys.json"), "moult permit"))
    write("keys.json.minisig", sig)
    bad("but the file is not that", "untrusted", "verify", { path("keys.json") }, { key = path("release.pub") })
  end)

  it("refuses a file of another format", function()
    local options = { key = path("release.key") }
    bad("not JSON", "usage", "sign", { write("a", "text") }, options)
    bad("unknown format", "usage", "sign", { write("a", '{"format":"other"}') }, options)
    bad("must add or revoke a key", "untrusted", "sign", { write("a", '{"format":"moult-keys-1","serial":3}') },
      options)
    bad("devices is missing", "untrusted", "sign", { write("a", '{"format":"moult-permit-1","project":"METER"}') },
      options)
    bad("sequence or serial is missing", "usage", "sign", { write("a", '{"format":"moult-keys-1"}') }, options)
    bad("larger", "usage", "sign", { write("a", ("x"):rep(70000)) }, options)
    bad("absent", "missing", "sign", { path("absent") }, options)
    bad("-k KEY", "usage", "sign", { path("a") })
  end)
end)

describe("moult info", function()
  it("shows a permit and a list of keys", function()
    write("permit.json", permit)
    assert.matches("^signature    none\n", (good("info", { path("permit.json") })))
    good("sign", { path("permit.json") }, { key = path("release.key") })
    assert.matches("^signature    not checked, by key %x+; give %-k", (good("info", { path("permit.json") })))
    local out = good("info", { path("permit.json") }, { key = path("release.pub") })
    for _, line in ipairs { "signature    verified, by key ", "project      METER", "devices      a, b",
      "manifest     abab", "not_after    2027-01-15 08:00:00 UTC" } do
      assert.truthy(out:find(line, 1, true), line)
    end
    write("keys.json", '{"format":"moult-keys-1","serial":3,"revoke":["0123456789ABCDEF"]}')
    good("sign", { path("keys.json") }, { key = path("release.key") })
    out = good("info", { path("keys.json") })
    assert.truthy(out:find("serial       3\nrevoke       0123456789ABCDEF", 1, true))
    local object = assert(json.decode((good("info", { path("keys.json") }, {}, { json = true }))))
    assert.same({ 3, "moult keys serial 3", "not checked" }, { object.object.serial, object.comment, object.signature })
    good("keygen", { path("other") })
    bad("not trusted", "untrusted", "info", { path("keys.json") }, { key = path("other.pub") })
  end)

  it("shows the digest that a permit names", function()
    pack()
    local out = good("verify", { path("p.upd") }, { key = path("release.pub") }, { json = true })
    local digest = assert(json.decode(out)).digest
    assert.truthy((good("info", { path("p.upd") })):find("manifest     " .. digest, 1, true))
  end)

  it("shows a package, checked or not, and says which", function()
    pack("issued = 1700000000, requires = { core = 'Luat', version = 17 }, override = { 'version' }")
    local out = good("info", { path("p.upd") })
    local id = read("release.pub"):match("key (%x+)")
    assert.truthy(out:find("not checked, by key " .. id, 1, true))
    for _, line in ipairs { "project      METER", "sequence     18", "core         Luat 22", "requires     Luat 17",
      "issued       2023-11-14 22:13:20 UTC", "override     version", "part         script: " } do
      assert.truthy(out:find(line, 1, true), line)
    end
    assert.matches("^signature    verified", (good("info", { path("p.upd") }, { key = path("release.pub") })))
    local object = assert(json.decode((good("info", { path("p.upd") }, {}, { json = true }))))
    assert.equal(18, object.manifest.sequence)
    assert.equal(id, object.key)
    assert.equal("not checked", object.signature)
  end)

  it("refuses a file that is not a package", function()
    bad("not a package", "untrusted", "info", { write("noise", ("x"):rep(5000)) })
    bad("absent", "missing", "info", { path("absent") })
    pack()
    good("keygen", { path("other") })
    bad("not trusted", "untrusted", "info", { path("p.upd") }, { key = path("other.pub") })
  end)

  it("survives a package cut at any byte of its head", function()
    pack()
    local text = read("p.upd")
    for cut = 0, 2560, 7 do
      write("cut.upd", text:sub(1, cut))
      local exit, _, code = verb("info", { path("cut.upd") })
      assert.truthy(exit == 0 or code == "untrusted")
    end
  end)
end)
