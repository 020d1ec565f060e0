-- Products: registered by whom, automatic or staged, switched off, and known without the database.

local acts = require "depot.acts.products"
local acts_of_rollouts = require "depot.rollout.acts"
local catalog = require "depot.catalog"
local device_acts = require "depot.acts.devices"
local depot_world = require "spec.support.depot_world"
local fake_mqtt = require "spec.support.fake_mqtt"
local fleet = require "depot.fleet"
local folders = require "spec.support.folder"
local modes = require "depot.modes"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"
local site = require "depot.site"
local store = require "depot.store"

local PK, OTHER = natives.digest.sha256 "pk", natives.digest.sha256 "other"

describe("a product", function()
  local home = folders.new()
  local dir, s, printed

  local function act(verb, name, opts, as_json)
    printed = {}
    local code, message, word = require("depot.actions.product").run { verb = verb, dir = dir, name = name,
      opts = opts or {}, natives = natives, env = { json = as_json, note = function() end,
        out = function(text) printed[#printed + 1] = text end } }
    return code, message, word
  end

  local function entry(release, sequence, key)
    return depot_world.entry(sequence, release, { product_key = key or PK, project = "METER" })
  end

  before_each(function()
    dir = home.make "keys"
    s = assert(store.open(natives, dir))
  end)

  after_each(function()
    s:close()
    home.remove()
  end)

  describe("on the command line", function()
    it("is registered by its key, or gets one that is shown once", function()
      assert.equal(0, act("add", "meter", { product = "pk", cloud = "aliyun" }))
      assert.same({ "meter: registered, staged", "product_key " .. PK }, printed)
      assert.equal(0, act("add", "tracker", { cloud = "luat", mode = "auto" }, true))
      local object = natives.json.decode(printed[1])
      assert.same({ "tracker", "auto", true }, { object.name, object.mode, object.enabled })
      assert.equal(natives.digest.sha256(object.key), object.product_key)
      for _, name in ipairs { dir .. "/depot.db", dir .. "/depot.db-wal" } do
        local file <close> = assert(io.open(name, "rb"))
        assert.is_nil(file:read("a"):find(object.key, 1, true))
      end
      assert.same({ [PK] = "staged", [object.product_key] = "auto" }, (modes.read(natives, dir)))
      assert.same({ "product.add", "product.add" }, { s:audited(nil, 2)[1].verb, s:audited(nil, 2)[2].verb })
    end)

    it("is there once", function()
      assert.equal(0, act("add", "meter", { product = "pk" }))
      for _, case in ipairs { { "meter", "x" }, { "gauge", "pk" } } do
        local code, message, word = act("add", case[1], { product = case[2] })
        assert.same({ nil, "product meter is registered already", "conflict" }, { code, message, word })
      end
      for _, name in ipairs { "", ("x"):rep(65), "a/b", "a\nb", "\xFF" } do
        assert.equal("usage", (select(3, act("add", name, { product = "k" }))))
      end
    end)

    it("is listed within 80 columns", function()
      assert.equal(0, act("add", ("m"):rep(64), { product = "pk", cloud = "aliyun" }))
      assert(s:put { cloud = "aliyun", product = "pk", device = "d", hash = PK })
      assert.equal(0, act "list")
      assert.same({ "NAME                   MODE     ENABLED  DEVICES  KEY      CLOUDS",
        ("%s staged   yes            1  %s aliyun"):format(("m"):rep(22), PK:sub(1, 8)) }, printed)
      assert.equal(0, act("list", nil, nil, true))
      local object = natives.json.decode(printed[1]).products[1]
      assert.same({ PK, 1, { { cloud = "aliyun", name = "pk" } } }, { object.product_key, object.devices,
        object.clouds })
    end)

    it("is found by name, key and hash, and changed with a row of the audit", function()
      assert.equal(0, act("add", "meter", { product = "pk" }))
      for i, name in ipairs { "meter", "pk", PK } do
        assert.equal(0, act("set", name, { mode = i % 2 == 1 and "auto" or "staged" }))
      end
      assert.equal(0, act("set", "meter", { enabled = "no" }))
      assert.same({ "meter: auto, switched off" }, printed)
      assert.same({ [PK] = "off" }, (modes.read(natives, dir)))
      local row = s:audited(nil, 1)[1]
      assert.same({ "product.set", "product meter", "auto", "off", PK }, { row.verb, row.object, row.before, row.after,
        row.product })
      assert.equal("missing", (select(3, act("set", "nothing", { mode = "auto" }))))
      assert.equal("usage", (select(3, act("set", "meter", {}))))
      assert.equal("usage", (select(3, act("dance", "meter", {}))))
    end)
  end)

  describe("of a running depot", function()
    local depot, mqtt, now, told, packages

    local function open(auto)
      mqtt, told, now = fake_mqtt(), {}, now or os.time() * 1000
      depot = fleet.new({
        mqtt = mqtt, store = s, json = natives.json, sha256 = natives.digest.sha256, now = function() return now end,
        packages = function() return packages end, link = function(e) return "http://h/" .. e.name, 1800 end,
        digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
          close = function() end },
        keep_modes = function(known) assert(modes.write(natives, dir, known)) end,
        on_event = function(event) told[#told + 1] = event end,
      }, { auto = auto, settle = 0, pace = 1000 })
      depot:look()
      mqtt.events[1] = { kind = "connected", session = true }
    end

    local function step(ms)
      now = now + (ms or 0)
      assert(depot:step())
    end

    local function report(name, key)
      table.insert(mqtt.events, { kind = "message", qos = 1, retain = false,
        topic = ("/ota/device/inform/%s/%s"):format(key or "pk", name),
        payload = natives.json.encode { id = "1", params = { version = "1.0.0" } } })
      step()
      step(600)
      step(60)
    end

    local function offers()
      local list = mqtt.sent
      mqtt.sent = {}
      return #list
    end

    local function world()
      return { natives = natives, dir = dir, store = s, actor = { name = "ann" }, by_digest = {} }
    end

    local function set(wishes)
      assert(acts.set(world(), function() return acts.find(world(), "pk") end, wishes))
      depot.board:take_back() -- it sees what other processes changed
      step(600)
      step(600)
      step(60)
    end

    local function row(name, key) return s:get("aliyun", key or "pk", name) end

    before_each(function() packages = {} end)

    after_each(function() depot:close() end)

    it("is registered by its first device where new ones are automatic", function()
      open(true)
      report "d1"
      report("d2", "other")
      assert.same({ "other", "pk" }, { s:products()[1].name, s:products()[2].name })
      assert.same({ [PK] = "auto", [OTHER] = "auto" }, (modes.read(natives, dir)))
      assert.same({ { cloud = "aliyun", name = "pk" } }, s:products()[2].names)
    end)

    it("is registered by a package, and no device of another one gets a row where new ones are staged", function()
      packages = { entry("2.0.0", 2) }
      open(false)
      report "d1"
      report("d2", "other")
      report("d3", "other")
      assert.equal("1.0.0", row("d1").release)
      assert.is_false(row("d2", "other"))
      assert.same({ "METER" }, { s:products()[1].name })
      assert.is_nil(s:products()[2])
      local count = 0
      for _, event in ipairs(told) do count = count + (event.kind == "unregistered" and 1 or 0) end
      assert.equal(1, count)
      assert.equal(0, offers())
    end)

    it("is known to the next report, whatever other process has registered it", function()
      for i, auto in ipairs { false, true } do
        open(auto)
        step(600)
        step(60)
        local key = "made" .. i
        assert.equal(0, act("add", "meter" .. i, { product = key, mode = "staged" }))
        report("d1", key)
        assert.equal("1.0.0", row("d1", key).release)
        depot:close()
      end
      open(false) -- what comes as it stops is heard before it has looked at anything
      assert.equal(0, act("add", "meter3", { product = "made3" }))
      table.insert(mqtt.events, { kind = "message", qos = 1, retain = false, topic = "/ota/device/inform/made3/d1",
        payload = '{"id":"1","params":{"version":"1.0.0"}}' })
      depot:close()
      assert.equal("1.0.0", row("d1", "made3").release)
    end)

    local function report_many(first, last)
      for i = first, last do
        table.insert(mqtt.events, { kind = "message", qos = 1, retain = false, topic = "/ota/device/inform/pk/d" .. i,
          payload = '{"id":"1","params":{"version":"1.0.0"}}' })
      end
      for _ = 1, 4 do
        step()
        step(60)
      end
      return assert(s:devices_known())
    end

    it("takes in a hundred new devices a minute while it is staged, and those that a list names", function()
      packages = { entry("2.0.0", 2) }
      open(false)
      assert(s:change())
      local id = assert(s:add_group(PK, "lab", nil))
      assert(s:set_in_group({ id = id }, "", "d105", true))
      assert(s:set_in_group({ id = id }, "tencent", "d106", true))
      assert(s:commit())
      packages[1].devices = { d107 = true }
      assert.equal(102, report_many(1, 120))
      for name, known in pairs { d100 = true, d101 = false, d105 = true, d106 = false, d107 = true } do
        assert.equal(known, row(name) ~= false, name)
      end
      assert.equal(102, report_many(1, 120))
      local lines = {}
      for _, event in ipairs(told) do
        if event.kind == "unregistered" then lines[#lines + 1] = event.text end
      end
      assert.equal(1, #lines)
      assert.matches("more than 100 new devices of product METER in a minute", lines[1])
      step(60000)
      assert.equal(120, report_many(1, 120)) -- those that are known do not count
      local found = {}
      for _, event in ipairs(assert(s:events({}, 1000))) do
        if event.what == "turned away" then found[#found + 1] = event.text end
      end
      assert.same({ "36 reports of devices that no list names, over 100 new devices a minute" }, found)
    end)

    it("takes in devices at any pace while it is automatic, until the depot is full", function()
      packages = { entry("2.0.0", 2) }
      open(true)
      depot.board.registry.most = 250
      assert.equal(250, report_many(1, 260))
      assert.equal(1, #s:products())
      report("d1", "other") -- not even its product
      assert.equal(1, #s:products())
      assert(s.db:execute "DELETE FROM device WHERE device = 'd7'")
      depot.board:take_back()
      step(600)
      assert.equal(250, report_many(251, 260))
    end)

    it("has the windows of its rollouts where each device is, unless they name a zone", function()
      packages = { entry("2.0.0", 2) }
      open(false)
      for _, name in ipairs { "kolkata", "shanghai", "here" } do report(name) end
      for name, zone in pairs { kolkata = "Asia/Kolkata", shanghai = "Asia/Shanghai" } do
        assert(device_acts.set_zone(world(), function() return row(name) end, zone))
      end
      assert.same({ nil, "usage" }, { device_acts.set_zone(world(), function() return row "here" end, "Mars/Base"),
        (select(3, device_acts.set_zone(world(), function() return row "here" end, "Mars/Base"))) })
      now = (now // 86400000 + 1) * 86400000 -- midnight by UTC, 08:00 in Shanghai
      local plan = { waves = { 100 }, soak = 0, advance = "time", limit = {}, done = 90, least = 1, retries = 0,
        backoff = 60, members = "open", window = { from = 450, to = 510 } } -- 07:30 to 08:30
      local id = assert(s:roll_out({ package = packages[1].manifest.digest, target = "2.0.0", hash = PK, plan = plan },
        now))
      assert(s:make_due(packages[1], now))
      local function offered()
        depot.board:take_back()
        for _ = 1, 4 do step(600) end
        local names = {}
        for _, message in ipairs(mqtt.sent) do names[#names + 1] = message.topic:match "[^/]+$" end
        mqtt.sent = {}
        return table.concat(names, " ")
      end
      assert.equal("shanghai", offered())
      now = now + 2 * 3600000 -- 07:30 in Kolkata
      assert.equal("kolkata", offered())
      now = (now // 86400000) * 86400000 + 8 * 3600000
      assert.equal("here", offered())
      -- A rollout that names a zone has it for all.
      assert(s.db:execute "UPDATE device SET state = NULL, package = NULL, rollout = NULL, due = 1")
      local rollout = s:rollout(id)
      rollout.plan.zone = "Asia/Shanghai"
      assert(s:save_rollout(rollout))
      assert.equal("", offered())
      now = now + 16 * 3600000 -- 08:00 in Shanghai
      assert.equal("here kolkata shanghai", offered())
    end)

    it("has the windows of its rollouts in its zone, unless they name one", function()
      packages = { entry("2.0.0", 2) }
      open(false)
      report "d1"
      local plan = { waves = { 100 }, soak = 0, advance = "time", limit = {}, done = 90, least = 1, retries = 0,
        backoff = 60, members = "open" }
      now = (now // 86400000 + 1) * 86400000 -- midnight by UTC, 08:00 in Shanghai
      local function offered(zone, of_rollout)
        set { zone = zone }
        plan.window, plan.zone = { from = 450, to = 510 }, of_rollout
        local id = assert(s:roll_out({ package = packages[1].manifest.digest, target = "2.0.0", hash = PK,
          plan = plan }, now))
        depot.board:take_back()
        assert(s.db:execute "UPDATE device SET due = 1")
        step(600)
        step(600)
        step(60)
        local count = offers()
        local rollout = s:rollout(id)
        rollout.state, rollout.ended = "cancelled", now
        assert(s:save_rollout(rollout))
        assert(s.db:execute "UPDATE device SET state = NULL, package = NULL, rollout = NULL, due = NULL")
        return count
      end
      assert.equal(0, offered(nil, nil))
      assert.equal(1, offered("Asia/Shanghai", nil))
      assert.equal(0, offered(nil, "Europe/Berlin"))
      assert.same({ nil, "usage" }, { acts.set(world(), nil, { zone = "Mars/Base" }), (select(3, acts.set(world(), nil,
        { zone = "Mars/Base" }))) })
    end)

    it("is offered the newest package while it is automatic, and nothing once it is staged", function()
      packages = { entry("2.0.0", 2) }
      open(true)
      report "d1"
      assert.equal(1, offers())
      set { mode = "staged" }
      assert.same({ "cancelled", nil }, { row("d1").state, s:rollouts()[1] })
      report "d2"
      assert.equal(0, offers())
      assert.is_nil(row("d2").state)
      set { mode = "auto" } -- and once more
      assert.same({ "auto", "running" }, { s:rollouts()[1].kind, s:rollouts()[1].state })
      assert.same({ "pending", "pending" }, { row("d1").state, row("d2").state }) -- also whose job was cancelled
      assert.equal(2, offers())
    end)

    it("is paused by the limit of its automatic mode, for the release that reached it alone", function()
      packages = { entry("2.0.0", 2) }
      open(true)
      local function fail(name)
        table.insert(mqtt.events, { kind = "message", qos = 1, retain = false,
          topic = "/ota/device/progress/pk/" .. name, payload = '{"id":1,"params":{"step":"-1","desc":"x"}}' })
        for _ = 1, 3 do step(600) end
      end
      for i = 1, 4 do report("d" .. i) end
      assert.equal(4, offers())
      assert(s:change())
      local rollout = s:rollouts()[1]
      rollout.plan = plans.read_auto({ limit = "2" }, plans.BATCH)
      assert(s:save_rollout(rollout))
      assert(s:commit())
      depot.board:take_back()
      for i = 1, 2 do
        fail("d" .. i)
        report("new" .. i)
        assert.equal(i == 1 and 1 or 0, offers(), i)
      end
      assert.same({ "paused", "limit", { { release = "2.0.0", verdicts = 2, failed = 2, reached = true } } },
        { s:rollouts()[1].state, s:rollouts()[1].reason, s:rollouts()[1].judged })
      assert.is_nil(plans.BATCH.limit.count)
      packages = { entry("2.0.0", 2), entry("1.9.0", 1) }
      depot:look()
      step(600)
      assert.equal("paused", s:rollouts()[1].state)
      packages = { entry("2.0.0", 2), entry("3.0.0", 3) }
      depot:look()
      for _ = 1, 4 do step(600) end
      assert.same({ "running", nil, nil }, { s:rollouts()[1].state, s:rollouts()[1].reason, s:rollouts()[1].judged })
      assert.equal(3, offers()) -- those that failed, and the one that got nothing
      step(60000)
      for _ = 1, 4 do step(600) end
      assert.equal(6, offers()) -- and the others; the broker has acknowledged none
      fail "d3"
      assert.same({ "running", { { release = "3.0.0", verdicts = 1, failed = 1 } } }, { s:rollouts()[1].state,
        s:rollouts()[1].judged })
      assert(acts_of_rollouts.apply({ store = s, by_digest = depot.offers.by_digest, now = now }, s:rollouts()[1],
        "pause"))
      assert(s:commit())
      packages[3] = entry("4.0.0", 4)
      depot:look()
      for _ = 1, 4 do step(600) end
      assert.same({ "paused", "person" }, { s:rollouts()[1].state, s:rollouts()[1].reason })
    end)

    it("is offered nothing while it is off, its links are refused, and it goes on when it is on", function()
      packages = { entry("2.0.0", 2) }
      open(true)
      report "d1"
      assert.equal(1, offers())
      assert.is_false(depot.board:refuses "aliyun/pk/d1")
      set { enabled = false }
      assert.is_true(depot.board:refuses "aliyun/pk/d1")
      report "d2"
      report "d1"
      assert.equal(0, offers())
      set { enabled = true }
      assert.is_false(depot.board:refuses "aliyun/pk/d1")
      assert.equal(2, offers())
      assert.same({ "pending", "pending" }, { row("d1").state, row("d2").state })
    end)

    it("keeps its mode when the depot's option is another", function()
      packages = { entry("2.0.0", 2) }
      open(false)
      step()
      depot:close()
      open(true)
      report "d1"
      assert.equal(0, offers())
    end)
  end)

  describe("in its folder", function()
    it("is known to a depot that opens no database, and stays so when the database is lost", function()
      assert.equal(0, act("add", "meter", { product = "pk" }))
      assert.equal(0, act("add", "gauge", { product = "other", mode = "auto" }))
      assert.equal(0, act("set", "gauge", { enabled = "no" }))
      s:close()
      os.execute("rm " .. dir .. "/depot.db*")
      s = assert(store.open(natives, dir))
      assert(s:change())
      assert(s:settle_products(dir, "auto", 5))
      assert(s:commit())
      assert.same({ [PK] = "staged", [OTHER] = "off" }, s:modes())
      assert.same({ [PK] = "staged", [OTHER] = "off" }, (modes.read(natives, dir)))
    end)

    it("of an older database gets its packages as its depot's option says", function()
      assert(s:put { cloud = "aliyun", product = "pk", device = "d", hash = PK })
      assert(s:roll_out({ package = "p", target = "t", hash = OTHER }, 1))
      assert(s.db:execute(require("spec.support.store_steps").back_to(13)))
      s:close()
      s = assert(store.open(natives, dir))
      assert.same({ OTHER, "pk" }, { s:products()[1].name, s:products()[2].name })
      assert.is_nil(s:products()[1].mode)
      assert.equal(0, act "list")
      assert.matches("pk%s+open", printed[3])
      assert(s:change())
      assert(s:settle_products(dir, "staged", 5))
      assert(s:commit())
      assert.same({ [PK] = "staged", [OTHER] = "staged" }, s:modes())
    end)

    it("counts as staged where the file cannot be read", function()
      local folder = depot_world.folder(dir .. "/f")
      folder.pack("one.upd", "pk", 1, "1.0.0")
      local place = dir .. "/f/packages"
      for _, text in ipairs { "nonsense\n", PK .. " maybe\n" } do
        folder.write("packages/.products", text)
        local known = catalog.new(natives, place)
        local changes = assert(known:refresh())
        assert.equal("staged", known:file("one.upd").mode)
        assert.matches("every product counts as staged", changes[1].reason)
      end
      folder.write("packages/.products", PK .. " auto\n")
      local known = catalog.new(natives, place)
      assert(known:refresh())
      assert.equal("auto", known:file("one.upd").mode)
    end)
  end)

  describe("over HTTP", function()
    local function ask(mode, path, query, site_has, headers)
      local e = entry("2.0.0", 2)
      e.size, e.path = 10, "/p/2.0.0.upd"
      local facts = { packages = function() return { e } end, entries = function() return { e } end,
        file = function(name) return name == e.name and e or nil end, sha256 = natives.digest.sha256,
        address = "h:1", mode = function() return mode end }
      for name, value in pairs(site_has or {}) do facts[name] = value end
      return site.answer(facts, { method = "GET", path = path, query = query or {}, headers = headers or {} })
    end

    it("is listed and served to everybody while it is automatic", function()
      assert.matches("2.0.0.upd", ask("auto", "/").body)
      assert.equal("/p/2.0.0.upd", ask("auto", "/2.0.0.upd").path)
    end)

    for _, mode in ipairs { "staged", "off" } do
      it("is not listed, and served by a link only, when it is " .. mode, function()
        assert.equal("no packages\n", ask(mode, "/").body)
        assert.equal(403, ask(mode, "/2.0.0.upd").status)
        assert.equal(403, ask(mode, "/2.0.0.upd", { For = "7", Has = "1.0" }).status)
        local link, signs = { Signature = "x", Expires = "1" }, { check = function() end,
          can_check = function() return true end }
        assert.equal("/p/2.0.0.upd", ask(mode, "/2.0.0.upd", link, signs).path)
        assert.equal(503, ask(mode, "/2.0.0.upd", link).status) -- nobody can tell whether it is ours
        local function part(query, headers) return ask(mode, "/2.0.0.upd", query, nil, headers).status end
        assert.is_nil(part(link, { range = "bytes=5-" })) -- it has begun, and goes on
        for _, range in ipairs { "bytes=5-", "bytes=1-1", "bytes=1-2,3-4" } do
          assert.equal(403, part({}, { range = range }))
          assert.equal(403, part({ For = "7", Has = "1.0" }, { range = range }))
        end
        -- These are answered with everything.
        assert.equal(503, part(link, { range = "bytes=1-2,3-9" }))
        assert.equal(503, part(link, { range = "bytes=5-", ["if-range"] = '"another"' }))
        assert.same({ "terminal id=7 version=1 -> nothing for it" }, { ask(mode, "/terminal/check", { product = "pk",
          id = "7", version = "1" }, nil, { host = "h:80" }).note })
      end)
    end
  end)
end)
