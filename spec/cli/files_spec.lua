-- Packages with a files part, as their maker meets them: pack, verify, info.

local json = require "update.native.json"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read, exists = folder.path, folder.write, folder.read, folder.exists
local good, bad = verbs.good, verbs.bad

-- That of the format's own description: CRLF, and a blank behind a slash.
local INI = "MIT\t/mnt/yaffs/app/MIT/Bin\t28\t2\r\n"
  .. "window_button_set_up.gif\t/mnt/yaffs/app/MIT/Resource/picture\t1\t4\r\n"
  .. "db_set.db\t/mnt/yaffs/app/MIT/ Resource/etc\t4\t4\r\n"
  .. "set_db.dat\t/mnt/yaffs/app/MIT/ Resource/etc\t2\t4\r\n"

local function recipe(fields)
  return write("recipe.lua", ([[return { project = "MIT", product_key = "k-123", sequence = 18, version = "1.0",
    files = { dir = "UPDATE_080507", version = "080507" }, %s }]]):format(fields or ""))
end

local function pack(fields, out)
  return good("pack", { recipe(fields) }, { key = path("release.key"), out = path(out or "p.upd") })
end

local function refused(fragment)
  bad(fragment, "usage", "pack", { recipe() }, { key = path("release.key"), out = path("p.upd") })
  assert.is_false(exists("p.upd"))
end

before_each(function()
  folder.make "UPDATE_080507"
  write("UPDATE_080507/update.ini", INI)
  write("UPDATE_080507/MIT", ("program "):rep(1000))
  write("UPDATE_080507/window_button_set_up.gif", "GIF89a")
  write("UPDATE_080507/db_set.db", "")
  good("keygen", { path("release") })
end)

after_each(folder.remove)

