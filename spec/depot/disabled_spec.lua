-- A release that is switched off is offered to nobody; what has begun goes on; and it can be switched on again.

local catalog = require "depot.catalog"
local choice = require "depot.choice"
local depot_world = require "spec.support.depot_world"
local disabled = require "depot.disabled"
local fake_mqtt = require "spec.support.fake_mqtt"
local fleet = require "depot.fleet"
local luat = require "depot.luat"
local natives = require "update.natives"
local release_file = require "depot.release_file"
local releases = require "depot.acts.releases"
local site = require "depot.site"
local store = require "depot.store"
local terminal = require "depot.terminal"

local sha256 = natives.digest.sha256
local PK = sha256 "pk"

describe("a release that is switched off", function()
  local dir, folder, w

  -- The folder as somebody sees it who opens no database.
  local function entries()
    local known = catalog.new(natives, w.dir)
    local changes = assert(known:refresh())
    return known:packages(), changes
  end

  local function world()
    local packages, by_digest = entries(), {}
    for _, entry in ipairs(packages) do by_digest[entry.manifest.digest] = entry end
    disabled.mark(packages, assert(w.store:disabled()))
    return { natives = natives, dir = w.dir, store = w.store, packages = packages, by_digest = by_digest,
      actor = { name = "spec" } }
  end

  local function switch(enabled)
    local here = world()
    return assert(releases.note(here, releases.all(here)[1], { enabled = enabled }))
  end

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    w = depot_world.with_devices(dir)
    folder = w.folder
  end)

  after_each(function()
    w.store:close()
    folder.remove()
    os.execute("rm -rf " .. dir)
  end)

  it("is known to a depot that opens no database, and no longer once it is on again", function()
    assert.is_nil(entries()[1].disabled)
    switch(false)
    assert.is_true(entries()[1].disabled)
    assert.is_false(choice.is_offered(entries()[1]))
    switch(true)
    assert.is_nil(entries()[1].disabled)
    assert.is_true(choice.is_offered(entries()[1]))
  end)

  it("is recorded once, with who did it", function()
    switch(false)
    switch(false)
    switch(true)
    local verbs = {}
    for i, row in ipairs(w.store:audited(nil, 10)) do verbs[i] = row.verb .. " of " .. row.object end
    assert.same({ "release.enable of release 1.0.1 2", "release.disable of release 1.0.1 2" }, verbs)
  end)

  it("is that of one hardware, if its product has one for each of several", function()
    local function of(...)
      return { manifest = { product_key = PK, release = "3.0.0", sequence = 3, hardware = { ... } } }
    end
    assert(w.store:change())
    assert(w.store:switch_release(w.dir, of("C", "A").manifest, false, 1))
    assert(w.store:commit())
    local list = { of "B", of("A", "C"), of() }
    disabled.mark(list, (disabled.read(natives, w.dir)))
    assert.same({ nil, true, nil }, { list[1].disabled, list[2].disabled, list[3].disabled })
  end)

  it("stays off in a database that lost it, and in a file that lost it", function()
    switch(false)
    local key = release_file.key(PK, "1.0.1", 2)
    assert.same({ [key] = true }, w.store:disabled())
    assert(w.store:change())
    assert(w.store.statements.enable:run(PK, "1.0.1", 2))
    assert(w.store:settle_disabled(w.dir, 2))
    assert(w.store:commit())
    assert.same({ [key] = true }, w.store:disabled())
    os.remove(w.dir .. "/.disabled")
    assert(w.store:change())
    assert(w.store:settle_disabled(w.dir, 2))
    assert(w.store:commit())
    assert.same({ [key] = true }, (disabled.read(natives, w.dir)))
  end)

  it("may be any if the file cannot be read, so none is offered, which is said once", function()
    assert(os.execute("mkdir " .. w.dir .. "/.disabled"))
    local known = catalog.new(natives, w.dir)
    local changes = assert(known:refresh())
    assert.same({ ".disabled", "skipped" }, { changes[1].name, changes[1].change })
    assert.is_true(known:packages()[1].disabled)
    assert.same({}, assert(known:refresh()))
    assert.is_nil(w.store:settle_disabled(w.dir, 1))
    assert(os.execute("rmdir " .. w.dir .. "/.disabled"))
    assert(known:refresh())
    assert.is_nil(known:packages()[1].disabled)
  end)

  local QUERY = { project_key = "pk", imei = "866714040000001", firmware_name = "METER_LuatOS-SoC_EC618",
    version = "1.0.0", core_version = "17", dfota = "0" }

  it("answers no query and no terminal, but goes on with what they have begun", function()
    local entry = entries()[1]
    entry.manifest.core_name, entry.manifest.requires_core = nil, nil
    local list = { entry }
    assert.equal("package", luat.answer(QUERY, list, sha256).kind)
    local asked = { product = "pk", id = "t", version = "1.0.0" }
    assert.equal(entry, terminal.choose(asked, list, sha256))
    entry.disabled = true
    list = { entry } -- what is known of an array is remembered
    assert.equal(27, luat.answer(QUERY, list, sha256).code)
    assert.equal("package", luat.answer(QUERY, list, sha256, entry.tag).kind)
    assert.is_nil((terminal.choose(asked, list, sha256)))
  end)

  it("is refused over the file route, but for downloads that have begun", function()
    local entry = { name = "a.upd", path = "/a", size = 9, tag = '"1"', manifest = entries()[1].manifest,
      disabled = true }
    local served = { file = function() return entry end, entries = function() return { entry } end,
      check = function() end }
    local function ask(path, query, range, can_check)
      served.can_check = function() return can_check end
      return site.answer(served, { method = "GET", path = path, query = query, headers = { range = range } })
    end
    local signed = { Signature = "x", Expires = "1", For = "aliyun/pk/d" }
    assert.equal(403, ask("/a.upd", {}, nil, true).status)
    assert.equal(403, ask("/a.upd", signed, nil, false).status)
    assert.is_not.equal(403, ask("/a.upd", signed, nil, true).status) -- the store was asked
    assert.is_not.equal(403, ask("/a.upd", {}, "bytes=5-", true).status)
    assert.is_not.equal(403, ask("/a.upd", signed, "bytes=5-", false).status)
    assert.matches("not offered", ask("/", {}).body)
    entry.disabled = nil
    assert.is_not.equal(403, ask("/a.upd", {}, nil, true).status)
    assert.not_matches("not offered", ask("/", {}).body)
  end)

  describe("in a depot that runs", function()
    local mqtt, depot, now

    -- Who was offered what since the last look.
    local function steps()
      local offered = {}
      for _ = 1, 3 do
        now = now + 1000
        assert(depot:step())
        for _, message in ipairs(mqtt.sent) do
          if message.object.data then
            offered[#offered + 1] = message.topic:match "[^/]+$" .. " " .. message.object.data.version
            table.insert(mqtt.events, { kind = "published", id = message.id })
          end
        end
        mqtt.sent = {}
      end
      table.sort(offered)
      return table.concat(offered, ", ")
    end

    local function say(name, step)
      table.insert(mqtt.events, { kind = "message", qos = 1, retain = false, topic = "/ota/device/progress/pk/" .. name,
        payload = ('{"id":"1","params":{"step":"%s","desc":""}}'):format(step) })
    end

    local function row(name) return assert(w.store:get("aliyun", "pk", name)) end

    -- As another process does.
    local function switched(enabled)
      local other = assert(store.open(natives, w.dir))
      local mine = w.store
      w.store = other
      switch(enabled)
      w.store = mine
      other:close()
    end

    before_each(function()
      now, mqtt = os.time() * 1000, fake_mqtt()
      local packages = entries()
      depot = fleet.new({ mqtt = mqtt, store = w.store, json = natives.json, sha256 = sha256,
        now = function() return now end, packages = function() return packages end,
        link = function(entry) return "http://h/" .. entry.name, 1800 end,
        digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
          close = function() end },
        on_event = function() end }, { settle = 0, pace = 1000, auto = true })
      depot:look()
      mqtt.events[1] = { kind = "connected", session = true }
    end)

    it("is offered to nobody, and to all who wait once it is on", function()
      switched(false)
      assert(w.store:make_due(entries()[1], now))
      assert.equal("", steps())
      switched(true)
      assert.equal("dev1 1.0.1, dev2 1.0.1, dev3 1.0.1", steps())
    end)

    it("keeps the jobs that are open: those that have not begun wait, the others go on", function()
      assert(w.store:make_due(entries()[1], now))
      assert.equal("dev1 1.0.1, dev2 1.0.1, dev3 1.0.1", steps())
      say("dev1", "10")
      steps()
      switched(false)
      assert.equal("", steps())
      assert.same({ "upgrading", "pending", "pending" }, { row("dev1").state, row("dev2").state, row("dev3").state })
      assert.is_true(depot.board:refuses "aliyun/pk/dev2")
      assert.is_false((depot.board:refuses "aliyun/pk/dev1"))
      for _, name in ipairs { "dev2", "dev3" } do say(name, "-2") end -- as the links are refused
      assert.equal("", steps())
      assert.equal("pending", row("dev2").state)
      assert.is_nil(row("dev2").due) -- the depot does not spin
      switched(true)
      assert.matches("dev2 1.0.1, dev3 1.0.1", steps())
    end)

    it("is not fed to devices again and again", function()
      assert(w.store:make_due(entries()[1], now))
      steps()
      for _, name in ipairs { "dev2", "dev3" } do
        local one = row(name)
        one.state, one.due, one.ends = "pending", nil, 0
        assert(w.store:put(one))
      end
      local rollout = assert(w.store:rollouts())[1]
      local digest = row("dev2").package
      assert.is_false(w.store:has_waiting(rollout, 0, nil, { digest }))
      assert.equal(0, w.store:feed(rollout, now, 0, 10, nil, { digest }))
      assert.is_table(w.store:has_waiting(rollout, 0, nil, { "another" }))
      assert.equal(2, w.store:feed(rollout, now, 0, 10, nil, { "another" }))
    end)

    it("is not verified and starts no rollout", function()
      switched(false)
      local here = world()
      local acts = require "depot.rollout.acts"
      local rollout = { package = here.packages[1].manifest.digest }
      assert.matches("switched off", (acts.obstacle({ store = w.store, by_digest = here.by_digest }, rollout)))
      local done, message, code = require("depot.acts.verify").start(here, here.packages[1], row "dev1")
      assert.same({ nil, "refused" }, { done, code })
      assert.matches("switched off", message)
    end)
  end)
end)
