-- The depot as a cloud, with a client of the broker that only pretends: what is
-- said, what is written down, and what happens when either goes wrong.

local depot_mqtt = require "depot.mqtt"
local fake_mqtt = require "spec.support.fake_mqtt"
local fleet = require "depot.fleet"
local lock = require "depot.lock"
local natives = require "update.natives"
local silence = require "depot.silence"
local store = require "depot.store"
local store_steps = require "spec.support.store_steps"

local json = natives.json

describe("depot.fleet", function()
  local dir, mqtt, kept, depot, now, base, told, packages, md5_ready, options

  local function entry(release, sequence, product)
    return { name = "METER_" .. release .. ".upd", size = 1000 + sequence, tag = "t", manifest = {
      digest = "digest of " .. release, release = release, sequence = sequence, parts = { { kind = "script" } },
      product_key = natives.digest.sha256(product or "pk") } }
  end

  local function open()
    mqtt = fake_mqtt()
    kept = assert(store.open(natives, dir))
    depot = fleet.new({
      mqtt = mqtt, store = kept, json = json, sha256 = natives.digest.sha256, now = function() return now, base end,
      packages = function() return packages end,
      link = function(e) return "http://h/" .. e.name .. "?at=" .. now, 1800 end,
      digests = { of = function() return md5_ready and "0123" or nil end, step = function() end,
        busy = function() return not md5_ready end, close = function() end },
      on_event = function(event) told[#told + 1] = event end,
    }, options)
    depot:look()
    mqtt.events[1] = { kind = "connected", session = false }
  end

  local function step(ms)
    now = now + (ms or 0)
    assert(depot:step())
  end

  local function publish(topic, object, retain)
    table.insert(mqtt.events, { kind = "message", topic = topic, payload = type(object) == "string" and object
      or json.encode(object), qos = 1, retain = retain or false })
  end

  local function report(release, device)
    publish("/ota/device/inform/pk/" .. (device or "dn"), { id = "1", params = { version = release } })
  end

  local function progress(percent, device)
    publish("/ota/device/progress/pk/" .. (device or "dn"),
      { id = 1, params = { step = tostring(percent), desc = "" } })
  end

  local function sent()
    local list = mqtt.sent
    mqtt.sent = {}
    return list
  end

  local function acknowledge(list, unheard)
    for _, message in ipairs(list) do
      table.insert(mqtt.events, { kind = "published", id = message.id, unheard = unheard })
    end
    step()
  end

  local function row(device, cloud)
    return kept:get(cloud or "aliyun", "pk", device or "dn")
  end

  local function reopen(session)
    depot:close()
    kept:close()
    open()
    mqtt.events[1].session = session ~= false
  end

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
    now, told, packages, md5_ready, options = 1000000000, {}, { entry("2.0.0", 2) }, true, { auto = true }
    base = nil
    open()
  end)

  after_each(function()
    depot:close()
    kept:close()
    os.execute("rm -r " .. dir)
    collectgarbage()
  end)

  it("hears devices, and not itself", function()
    assert.same({ "/ota/device/inform/+/+", "/ota/device/progress/+/+", "/ota/device/request/+/+",
      "/sys/+/+/thing/ota/firmware/get", "$ota/report/+/+" }, mqtt.topics)
  end)

  it("takes an Aliyun device from its report to success", function()
    report "1.0.0"
    step()
    assert.same({}, sent()) -- a second report may come
    step(2001)
    local offers = sent()
    assert.same({ "/ota/device/upgrade/pk/dn", 1, "2.0.0", 1002, "0123" }, { offers[1].topic, offers[1].qos,
      offers[1].object.data.version, offers[1].object.data.size, offers[1].object.data.md5 })
    assert.equal("pending", row().state)
    acknowledge(offers)
    assert.is_nil(row().due)
    progress(0)
    step()
    assert.equal("upgrading", row().state)
    progress(100)
    step()
    assert.same({ "upgrading", 100 }, { row().state, row().step })
    report "2.0.0"
    step()
    assert.same({ "succeeded", "2.0.0" }, { row().state, row().release })
    step(5000)
    assert.same({}, sent())
    assert.equal("dn", kept:is_verified("digest of 2.0.0").device)
    local events = {}
    for i, event in ipairs(assert(kept:events({}, 100))) do events[i] = event.what end
    assert.same({ "connection", "first heard", "pending", "offered", "upgrading", "runs", "succeeded" }, events)
  end)

  it("counts the jobs of rollouts anew once a day, and tells of a tally that was wrong", function()
    options = {}
    reopen()
    step()
    step()
    assert(kept:roll_out({ package = "digest of 2.0.0", target = "2.0.0", hash = natives.digest.sha256 "pk" }, now))
    depot.board:take_back()
    report "1.0.0"
    step()
    step(2001)
    step(60)
    assert.equal(1, kept:tally({ id = 1 })[1].n)
    step(86400000)
    step(60)
    for _, event in ipairs(assert(kept:events({}, 100))) do assert.is_not.equal("fault", event.what) end
    assert(kept.db:execute "UPDATE tally SET n = 7; UPDATE standing SET n = 7")
    step(86400000)
    step(60)
    assert.equal(1, kept:tally({ id = 1 })[1].n)
    local faults = {}
    for _, event in ipairs(assert(kept:events({}, 100))) do
      if event.what == "fault" then faults[#faults + 1] = event.text end
    end
    assert.same({ "the counts of rollout 1 were wrong, and are counted anew",
      "the counts of devices were wrong, and are counted anew" }, faults)
    assert.equal(1, kept:devices_known())
  end)

  it("removes nothing for a day after the clock was set forward, or when nothing happened for long", function()
    base = 0
    reopen()
    step()
    report "1.0.0"
    step()
    local function oldest() return assert(kept:events({}, 1))[1].id end
    local first = oldest()
    base, now = 500 * 86400000, now + 500 * 86400000
    step()
    step(20000)
    assert.equal(first, oldest())
    now = now - 500 * 86400000 -- it was put right
    base = 0
    reopen()
    mqtt.events[1] = nil
    now = now + 1000 * 86400000
    step()
    step(20000)
    assert.equal(first, oldest())
    step(86400000)
    step()
    assert.equal(0, #assert(kept:events({}, 1))) -- it was right, and the depot was off
  end)

  it("counts how devices stand as it changes them", function()
    local function counts()
      local list = {}
      for _, one in ipairs(assert(kept:standings())) do
        list[#list + 1] = ("%d %s %s %d"):format(one.n, one.release, one.state, one.unheard)
      end
      assert.is_false(kept:recount_standings())
      return table.concat(list, ", ")
    end
    report("1.0.0", "a")
    report("1.0.0", "b")
    step()
    assert.equal("2 1.0.0 nil 0", counts())
    step(2001)
    acknowledge(sent(), true)
    assert.equal("2 1.0.0 pending 2", counts())
    progress(5, "a")
    step()
    report("2.0.0", "a")
    step()
    assert.equal("1 1.0.0 pending 1, 1 2.0.0 succeeded 0", counts())
    assert.same({ pending = 1, succeeded = 1 }, kept:standing(row("a").hash).states)
    assert(kept.db:execute "DELETE FROM device WHERE device = 'a'")
    assert.equal("1 1.0.0 pending 1", counts())
  end)

  it("removes what is older than its time while it runs", function()
    assert(kept:change())
    for i = 1, 1001 do assert(kept:note_event { at = i, what = "connection" }) end
    assert(kept:commit())
    now = 401 * 86400000
    step()
    step(5)
    assert.equal(2, #assert(kept:events({ since = 0 }, 100))) -- one is left, and the broker was reached
    step(10001)
    step(5)
    assert.equal(1, #assert(kept:events({}, 100)))
  end)

  it("knows a device that fell back from one that reports two releases, though it hears both at once", function()
    local function updated(device, before, after)
      for _, release in ipairs(before) do report(release, device) end
      step()
      step(2001)
      acknowledge(sent())
      progress(10, device)
      step()
      for _, release in ipairs(after) do report(release, device) end -- while the depot was away
      step()
      step(2001)
      return row(device).state
    end
    assert.equal("reverted", updated("a", { "1.0.0" }, { "2.0.0", "1.0.0" }))
    assert.equal("succeeded", updated("b", { "1.0.0", "fw7" }, { "2.0.0", "fw7" }))
    assert.equal("succeeded", updated("c", { "fw7", "1.0.0" }, { "fw7", "2.0.0" }))
  end)

  it("does not try again by itself on a device that runs something newer meanwhile", function()
    options = {}
    reopen()
    step()
    step()
    assert(kept:roll_out({ package = "digest of 2.0.0", target = "2.0.0", hash = natives.digest.sha256 "pk",
      plan = { waves = { 100 }, soak = 0, advance = "time", limit = {}, done = 90, least = 1, retries = 3, backoff = 60,
        members = "open" } }, now))
    depot.board:take_back()
    report "1.0.0"
    step()
    step(2001)
    step(600)
    acknowledge(sent())
    progress(-1)
    step()
    assert.same({ "failed", now + 60000 }, { row().state, row().again })
    report "5.0.0"
    step()
    step(2001)
    step(60000)
    assert.same({ "superseded", 0 }, { row().state, #sent() })
  end)

  it("offers what came while a device was at work once its job has failed", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(10)
    step()
    packages = { entry("2.0.1", 3) }
    depot:look()
    step(600)
    assert.same({ "upgrading", 0 }, { row().state, #sent() })
    progress(-3)
    step()
    assert.same({ "pending", "2.0.1", 1 }, { row().state, row().target, #sent() })
  end)

  it("refuses the link of a package in whose place another was put, and offers that one", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(10)
    step()
    assert.same({ false }, { depot.board:refuses "aliyun/pk/dn" })
    packages = { entry("2.0.1", 3) }
    packages[1].name = "METER_2.0.0.upd"
    depot:look()
    assert.same({ true, true }, { depot.board:refuses "aliyun/pk/dn" })
    depot:link_died "aliyun/pk/dn"
    step()
    progress(-2) -- what the device makes of it
    step()
    assert.same({ "upgrading", 1 }, { row().state, row().renewals })
    step(2001)
    assert.same({ "pending", "2.0.1", 1 }, { row().state, row().target, #sent() })
  end)

  it("offers once more, later, to a device that had all of its package when the depot was killed", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(100)
    step()
    kept:offer_anew(now)
    step(1000)
    assert.same({ "upgrading", 0 }, { row().state, #sent() })
    step(600000)
    assert.same({ "upgrading", 1 }, { row().state, #sent() })
  end)

  it("answers Tencent at once, and offers then", function()
    publish("$ota/report/pk/dn", { type = "report_version", report = { version = "1.0.0" } })
    step()
    assert.same({ result_code = 0, result_msg = "success", type = "report_version_rsp", version = "1.0.0" },
      sent()[1].object)
    step(2001)
    local offer = sent()[1]
    assert.same({ "$ota/update/pk/dn", "update_firmware", "2.0.0" }, { offer.topic, offer.object.type,
      offer.object.version })
    assert.same({ "pending" }, { row("dn", "tencent").state })
  end)

  it("answers who asks, with a link of now", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    publish("/ota/device/request/pk/dn", { id = 0, params = { version = "1.0.0" } })
    step(10)
    local answer = sent()[1]
    assert.same({ "/ota/device/request/pk/dn", "http://h/METER_2.0.0.upd?at=" .. now },
      { answer.topic, answer.object.data.url })
    publish("/sys/pk/dn/thing/ota/firmware/get", { id = 5, params = {} })
    step()
    assert.same({}, sent()) -- asked on both topics: the first answer will do
    publish("/sys/pk/dn/thing/ota/firmware/get", { id = 5, params = {} })
    step(3000)
    assert.same({ "/sys/pk/dn/thing/ota/firmware/get_reply", 5 }, { mqtt.sent[1].topic, mqtt.sent[1].object.id })
    sent()
    packages = {}
    depot:look()
    publish("/sys/pk/other/thing/ota/firmware/get", { id = 6, params = {} })
    step()
    assert.same({}, sent()[1].object.data)
  end)

  it("keeps to its pace", function()
    options = { auto = true, pace = 20 }
    reopen()
    for i = 1, 100 do
      report("1.0.0", "dev" .. i)
    end
    step()
    step(2001)
    local first = #sent()
    assert.is_true(first >= 1 and first <= 5) -- a quarter of a second's
    local count = 0
    for _ = 1, 20 do
      step(100)
      count = count + #sent()
    end
    assert.is_true(count >= 38 and count <= 41, count)
    for _ = 1, 40 do
      step(100)
      count = count + #sent()
    end
    assert.equal(100, first + count)
    assert.equal(100, #assert(kept.db:prepare("SELECT 1 FROM device WHERE state = 'pending'"):all()))
  end)

  it("offers nothing while the broker is away, and then does", function()
    report "1.0.0"
    step()
    table.insert(mqtt.events, { kind = "disconnected", message = "gone", code = "network" })
    step(2001)
    assert.same({}, sent())
    table.insert(mqtt.events, { kind = "connected", session = true })
    step(1)
    assert.equal(1, #sent())
  end)

  it("names an offer that is too large for the broker, and sends none of that size for an hour", function()
    report "1.0.0"
    report("1.0.0", "d2")
    step()
    step(2001)
    local first = sent()
    assert.equal(2, #first)
    for _, offer in ipairs(first) do
      table.insert(mqtt.events, { kind = "lost", id = offer.id, topic = offer.topic, size = 345, code = "refused",
        message = "the broker ends the connection over this message" })
    end
    step()
    assert.equal("given up", told[#told].kind)
    assert.matches("^a packet of 345 bytes to /ota/device/upgrade/pk/d.: the broker ends the connection over this",
      told[#told].text)
    assert.same({ "pending", "the broker takes no packet of 345 bytes" }, { row().state, row().text })
    report("1.0.0", "d3")
    step()
    step(120000)
    assert.same({}, sent())
    assert.equal("the broker takes no packet of 345 bytes", row("d3").text)
    step(3600000)
    assert.equal(3, #sent())
    assert.is_nil(row().text)
  end)

  it("names a likely reason when the broker ends each connection at once", function()
    local function text_of(message, ms)
      table.insert(mqtt.events, { kind = "disconnected", message = message, code = "network" })
      table.insert(mqtt.events, { kind = "connected", session = true })
      step(ms)
      return told[#told].text
    end
    for _ = 1, 3 do assert.equal("gone", text_of("gone", 20000)) end
    for _ = 1, 2 do assert.equal("gone", text_of("gone", 1000)) end
    assert.matches("^gone; perhaps another client has the name of this depot", text_of("gone", 1000))
    assert.equal("gone over a packet of", text_of("gone over a packet of", 1000))
  end)

  it("pushes an offer again that the broker has not accepted", function()
    report "1.0.0"
    step()
    step(2001)
    assert.equal(1, #sent())
    step(30000)
    assert.same({}, sent())
    reopen()
    step(30001)
    assert.equal(1, #sent())
  end)

  it("waits when its queue is full", function()
    report "1.0.0"
    step()
    mqtt.room = 0
    step(2001)
    assert.same({}, sent())
    mqtt.room = 1
    step(200)
    assert.equal(1, #sent())
  end)

  it("writes nothing of the others that are due while its queue is full", function()
    for i = 1, 20 do report("1.0.0", "d" .. i) end
    step()
    mqtt.room = 0
    local written, put = 0, kept.put
    kept.put = function(...)
      written = written + 1
      return put(...)
    end
    step(2001)
    step(10)
    assert.equal(1, written)
    mqtt.room = 1 -- no message has left, so it is not asked before its time
    step(10)
    assert.same({}, sent())
    assert.is_true(depot:timeout() > 0)
    step(40)
    local list = sent()
    assert.equal(1, #list)
    mqtt.room = 5
    acknowledge(list)
    assert.equal(5, #sent())
  end)

  it("waits until a package is hashed, and for one that was taken away", function()
    md5_ready = false
    report "1.0.0"
    step()
    step(2001)
    assert.same({}, sent())
    assert.equal(0, depot:timeout())
    packages = {}
    depot:look()
    step(501)
    assert.same({ "pending", "the package is not in the folder" }, { row().state, row().text })
    md5_ready, packages = true, { entry("2.0.0", 2) }
    depot:look()
    step(10001)
    assert.equal(1, #sent())
    assert.is_nil(row().text)
  end)

  it("continues after a restart", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(40)
    step()
    reopen()
    step()
    assert.same({ "upgrading", 40 }, { row().state, row().step })
    step(100000)
    assert.same({}, sent()) -- the device goes on by itself
    report "1.0.0"
    step()
    step(2001)
    assert.equal(1, #sent())
    report "2.0.0"
    step()
    assert.equal("succeeded", row().state)
  end)

  it("repeats offers when the broker has lost the session", function()
    for _, name in ipairs { "waits", "loads", "burns", "runs" } do
      report("1.0.0", name)
    end
    step()
    step(2001)
    acknowledge(sent())
    progress(40, "loads")
    progress(100, "burns")
    report("2.0.0", "runs")
    step()
    reopen(false)
    step()
    step(100)
    local topics = {}
    for i, message in ipairs(sent()) do
      topics[i] = message.topic:match "[^/]+$"
    end
    table.sort(topics)
    assert.same({ "loads", "waits" }, topics)
  end)

  it("handles the last messages before it ends", function()
    report "1.0.0"
    depot:close()
    kept:close()
    open()
    assert.equal("1.0.0", row().release)
  end)

  it("offers what came while a device was upgrading, without another report", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(50)
    step()
    packages = { entry("2.0.0", 2), entry("3.0.0", 3) }
    depot:look()
    step(600)
    assert.same({}, sent())
    report "2.0.0"
    step()
    assert.same({ "succeeded", "2.0.0" }, { row().state, row().target })
    step(4000)
    report "firmware-7" -- the second report of the same start
    step()
    assert.same({}, sent())
    step(3000)
    assert.equal("3.0.0", sent()[1].object.data.version)
    assert.same({ "pending", "3.0.0" }, { row().state, row().target })
  end)

  it("gives devices up that fell silent for a day", function()
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent())
    progress(40)
    step()
    step(24 * 3600 * 1000 - 1000)
    assert.equal("upgrading", row().state)
    step(61000)
    assert.same({ "failed", -1, "not heard of for a day" }, { row().state, row().code, row().text })
  end)

  it("ignores messages that are damaged, retained or not for it", function()
    publish("/ota/device/inform/pk/dn", "{")
    publish("/ota/device/inform/pk/dn", ("["):rep(100))
    publish("/ota/device/inform/pk/dn", '{"params":{"version":"' .. ("1"):rep(20000) .. '"}}')
    publish("/ota/device/inform/pk/dn", { id = 1, params = { version = "2.0.0" } }, true)
    publish("/ota/device/upgrade/pk/dn", { id = 1, params = { version = "2.0.0" } })
    publish("elsewhere", "x")
    step()
    step(5000)
    assert.is_false(row())
    assert.same({}, sent())
    local garbled = 0
    for _, event in ipairs(told) do
      garbled = garbled + (event.kind == "garbled" and 1 or 0)
    end
    assert.equal(3, garbled)
  end)

  it("loses nothing when the store is busy for long", function()
    local other = assert(natives.database.open(dir .. "/depot.db"))
    assert(other:execute "BEGIN IMMEDIATE")
    assert(kept.db:execute "PRAGMA busy_timeout = 0")
    report "1.0.0"
    report("1.0.0", "dev2")
    local ok, _, code = depot:step()
    assert.same({ nil, "busy" }, { ok, code })
    assert.is_true(depot:timeout() > 0)
    now = now + 1000
    assert.is_nil(depot:step())
    other:close()
    step(1000)
    assert.equal("1.0.0", row().release)
    assert.equal("1.0.0", row("dev2").release)
  end)

  it("finds the jobs and rollouts that others write", function()
    options = {}
    reopen()
    step()
    step()
    local other = assert(store.open(natives, dir))
    report "1.0.0"
    step()
    step(2001)
    assert.same({}, sent()) -- nothing by itself
    step()
    assert(other:roll_out({ package = "digest of 2.0.0", target = "2.0.0", hash = natives.digest.sha256 "pk" }, now))
    step(501)
    report("1.0.0", "dev2")
    step()
    step(2001)
    assert.equal("/ota/device/upgrade/pk/dev2", sent()[1].topic)
    other:close()
  end)

  it("says once that a device cannot be heard whose name cannot be", function()
    for _ = 1, 2 do
      for _, name in ipairs { "dev 06", "\xE8\xAE\xBE05", "d\27[2J" } do report("1.0.0", name) end
      step()
    end
    local lines = {}
    for _, event in ipairs(told) do
      if event.kind == "unheard" then lines[#lines + 1] = event.text:match "^aliyun pk/(.-): a name has" end
    end
    assert.same({ "dev 06", "\\xE8\\xAE\\xBE05", "d\\x1B[2J" }, lines)
    assert.same({}, sent())
  end)

  it("passes over a NUL byte behind a message, and says so once", function()
    for _ = 1, 2 do
      publish("/ota/device/inform/pk/dn", json.encode { id = "1", params = { version = "1.0.0" } } .. "\0")
      step()
    end
    assert.equal("1.0.0", row().release)
    local lines = {}
    for _, event in ipairs(told) do
      if event.kind == "NUL byte" then lines[#lines + 1] = event.text end
    end
    assert.same({ "aliyun pk/dn: its messages end with a NUL byte, which is ignored" }, lines)
  end)

  -- The second time round.
  local function round(release, device)
    report(release, device)
    step(6000)
    step(3000)
    local list = sent()
    acknowledge(list)
    return list[1] and list[1].object.data.version
  end

  local function look(...)
    packages = { ... }
    depot:look()
  end

  it("offers the next release to a device that succeeded before, twice", function()
    assert.equal("2.0.0", round "1.0.0")
    assert.is_nil(round "2.0.0")
    look(entry("2.0.0", 2), entry("3.0.0", 3))
    assert.equal("3.0.0", round "2.0.0")
    assert.is_nil(round "3.0.0")
    look(entry("3.0.0", 3), entry("4.0.0", 4))
    assert.equal("4.0.0", round "3.0.0")
  end)

  describe("offers a package that comes to devices that listen", function()
    before_each(function()
      for _, name in ipairs { "d1", "d2", "d3", "d4" } do round("1.0.0", name) end
      round("2.0.0", "d1")
      progress(40, "d3")
      publish("/ota/device/progress/pk/d4", { id = 1, params = { step = "-1", desc = "" } })
      step()
      sent()
    end)

    local function offered()
      local list = {}
      for _, message in ipairs(sent()) do
        list[#list + 1] = message.topic:match "[^/]+$" .. " " .. message.object.data.version
      end
      table.sort(list)
      return list
    end

    it("and are not at work, without a report", function()
      look(entry("2.0.0", 2), entry("3.0.0", 3))
      step(1000)
      assert.same({ "d1 3.0.0", "d2 3.0.0", "d4 3.0.0" }, offered())
      look(entry("2.0.0", 2), entry("3.0.0", 3, "of others"))
      step(1000)
      assert.same({}, offered())
    end)

    it("by the pace", function()
      look(entry("2.0.0", 2), entry("3.0.0", 3))
      depot.offers.pace.rate, depot.offers.pace.allowance = 1, 1
      step()
      assert.equal(1, #offered())
      step(100)
      assert.equal(0, #offered())
      step(1000)
      assert.equal(1, #offered())
    end)

    it("once it is hashed", function()
      md5_ready = false
      look(entry("2.0.0", 2), entry("3.0.0", 3))
      step(1000)
      assert.is_nil(row("d1").due)
      md5_ready = true
      step(1)
      assert.same({ "d1 3.0.0", "d2 3.0.0", "d4 3.0.0" }, offered())
    end)

    it("and are on its list, also when that grows", function()
      local limited = entry("3.0.0", 3)
      limited.devices = { d1 = true }
      look(entry("2.0.0", 2), limited)
      step(1000)
      assert.same({ "d1 3.0.0" }, offered())
      limited = entry("3.0.0", 3)
      limited.devices = { d1 = true, d4 = true }
      look(entry("2.0.0", 2), limited)
      step(1000)
      assert.same({ "d4 3.0.0" }, offered())
    end)

    it("and are on its list, also when they wait with another package", function()
      local limited = entry("3.0.0", 3)
      limited.devices = { d1 = true, d2 = true, ["d\"3"] = true }
      round("1.0.0", "d5")
      assert.same({ "pending", "pending" }, { row("d2").state, row("d5").state })
      look(entry("2.0.0", 2), limited)
      step(1000)
      assert.same({ "d1 3.0.0", "d2 3.0.0" }, offered())
      assert.same({ "3.0.0", "2.0.0" }, { row("d2").target, row("d5").target })
    end)

    it("offers nothing by itself when packages are staged", function()
      assert(kept:settle_products(dir, "staged", now))
      kept:save_product { name = "project", mode = "staged", enabled = 1, hash = natives.digest.sha256 "pk" }
      reopen()
      step(1000)
      sent()
      look(entry("2.0.0", 2), entry("3.0.0", 3))
      step(1000)
      assert.same({}, offered())
      assert.is_nil(row("d1").due)
    end)

    it("and came while no depot was there", function()
      packages = { entry("2.0.0", 2), entry("3.0.0", 3) }
      md5_ready = false
      reopen()
      step()
      md5_ready = true
      step(1000)
      assert.same({ "d1 3.0.0", "d2 3.0.0", "d4 3.0.0" }, offered())
    end)
  end)

  it("puts a newer release in the place of an open job", function()
    assert.equal("2.0.0", round "1.0.0")
    look(entry("2.0.0", 2), entry("3.0.0", 3))
    assert.equal("3.0.0", round "1.0.0")
    assert.same({ "pending", "3.0.0" }, { row().state, row().target })
  end)

  it("gives the mended release when the bad one was taken away", function()
    assert.equal("2.0.0", round "1.0.0")
    look(entry("2.0.1", 3))
    assert.equal("2.0.1", round "1.0.0")
  end)

  it("ends the jobs of a package that stays away, says so once, and gives it again when it is back", function()
    for i = 1, 3 do assert.equal("2.0.0", round("1.0.0", "d" .. i)) end
    look()
    for i = 1, 3 do round("1.0.0", "d" .. i) end
    step(10001)
    local lines = {}
    for _, event in ipairs(told) do lines[event.kind] = (lines[event.kind] or 0) + 1 end
    assert.same({ 1, 1 }, { lines.absent, lines.withdrawn })
    for i = 1, 3 do assert.equal("cancelled", row("d" .. i).state) end
    assert.is_nil(kept:next_due())
    look(entry("2.0.0", 2))
    assert.equal("2.0.0", round("1.0.0", "d1"))
    assert.is_nil(round("2.0.0", "d1"))
    assert.equal("succeeded", row("d1").state)
    report("2.0.0", "d2") -- it had begun when the package was taken away
    step()
    assert.equal("succeeded", row("d2").state)
  end)

  it("sees who falls back after success, takes the verification back, and believes the next success", function()
    round "1.0.0"
    round "2.0.0"
    assert.is_truthy(kept:is_verified "digest of 2.0.0")
    assert.is_nil(round "1.0.0")
    assert.same({ "reverted", "fell back to 1.0.0 after its success" }, { row().state, row().text })
    assert.is_false(kept:is_verified "digest of 2.0.0")
    assert.is_nil(round "1.0.0") -- until somebody retries
    round "2.0.0"
    assert.same({ "succeeded", "late" }, { row().state, row().reason })
    assert.is_false(kept:is_verified "digest of 2.0.0") -- what fell back once proves nothing
    assert.is_nil(round "2.0.1") -- newer, installed by other means
    assert.equal("succeeded", row().state)
    round "1.0.0"
    assert.equal("reverted", row().state)
  end)

  it("gives up after ten offers to a device that never reports the release", function()
    for i = 1, 10 do
      progress(50)
      assert.equal("2.0.0", round "1.0.0", i)
    end
    assert.is_nil(round "1.0.0")
    assert.same({ "failed", "offered 10 times, still reports 1.0.0" }, { row().state, row().text })
  end)

  it("says how long an offer is good for", function()
    report "1.0.0"
    step()
    step(2001)
    assert.equal(1800, sent()[1].life)
    assert.equal(now + 1800000, row().ends)
  end)

  it("does not count an offer without a subscriber, logs it once, and repeats it at growing intervals", function()
    report "1.0.0"
    step()
    step(2001)
    local count, pauses = 0, {}
    for _ = 1, 15 do
      acknowledge(sent(), true)
      assert.same({ "pending", 0 }, { row().state, row().offers })
      pauses[#pauses + 1] = row().due - now
      step(row().due - now - 1)
      assert.same({}, sent())
      step(1)
    end
    assert.equal(60000, pauses[1])
    assert.is_true(pauses[5] > 2 * pauses[4] - 60001 and pauses[5] > 200000, pauses[5])
    assert.equal(24 * 3600000, pauses[15])
    for _, event in ipairs(told) do
      if event.kind == "not listening" then
        count = count + 1
        assert.matches("/ota/device/upgrade/pk/dn", event.text, 1, true)
      end
    end
    assert.equal(1, count)
    assert.is_truthy(row().not_listening)
    acknowledge(sent())
    assert.same({ 1 }, { row().offers, row().not_listening, row().due })
    assert.equal("2.0.0", round "1.0.0") -- and a report is answered soon, whatever the pause
  end)

  it("counts no offer that the broker refuses, and says why", function()
    report "1.0.0"
    step()
    step(2001)
    table.insert(mqtt.events, { kind = "published", id = sent()[1].id, refused = "Not authorized" })
    step()
    assert.same({ "pending", 0, "the broker refuses what is said to /ota/device/upgrade/pk/dn: Not authorized" },
      { row().state, row().offers, row().text })
    assert.equal(60000, row().due - now)
    step(60001)
    acknowledge(sent())
    assert.same({ 1 }, { row().offers, row().text, row().due })
  end)

  it("does not take itself for a listener", function()
    publish("/sys/pk/dn/thing/ota/firmware/get", { id = 1, params = {} })
    report "1.0.0"
    step()
    step(2001)
    acknowledge(sent(), true)
    assert.is_truthy(row().not_listening)
    publish("/ota/device/request/pk/dn", { id = 2, params = { version = "1.0.0" } })
    step()
    local answer = sent()
    assert.equal("/ota/device/request/pk/dn", answer[1].topic)
    acknowledge(answer) -- the depot listens there
    assert.is_truthy(row().not_listening)
    progress(1)
    step()
    assert.is_nil(row().not_listening)
  end)

  it("counts an offer that nobody heard, as the broker says, when the device begins with it", function()
    for i = 1, 11 do
      report "1.0.0"
      step(6000)
      step(3000)
      assert.equal(i <= 10 and 1 or 0, #mqtt.sent, i)
      acknowledge(sent(), true)
      for _, percent in ipairs { 1, 50 } do progress(percent) end
      step()
    end
    assert.same({ "failed", "offered 10 times, still reports 1.0.0" }, { row().state, row().text })
  end)

  it("keeps to its pace with those who ask, in their turn", function()
    options = { auto = true, pace = 2 }
    reopen()
    step()
    for i = 1, 50 do publish(("/ota/device/request/pk/d%02d"):format(i), { id = 1, params = { version = "1.0.0" } }) end
    step(10000)
    local first = sent()
    assert.equal(1, #first)
    local order = {}
    for _, message in ipairs(first) do order[#order + 1] = message.topic:match "d%d+$" end
    for _ = 1, 55 do
      -- The last one asks without a pause, which moves it neither on nor back.
      if #order < 40 then publish("/ota/device/request/pk/d50", { id = 1, params = { version = "1.0.0" } }) end
      step(500)
      local more = sent()
      assert.is_true(#more <= 1)
      for _, message in ipairs(more) do order[#order + 1] = message.topic:match "d%d+$" end
      acknowledge(more)
    end
    table.sort(order)
    assert.equal("d50", order[50])
    for i = 2, 50 do assert.is_true(order[i] > order[i - 1], order[i]) end -- each once
  end)

  it("gives who waits with a dead link his turn first", function()
    options = { auto = true, pace = 2 }
    reopen()
    assert.equal("2.0.0", round("1.0.0", "zz"))
    progress(10, "zz")
    for i = 1, 20 do publish(("/ota/device/request/pk/d%02d"):format(i), { id = 1, params = { version = "1.0.0" } }) end
    step()
    sent()
    publish("/ota/device/request/pk/zz", { id = 1, params = { version = "1.0.0" } })
    step(500)
    assert.equal("/ota/device/upgrade/pk/zz", sent()[1].topic)
  end)

  it("gives three fresh links to a device whose link has ended, and then takes its word", function()
    assert.equal("2.0.0", round "1.0.0")
    for i = 1, 3 do
      progress(0)
      step(i == 1 and 1000 or 400000)
      depot:link_died "aliyun/pk/dn"
      depot:link_died "aliyun/pk/dn" -- it comes by it more than twice a second
      step()
      assert.equal(i, row().renewals)
      publish("/ota/device/progress/pk/dn", { id = 1, params = { step = "-2", desc = "403" } })
      step(1000)
      assert.equal("upgrading", row().state)
      step(1001)
      local fresh = sent()
      assert.equal(1, #fresh, i)
      acknowledge(fresh)
    end
    step(400000)
    depot:link_died "aliyun/pk/dn"
    depot:link_died "nobody"
    depot:link_died "aliyun/pk/never"
    step()
    publish("/ota/device/progress/pk/dn", { id = 1, params = { step = "-2", desc = "403" } })
    step(3000)
    assert.same({}, sent())
    assert.same({ "failed", -2 }, { row().state, row().code })
  end)

  it("takes a failed download for the link's fault when the link had ended", function()
    assert.equal("2.0.0", round "1.0.0")
    progress(0)
    step(1800001)
    publish("/ota/device/progress/pk/dn", { id = 1, params = { step = "-2", desc = "" } })
    step()
    assert.same({ "upgrading", 0 }, { row().state, row().offers })
    step(2001)
    acknowledge(sent())
    assert.equal(1, row().offers)
    publish("/ota/device/progress/pk/dn", { id = 1, params = { step = "-2", desc = "" } })
    step()
    assert.same({ "failed", -2 }, { row().state, row().code })
  end)

  it("ends the job of a device that comes up with something newer", function()
    assert.equal("2.0.0", round "1.0.0")
    assert.is_nil(round "2.0.1")
    assert.same({ "superseded", "reports 2.0.1, which is newer" }, { row().state, row().text })
    assert.is_nil(round "2.0.0") -- what it was given after all
    assert.equal("succeeded", row().state)
  end)
end)

describe("depot.silence", function()
  local HOUR = 3600 * 1000
  local given_up, http, asked, last

  -- The store has a device of a broker that was silent, and one that speaks HTTP.
  local fake = { last_heard = function() return last end, stale = function(_, before, _, only_http)
    asked = before
    return { { device = "http" }, not only_http and { device = "d" } or nil }
  end }

  local function new(now)
    given_up, asked = 0, nil
    local s = silence.new(fake, now, 0)
    s:connected(true, now)
    return s
  end

  -- How many are given up, of all clouds, or only of HTTP.
  local function sweep(s, now, base)
    given_up, http = 0, 0
    assert(s:sweep(now, base or 0, function(row)
      if row.device == "http" then http = http + 1 else given_up = given_up + 1 end
      return true
    end))
    return given_up
  end

  it("counts only while the device could have been heard", function()
    last = nil
    local s = new(100 * HOUR)
    assert.equal(0, sweep(s, 123 * HOUR))
    assert.equal(1, sweep(s, 124 * HOUR))
    assert.equal(100 * HOUR, asked)
    assert.equal(0, sweep(s, 124 * HOUR + 59999)) -- a minute later again
    assert.equal(1, sweep(s, 124 * HOUR + 60000))
  end)

  it("begins anew when the clock jumps, and not when it is slewed", function()
    last = nil
    local s = new(100 * HOUR)
    assert.equal(0, sweep(s, 110 * HOUR, 50000))
    assert.equal(1, sweep(s, 124 * HOUR, 100000))
    assert.equal(0, sweep(s, 160 * HOUR, 36 * HOUR))
    assert.equal(0, sweep(s, 183 * HOUR, 36 * HOUR))
    assert.equal(1, sweep(s, 184 * HOUR, 36 * HOUR))
  end)

  it("does not count while the broker is away, and begins anew after an hour without it", function()
    last = nil
    local s = new(100 * HOUR)
    s:connected(false, 123 * HOUR)
    s:connected(true, 124 * HOUR)
    assert.equal(1, sweep(s, 124 * HOUR))
    s:connected(false, 125 * HOUR)
    assert.equal(0, sweep(s, 126 * HOUR))
    s:connected(false, 126 * HOUR)
    s:connected(true, 126 * HOUR + 1)
    assert.equal(0, sweep(s, 150 * HOUR))
    assert.equal(1, sweep(s, 150 * HOUR + 60001))
  end)

  it("counts for devices that speak HTTP while the broker is away, and when it was", function()
    last = nil
    local s = new(100 * HOUR)
    s:connected(false, 101 * HOUR)
    sweep(s, 123 * HOUR)
    assert.equal(0, http)
    assert.same({ 0, 1 }, { sweep(s, 124 * HOUR), http })
    s:connected(true, 125 * HOUR)
    assert.same({ 0, 1 }, { sweep(s, 126 * HOUR), http })
    assert.same({ 1, 1 }, { sweep(s, 149 * HOUR), http })
    sweep(s, 160 * HOUR, 36 * HOUR) -- the clock jumps
    assert.equal(0, http)
  end)

  it("continues over a short stop of the depot, and begins anew after a long one", function()
    last = 99 * HOUR
    assert.equal(1, sweep(new(100 * HOUR), 101 * HOUR))
    last = 99 * HOUR - 1
    assert.equal(0, sweep(new(100 * HOUR), 101 * HOUR))
  end)
end)

describe("depot.mqtt.clock", function()
  it("follows a clock that is set forward, and continues when it is set back", function()
    local up, wall = 5, 1000
    local now = depot_mqtt.clock(function() return up end, function() return wall end)
    assert.same({ 1000000, 995000 }, { now() })
    up, wall = 6, 4601
    assert.same({ 4601000, 4595000 }, { now() })
    up, wall = 8, 1003
    assert.same({ 4603000, 4595000 }, { now() })
  end)
end)

describe("depot.store", function()
  local dir

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
  end)

  after_each(function()
    os.execute("rm -r " .. dir)
    collectgarbage()
  end)

  it("gives rows back as they were put", function()
    local s = assert(store.open(natives, dir))
    local row = { cloud = "aliyun", product = "p", device = "d", hash = "h", release = "1", target = "2", package = "x",
      kind = "batch", state = "failed", step = 40, code = -3, text = "MD5", tries = 1, renewals = 2, due = 5, heard = 6,
      changed = 7 }
    assert(s:put(row))
    assert.same(row, s:get("aliyun", "p", "d"))
    assert.is_false(s:get("tencent", "p", "d"))
    assert.same({ row }, s:due(5, 10))
    assert.same({}, s:due(4, 10))
    assert.equal(5, s:next_due())
    row.due = nil
    assert(s:put(row))
    assert.is_nil(s:next_due())
    s:close()
  end)

  it("corrects times that a clock ahead of time has written", function()
    local s = assert(store.open(natives, dir))
    assert(s:put { cloud = "aliyun", product = "p", device = "a", hash = "h", due = 900, heard = 800, changed = 10 })
    assert(s:put { cloud = "aliyun", product = "p", device = "b", hash = "h", due = 140, heard = 90 })
    assert.equal(800, s:last_heard())
    assert(s:limit_times(100, 150))
    local a, b = s:get("aliyun", "p", "a"), s:get("aliyun", "p", "b")
    assert.same({ 150, 100, 10, 140, 90 }, { a.due, a.heard, a.changed, b.due, b.heard })
    local id = assert(s:roll_out({ package = "p", target = "t", hash = "h", state = "soaking", wave_at = 900,
      soak_at = 90 }, 1))
    assert(s:limit_times(100, 150))
    local rollout = s:rollout(id)
    assert.same({ 100, 90 }, { rollout.wave_at, rollout.soak_at })
    s:close()
  end)

  it("makes one secret and keeps it, where only its owner reads", function()
    local s = assert(store.open(natives, dir))
    assert.equal("first", s:secret(function() return "first" end))
    s:close()
    s = assert(store.open(natives, dir))
    assert.equal("first", s:secret(function() return "second" end))
    s:close()
    local pipe <close> = assert(io.popen("stat -c %a " .. dir .. "/depot.db"))
    assert.equal("600\n", pipe:read "a")
  end)

  it("knows whether the depot before was ended in order", function()
    local s = assert(store.open(natives, dir))
    assert.is_true(s:set_running(true))
    s:close()
    s = assert(store.open(natives, dir))
    assert.is_false(s:set_running(true))
    assert.is_true(s:set_running(false))
    s:close()
    s = assert(store.open(natives, dir))
    assert.is_true(s:set_running(true))
    s:close()
  end)

  it("rolls back changes that are not committed", function()
    local s = assert(store.open(natives, dir))
    assert(s:change())
    assert(s:put { cloud = "aliyun", product = "p", device = "d", hash = "h" })
    s:abandon()
    assert.is_false(s:get("aliyun", "p", "d"))
    s:close()
  end)

  it("upgrades the database of an earlier version", function()
    local s = assert(store.open(natives, dir))
    local today = s.db:prepare("PRAGMA user_version"):first().user_version
    assert.equal(today, store_steps.latest, "spec.support.store_steps lacks what the newest form added")
    for version = store_steps.latest - 1, 1, -1 do
      assert(s.db:execute(store_steps.back_to(version)))
      s:close()
      s = assert(store.open(natives, dir))
      assert(s:put { cloud = "aliyun", product = "p", device = "d", hash = "h", offers = 3,
        not_listening = 4 })
      local row = s:get("aliyun", "p", "d")
      assert.same({ 3, 4 }, { row.offers, row.not_listening })
      local counts = assert(s:standings())
      assert.same({ 1, 1, 1, "h" }, { #counts, counts[1].n, counts[1].unheard, counts[1].hash })
      assert.is_false(s:recount_standings())
      assert(s:roll_out({ package = "p", target = "t", hash = "h", filter = "name:lab-*" }, 1))
      local rollout = s:rollouts()[1]
      assert.same({ "name:lab-*", 1, "running", 1 }, { rollout.filter, #rollout.means.terms, rollout.state,
        rollout.wave })
    end
    s:close()
    local kept = assert(natives.database.open(dir .. "/depot.db.8", { readonly = true }))
    assert.equal(8, kept:prepare("PRAGMA user_version"):first().user_version)
    kept:close()
  end)

  it("continues when SQLite has ended the transaction by itself, as on a full disk", function()
    local s = assert(store.open(natives, dir))
    assert(s:change())
    assert.is_true(s.db:changing())
    assert(s.db:execute "ROLLBACK")
    s:abandon()
    assert(s:change())
    assert(s:put { cloud = "aliyun", product = "p", device = "d", hash = "h" })
    assert(s:commit())
    assert.equal("h", s:get("aliyun", "p", "d").hash)
    s:close()
  end)

  it("refuses the database of a newer version, and a file that is not a database", function()
    local s = assert(store.open(natives, dir))
    assert(s.db:execute "PRAGMA user_version = 1000000")
    s:close()
    local opened, message, code = store.open(natives, dir)
    assert.same({ nil, "incompatible" }, { opened, code })
    assert.matches("a newer version of Moult", message)
    local file = assert(io.open(dir .. "/depot.db", "wb"))
    file:write(("x"):rep(4096))
    file:close()
    os.remove(dir .. "/depot.db-wal")
    os.remove(dir .. "/depot.db-shm")
    assert.equal("corrupt", (select(3, store.open(natives, dir))))
  end)

  it("is locked by one depot at a time", function()
    assert.is_false(lock.is_held(natives, dir))
    local held = assert(lock.hold(natives, dir))
    assert.is_true(lock.is_held(natives, dir))
    held:close()
    assert.is_false(lock.is_held(natives, dir))
  end)
end)