describe("a package with files", function()
  it("is packed, verified, and named after both versions", function()
    assert.matches("p.upd: release 1.0%-F080507, sequence 18", (pack()))
    assert.matches("good: release 1.0%-F080507", (good("verify", { path("p.upd") }, { key = path("release.pub") })))
    assert.is_nil(os.rename(path("p.upd.data"), path("x")))
  end)

  it("is the same again, with any modes and times of its files", function()
    pack(nil, "one.upd")
    os.execute(("chmod 755 '%s'/* && touch -d 2001-01-01 '%s'/*"):format(path("UPDATE_080507"), path("UPDATE_080507")))
    pack(nil, "two.upd")
    assert.truthy(read("one.upd") == read("two.upd"))
  end)

  it("goes with a script", function()
    folder.use(folder.dir, "app")
    write("app/main.lua", 'VERSION = "1.0"\n')
    assert.matches("release 1.0, sequence", (pack 'script = { dir = "app" }'))
    local object = json.decode((good("info", { path("p.upd") }, {}, { json = true })))
    assert.same({ "files" }, object.manifest.needs)
    assert.same({ version = "080507" }, object.manifest.files)
    assert.same({ "script", "files" }, { object.manifest.parts[1].kind, object.manifest.parts[2].kind })
  end)

  it("is shown in the order of the work", function()
    pack()
    local out = good("info", { path("p.upd") }, { key = path("release.pub") })
    local at = assert(out:find("\nstop ", 1, true), out)
    assert.equal("stop         /mnt/yaffs/app/MIT/Bin/MIT\n"
      .. "put          /mnt/yaffs/app/MIT/Bin/MIT: executable, 8000 bytes\n"
      .. "put          /mnt/yaffs/app/MIT/Resource/picture/window_button_set_up.gif: configuration, 6 bytes\n"
      .. "put          /mnt/yaffs/app/MIT/ Resource/etc/db_set.db: configuration, 0 bytes\n"
      .. "delete       /mnt/yaffs/app/MIT/ Resource/etc/set_db.dat: configuration\n"
      .. "start        /mnt/yaffs/app/MIT/Bin/MIT", out:sub(at + 1))
    assert.matches("\nfiles        080507\n", out)
    assert.matches("\npart         files: %d+ bytes", out)
  end)

  it("shows nothing of its content that was not checked", function()
    pack()
    assert.is_nil(good("info", { path("p.upd") }):find("/mnt", 1, true))
    local text = read("p.upd")
    local at = text:find("files.dat", 1, true) + 512
    write("p.upd", text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1) .. text:sub(at + 1))
    bad("files.dat", "corrupt", "info", { path("p.upd") }, { key = path("release.pub") })
  end)

  it("writes names as text in JSON, bytes of another encoding as numbers", function()
    local name = "\xb8\xfc\xd0\xc2"
    write("UPDATE_080507/update.ini", name .. "\t/mnt/\xc3\xa4\t1\t4\nd\t/mnt\t1\t1\nx\t/mnt\t8\t2")
    write("UPDATE_080507/" .. name, "x")
    for _, old in ipairs { "MIT", "window_button_set_up.gif", "db_set.db" } do
      os.remove(path("UPDATE_080507/" .. old))
    end
    pack()
    local out = good("info", { path("p.upd") }, { key = path("release.pub") }, { json = true })
    assert.same({
      { operation = "put", type = "configuration", path = "/mnt/\xc3\xa4/\\xB8\\xFC\\xD0\\xC2", size = 1, stop = false,
        start = false },
      { operation = "mkdir", type = "directory", path = "/mnt/d", stop = false, start = false },
      { type = "executable", path = "/mnt/x", stop = true, start = false },
    }, json.decode(out).files)
  end)

  it("is refused with line and field of its update.ini", function()
    write("UPDATE_080507/update.ini", INI .. "MIT\t/mnt/yaffs/../etc\t4\t2\r\n")
    refused "UPDATE_080507/update.ini line 5: directory: \".\" and \"..\" are not allowed"
    write("UPDATE_080507/update.ini", (INI:gsub("\t28\t", "\t3\t")))
    refused "UPDATE_080507/update.ini line 1: operation: at most one of"
  end)

  it("is refused when folder and update.ini differ", function()
    write("UPDATE_080507/more", "x")
    refused "UPDATE_080507/more: no line of update.ini adds or upgrades it"
    os.remove(path("UPDATE_080507/more"))
    os.remove(path("UPDATE_080507/MIT"))
    refused "UPDATE_080507/update.ini line 1: name: there is no file MIT in the folder"
  end)

  it("takes an archive as vendors' tools make it, and is the same as from the folder", function()
    pack(nil, "one.upd")
    assert(os.execute(("cd '%s' && mv UPDATE_080507 U && tar czf UPDATE_080507 ./U && rm -r U"):format(folder.dir)))
    pack(nil, "two.upd")
    assert.truthy(read("one.upd") == read("two.upd"))
    assert.is_false(exists("two.upd.files"))
  end)

  it("names the archive when that is at fault", function()
    assert(os.execute(("cd '%s' && tar czf x ./UPDATE_080507 release.pub && rm -r UPDATE_080507 && mv x UPDATE_080507")
      :format(folder.dir)))
    bad("UPDATE_080507: release.pub: it must hold one folder with files", "untrusted", "pack", { recipe() },
      { key = path("release.key"), out = path("p.upd") })
    assert.is_false(exists("p.upd.files"))
  end)

  it("keeps blanks after a slash, with a warning, or removes them", function()
    local _, notes = pack()
    assert.matches("in 2 lines a space follows a / in the directory; it was kept", notes)
    for _, fields in ipairs { { "", { trim = true } }, { "trim = true", {} } } do
      recipe()
      write("recipe.lua", (read("recipe.lua"):gsub('version = "080507"', '%0, ' .. fields[1])))
      fields[2].key, fields[2].out = path("release.key"), path("p.upd")
      _, notes = good("pack", { path("recipe.lua") }, fields[2])
      assert.matches("it was removed", notes)
      local out = good("info", { path("p.upd") }, { key = path("release.pub") })
      assert.truthy(out:find("put          /mnt/yaffs/app/MIT/Resource/etc/db_set.db", 1, true), out)
    end
    write("UPDATE_080507/update.ini", (INI:gsub("/ ", "/")))
    _, notes = pack()
    assert.equal("", notes)
  end)

  it("goes with a core, which is the last part", function()
    write("core1.img", ("core "):rep(2000))
    pack 'core = { name = "L", version = 1, image = "core1.img" }'
    assert.matches("good: release 1.0%-F080507", (good("verify", { path("p.upd") }, { key = path("release.pub") })))
    local object = json.decode((good("info", { path("p.upd") }, {}, { json = true })))
    assert.same({ "files", "core" }, { object.manifest.parts[1].kind, object.manifest.parts[2].kind })
  end)
end)
