-- Actions of `moult depot` at a server print what they print where the folder is, and fail with the same codes.

local admin_process = require "spec.support.admin_process"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local verb = require "spec.support.verb"

describe("moult depot with --server", function()
  local folder, w, tokens, asked = folders.new(), nil, {}, 0

  setup(function()
    w = admin_process.start(folder.make())
    -- A token has 20 requests a second.
    for i = 1, 16 do tokens[i] = w:token("ann" .. i, { [""] = "admin" }) end
    assert(w.store:change())
    assert(w.store:settle_products(w.dir, "staged", 1767225600000))
    assert(w.store:add_product(w.pk, "METER", "staged", 1767225600000))
    assert(w.store:name_product("aliyun", "pk", w.pk))
    assert(w.store:commit())
  end)
  teardown(function() w:close() end)

  local function words_of(text, dir)
    local words = {}
    for word in text:gmatch "%S+" do words[#words + 1] = word ~= "DIR" and word or dir end
    return words
  end

  local function copy(opts, more)
    local all = {}
    for name, value in pairs(opts or {}) do all[name] = value end
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end

  -- The command where the folder is, and at the server: exit or nil, message, code, output, notes.
  local function here(text, opts, flags) return { verb.run("depot", words_of(text, w.dir), copy(opts), flags) } end
  local function there(text, opts, flags, who)
    asked = asked + 1
    local token = tokens[asked % #tokens + 1]
    return { verb.run("depot", words_of(text, nil), copy(opts, { server = w.url, ["token-file"] = who or token }),
      flags) }
  end

  local function good(text, opts, flags)
    local done = there(text, opts, flags)
    assert.equal(0, done[1], done[2])
    return done[4], done[5]
  end

  local function bad(fragment, code, text, opts, who)
    local done = there(text, opts, nil, who)
    assert.same({ nil, code }, { done[1], done[3] }, done[2])
    assert.matches(fragment, done[2], 1, true)
  end

  -- The same is printed, as a table and as JSON.
  local function same(text, opts)
    for _, flags in ipairs { {}, { json = true } } do
      local a, b = here(text, opts, flags), there(text, opts, flags)
      assert.equal(0, a[1], a[2])
      assert.equal(0, b[1], b[2])
      if flags.json and text:sub(1, 6) ~= "events" then
        assert.same(natives.json.decode(a[4]), natives.json.decode(b[4]))
      else
        assert.equal(a[4], b[4])
      end
    end
  end

  local function digest()
    local entries = require("depot.catalog").new(natives, w.dir)
    assert(entries:refresh())
    return entries:packages()[1].manifest.digest
  end

  it("prints products, and registers and changes one", function()
    same "product list DIR"
    local out = good("product add DIR SONDE", { product = "sk", cloud = "tencent" })
    assert.equal("SONDE: registered, staged\nproduct_key " .. natives.digest.sha256 "sk", out)
    assert.equal("SONDE: auto", (good("product set DIR SONDE", { mode = "auto" })))
    assert.equal("SONDE: staged, zone Asia/Shanghai, offers to admitted devices only",
      (good("product set DIR sk", { mode = "staged", admit = "listed", zone = "Asia/Shanghai" })))
    same "product list DIR"
    same("product set DIR SONDE", { enabled = "no" })
    assert.matches("^key         %x+", (good("product add DIR OTHER")):match "[^\n]+$")
    bad("is registered already", "conflict", "product add DIR SONDE", { product = "sk" })
    bad("no product is called X", "missing", "product set DIR X", { mode = "auto" })
    bad("give --mode", "usage", "product set DIR SONDE")
    bad("expected one of add, list, set", "usage", "product dance DIR")
  end)

  it("prints devices, and changes what people say of them", function()
    same "device list DIR"
    same("device list DIR", { filter = "name:dev1" })
    same("device list DIR", { first = "2" })
    same("device list DIR", { device = { "dev3", "dev1" } })
    assert.equal("2 devices changed", (good("device tag DIR", { filter = "-name:dev3", tag = { "lab" } })))
    assert.equal("1 device changed", (good("device tag DIR dev2", { untag = { "lab" }, tag = { "roof" } })))
    assert.equal("0 devices changed", (good("device tag DIR", { device = { "dev2" }, tag = { "roof" } })))
    assert.equal("dev1: noted", (good("device note DIR dev1", { note = "cellar" })))
    assert.equal("dev1: hardware B", (good("device set DIR dev1", { hardware = "B" })))
    assert.equal("dev1: zone unknown", (good("device set DIR dev1", { zone = "" })))
    assert.equal("2 devices changed", (good("device set DIR", { filter = "-name:dev3", admitted = "yes" })))
    assert.equal("0 devices changed", (good("device set DIR", { filter = "name:dev1", admitted = "yes" })))
    for _, name in ipairs { "dev1", "dev2", "dev3" } do same("device show DIR " .. name) end
    folder.write("names", "new1\nnew2\ndev1\n")
    assert.equal("2 of 3 devices are new", (good("device add DIR", { cloud = "aliyun", product = "pk",
      devices = folder.path "names" })))
    same("device list DIR", { devices = folder.path "names" })
    assert.equal("new2 is forgotten; it comes back if it reports again", (good "device forget DIR new2"))
    same "device list DIR"
    bad("no device is called new2", "missing", "device show DIR new2")
    bad("give --tag TAG", "usage", "device tag DIR dev1")
    bad("both given and taken away", "usage", "device tag DIR dev1", { tag = { "a" }, untag = { "A" } })
    bad("say which devices", "usage", "device tag DIR", { tag = { "x" } })
    bad("--from is not for devices", "usage", "device list DIR", { from = "1.0.0" })
    bad("name a device", "usage", "device show DIR")
    bad("expected up to 32 letters", "usage", "device tag DIR dev1", { tag = { "a b" } })
  end)

  it("prints groups, and makes, changes and removes one", function()
    assert.equal("group north: made", (good("group create DIR north", { product = "pk", device = { "dev1" } })))
    assert.equal("group lab: made", (good("group create DIR lab", { product = "pk", filter = "tag:lab" })))
    assert.equal("group north: 2 names more", (good("group add DIR north", { device = { "dev2", "dev9" } })))
    assert.equal("group north: 1 name less", (good("group remove DIR NORTH", { device = { "dev9" } })))
    for _, text in ipairs { "group list DIR", "group show DIR north", "group show DIR lab", "device show DIR dev1" } do
      same(text)
    end
    assert.equal("group lab: removed; its devices stay", (good "group delete DIR lab"))
    same "group list DIR"
    bad("there is no group lab", "missing", "group show DIR lab")
    bad("name the devices", "usage", "group add DIR north")
    folder.write("everybody", "*\n")
    bad('"*" is no name', "usage", "group add DIR north", { devices = folder.path "everybody" })
    bad("give --product", "usage", "group create DIR x")
  end)

  it("prints releases and rollouts, and acts on them", function()
    same "release list DIR"
    assert.equal("1.0.1 is disabled: it is offered to nobody, and what has begun goes on",
      (good "release disable DIR METER_1.0.1.upd"))
    same "release list DIR"
    bad("it is switched off", "refused", "rollout create DIR METER_1.0.1.upd")
    assert.equal("1.0.1 is enabled", (good "release enable DIR METER_1.0.1.upd"))
    bad("no device has verified it", "refused", "rollout create DIR METER_1.0.1.upd")
    assert(w.store:change())
    assert(w.store:verify({ cloud = "aliyun", product = "pk", device = "dev1", target = "1.0.1",
      package = digest() }, 1))
    assert(w.store:commit())
    local plan = { waves = "10,100", soak = "2h", ["in-flight"] = "7", window = "22:00-05:00", priority = "3",
      ["count-silent"] = "yes" }
    for _, flags in ipairs { { dry_run = true }, { dry_run = true, json = true } } do
      assert.equal(here("rollout create DIR METER_1.0.1.upd", plan, flags)[4],
        (good("rollout create DIR METER_1.0.1.upd", plan, flags)))
    end
    assert.equal("rollout 1 of 1.0.1: running", (good("rollout create DIR METER_1.0.1.upd", plan)))
    for _, text in ipairs { "rollout list DIR", "rollout show DIR", "rollout show DIR 1" } do same(text) end
    assert.equal("rollout 1 of 1.0.1: paused", (good "rollout pause DIR"))
    assert.equal("rollout 1 of 1.0.1: running; forgives 0 failures", (good "rollout resume DIR 1"))
    assert.equal("rollout 1 of 1.0.1: 0 devices try once more", (good "rollout retry DIR 1"))
    local changed = good("rollout change DIR 1", { ["in-flight"] = "9" }, { json = true })
    assert.equal(9, natives.json.decode(changed).in_flight)
    same "rollout show DIR 1"
    bad("cannot", "refused", "rollout start DIR 1")
    assert.equal("rollout 1 of 1.0.1: cancelled", (good "rollout cancel DIR 1"))
    bad("no rollout is open", "missing", "rollout show DIR")
    bad("there is no such rollout", "missing", "rollout show DIR 7")
    bad("is not the number of a rollout", "usage", "rollout show DIR x")
    assert.equal("rollout 2 of 1.0.1: draft", (good("rollout create DIR", { product = "pk", draft = true })))
    same "rollout show DIR 2"
    bad("has no package x.upd", "missing", "rollout create DIR x.upd")
    local out = good "release withdraw DIR METER_1.0.1.upd"
    assert.equal("1.0.1 is withdrawn and offered no more", out)
    same "release list DIR"
    same("release withdraw DIR METER_1.0.1.upd")
  end)

  it("prints webhooks, and makes, switches and removes one", function()
    -- Of what happens here neither is told, so nothing is sent meanwhile.
    local out = good("webhook add DIR https://hooks.example/a?key=1", { product = "pk",
      event = { "failed", "reverted" } })
    assert.matches("^webhook 1 to https://hooks.example/a\nsecret     %x+ %(it is not shown again: note it%)$", out)
    local made = here("webhook add DIR https://hooks.example/b", { product = "pk" })
    assert.matches("^webhook 2 to https://hooks.example/b\nsecret     %x+", made[4])
    same "webhook list DIR"
    assert.equal("webhook 1 is off", (good "webhook disable DIR 1"))
    same "webhook list DIR"
    same "webhook enable DIR 1"
    assert.equal("webhook 2 is removed", (good "webhook drop DIR 2"))
    assert.equal("webhook 1 is removed", here("webhook drop DIR 1")[4])
    for _, run in ipairs { here, there } do
      for _, case in ipairs { { "webhook drop DIR 1", "missing" }, { "webhook enable DIR x", "usage" },
        { "webhook add DIR http://hooks.example", "usage", { product = "pk" } }, { "webhook list", "usage" },
        { "webhook add DIR https://hooks.example", "usage" }, { "webhook add DIR", "usage", { product = "pk" } },
        { "webhook add DIR https://hooks.example", "usage", { product = "pk", event = { "rain" } } },
        { "webhook add DIR https://hooks.example", "missing", { product = "nobody" } } } do
        if case[1] ~= "webhook list" or run == here then
          local done = run(case[1], case[3])
          assert.same({ nil, case[2] }, { done[1], done[3] }, case[1])
        end
      end
    end
  end)

  it("waits while a device tries a release, and says what came of it", function()
    w.folder.pack("METER_1.0.2.upd", "pk", 3, "1.0.2")
    w:wait("the release", function() return there("release list DIR")[4]:find("1.0.2", 1, true) end)
    local words = "verify DIR METER_1.0.2.upd"
    bad("name one device", "usage", words)
    bad("has never reported", "missing", words, { device = { "nobody" } })
    bad("no result from dev1 in time", "busy", words, { device = { "dev1" }, timeout = "1" })
    local function ends(state, release, code, text)
      local row = w.store:get("aliyun", "pk", "dev1")
      row.state, row.release, row.code, row.text = state, release, code, text
      assert(w.store:put(row))
    end
    -- The device ends its job as soon as the command says that it waits.
    local function try(flags, ...)
      local how = table.pack(...)
      local all = copy(flags, { note = function() ends(table.unpack(how, 1, how.n)) end })
      return there(words, { device = { "dev1" } }, all)
    end
    local failed = try(nil, "failed", "1.0.0", -2, "no room")
    assert.same({ nil, "dev1 failed: no room (-2)", "network" }, { failed[1], failed[2], failed[3] })
    local cancelled = try(nil, "cancelled", "1.0.0")
    assert.same({ nil, "the job of dev1 was cancelled", "refused" }, { cancelled[1], cancelled[2], cancelled[3] })
    local done = try({ json = true }, "succeeded", "1.0.2")
    assert.same({ 0, "succeeded", "1.0.2" }, { done[1], natives.json.decode(done[4]).state,
      natives.json.decode(done[4]).release })
    assert.equal("dev1 runs 1.0.2: METER_1.0.2.upd is verified", (good(words, { device = { "dev1" } })))
    assert.equal("dev1 runs 1.0.2: METER_1.0.2.upd is verified", here(words, { device = { "dev1" } })[4])
  end)

  it("prints events, the audit and users", function()
    same "audit DIR"
    same "user list DIR"
    for _, form in ipairs { "table", "csv", "jsonl" } do
      assert.equal(here("events DIR", { format = form })[4], (good("events DIR", { format = form })))
    end
    same("events DIR", { device = { "dev1" } })
    same("events DIR", { product = "pk", since = "1h" })
    bad("--since x: expected", "usage", "events DIR", { since = "x" })
    bad("audit --check reads every row", "usage", "audit DIR", { check = true })
    bad("a token makes and changes no users", "forbidden", "user drop DIR ann1")
  end)

  it("may what its token may, and says which actions want the folder", function()
    local viewer = w:token("vic", { [w.pk] = "viewer" })
    bad("this takes the role operator", "forbidden", "device note DIR dev1", { note = "x" }, viewer)
    bad("this takes the role admin", "forbidden", "audit DIR", nil, viewer)
    local foreign = w:token("eve", { [natives.digest.sha256 "far"] = "admin" })
    bad("no device is called dev1", "missing", "device show DIR dev1", nil, foreign)
    local nobody = folder.path "nobody.token"
    folder.write("nobody.token", "moult_" .. ("0"):rep(64) .. "\n")
    bad("log in", "login", "product list DIR", nil, nobody)
    for _, action in ipairs { "status", "batch", "backup" } do
      bad("is done where the depot's folder is", "usage", action .. " DIR")
    end
    for _, action in ipairs { "patch list", "pack", "packages" } do
      bad("takes no --server", "usage", action .. " DIR")
    end
  end)
end)
