local choice = require "depot.choice"
local dialects = require "depot.dialects"
local job_reports = require "depot.job_reports"
local jobs = require "depot.jobs"
local json = require "update.native.json"
local links = require "depot.links"
local luat = require "depot.luat"
local world = require "spec.support.depot_world"

local entry = world.entry

local ALIYUN = { product = "a1TestPK001", device = "dev01" }
local TENCENT = { product = "QRSTUV1234", device = "dev01" }

local function topic(template, who)
  return template:format(who.product, who.device)
end

-- What the depot makes of a message as it stands on the wire.
local function hear(name, payload)
  local place = dialects.place(name)
  if not place then return nil, "not ours" end
  return dialects.hear(place, assert(json.decode(payload)))
end

local INFORM, PROGRESS = topic("/ota/device/inform/%s/%s", ALIYUN), topic("/ota/device/progress/%s/%s", ALIYUN)
local REQUEST, GET = topic("/ota/device/request/%s/%s", ALIYUN), topic("/sys/%s/%s/thing/ota/firmware/get", ALIYUN)
local REPORT = topic("$ota/report/%s/%s", TENCENT)

describe("depot.dialects", function()
  local messages = {
    -- Aliyun's clients, by generation
    { "2.3 reports its version", INFORM, '{"id":0,"params":{"version":"1.0.0"}}',
      { kind = "version", release = "1.0.0" } },
    { "3.2 reports its version", INFORM, '{"id":"0","params":{"version":"1.0.0"}}',
      { kind = "version", release = "1.0.0" } },
    { "3.2 reports a module", INFORM, '{"id":"0","params":{"version":"1.0.0", "module":"X"}}',
      { kind = "version", release = "1.0.0", module = "X" } },
    { "4.x reports its version", INFORM, '{"id":1, "params":{"version":"1.0.0"}}',
      { kind = "version", release = "1.0.0" } },
    { "3.x reports its firmware's own", INFORM, '{"id":"1","params":{"version":"app-1.0.0-20180101.1000"}}',
      { kind = "version", release = "app-1.0.0-20180101.1000" } },
    { "2.x begins", PROGRESS, '{"id":0,"params":{"step":"0","desc":"Enter in downloading state"}}',
      { kind = "progress", percent = 0 } },
    { "2.03 goes on without a desc", PROGRESS, '{"id":0, "params": {"step": "5"}}',
      { kind = "progress", percent = 5 } },
    { "4.x goes on", PROGRESS, '{"id":3, "params":{"step":"50","desc":""}}', { kind = "progress", percent = 50 } },
    { "somebody sends a number", PROGRESS, '{"id":3,"params":{"step":100,"desc":""}}',
      { kind = "progress", percent = 100 } },
    { "2.x fails to check", PROGRESS, '{"id":0,"params":{"step":"-3","desc":""}}',
      { kind = "fail", number = -3, text = "the check of the firmware failed" } },
    { "2.x fails and says why", PROGRESS, '{"id":0,"params":{"step":"-2","desc":"no route"}}',
      { kind = "fail", number = -2, text = "no route" } },
    { "2.x asks", REQUEST, '{"id":0,"params":{"version":"1.0.0"}}', { kind = "ask", release = "1.0.0" } },
    { "4.x asks", GET, '{"id":7, "params":{}}', { kind = "ask" } },
    { "4.x asks for a module", GET, '{"id":"7","params":{"module":"X"}}', { kind = "ask", module = "X" } },
    -- Tencent's
    { "the SDK reports its version", REPORT, '{"type": "report_version", "report":{"version":"1.0.0"}}',
      { kind = "version", release = "1.0.0" } },
    { "the SDK begins", REPORT, '{"type": "report_progress", "report": {"progress": {"state":"downloading", '
      .. '"percent":"0", "result_code":"0", "result_msg":""}, "version": "0.2"}}',
      { kind = "progress", percent = 0, target = "0.2" } },
    { "the SDK runs over after a resume", REPORT, '{"type": "report_progress", "report": {"progress": '
      .. '{"state":"downloading", "percent":"101", "result_code":"0", "result_msg":""}, "version": "0.2"}}',
      { kind = "progress", percent = 100, target = "0.2" } },
    { "the SDK burns", REPORT, '{"type": "report_progress", "report":{"progress":{"state":"burning", '
      .. '"result_code":"0", "result_msg":""}, "version":"0.2"}}', { kind = "finished", target = "0.2" } },
    { "the SDK is done", REPORT, '{"type": "report_progress", "report":{"progress":{"state":"done", '
      .. '"result_code":"0", "result_msg":""}, "version":"0.2"}}', { kind = "finished", target = "0.2" } },
    { "the SDK fails", REPORT, '{"type": "report_progress", "report": {"progress": {"state":"fail", '
      .. '"result_code":"-4", "result_msg":"time_out"}, "version": "0.2"}}',
      { kind = "fail", number = -4, text = "time_out", target = "0.2" } },
  }
  for _, case in ipairs(messages) do
    it("understands when " .. case[1], function()
      local event = assert(hear(case[2], case[3]))
      local who = case[2] == REPORT and TENCENT or ALIYUN
      assert.same({ case[2] == REPORT and "tencent" or "aliyun", who.product, who.device },
        { event.cloud, event.product, event.device })
      local said = {}
      for _, name in ipairs { "kind", "release", "module", "percent", "number", "text", "target" } do
        said[name] = event[name]
      end
      assert.same(case[4], said)
    end)
  end

  local nothing = {
    { "an answer of our own", REQUEST, '{"code":"1000","data":{"url":"http://x/y"},"message":"success"}' },
    { "an unknown type", REPORT, '{"type":"report_gps","report":{}}' },
  }
  for _, case in ipairs(nothing) do
    it("passes over " .. case[1], function() assert.same({ nil, nil }, { hear(case[2], case[3]) }) end)
  end

  local damaged = {
    { "a report without a version", INFORM, '{"id":0,"params":{}}' },
    { "a report of an endless version", INFORM, ('{"params":{"version":"%s"}}'):format(("1"):rep(33)) },
    { "a report of a version with a line end", INFORM, '{"params":{"version":"1\\n2"}}' },
    { "a step that is no number", PROGRESS, '{"params":{"step":"x"}}' },
    { "a step above 100", PROGRESS, '{"params":{"step":"101"}}' },
    { "an array", INFORM, "[]" },
    { "a Tencent report without a version", REPORT, '{"type":"report_version","report":{}}' },
    { "a state that is none", REPORT, '{"type":"report_progress","report":{"progress":{"state":"x"},"version":"1"}}' },
  }
  for _, case in ipairs(damaged) do
    it("refuses " .. case[1], function()
      local event, _, code = hear(case[2], case[3])
      assert.same({ nil, "corrupt" }, { event, code })
    end)
  end

  it("survives messages that are cut anywhere, and anything where something else should be", function()
    local count = 0
    local function try(where, object)
      local event, message, code = dialects.hear(where, object)
      assert.is_true(event ~= nil or message == nil or code == "corrupt")
      if event then
        job_reports.hear({ cloud = where.cloud, target = "0.2", state = "pending", tries = 0, renewals = 0 }, event, 1)
      end
      count = count + 1
    end
    local others = { true, false, 0, -1, 1.5, math.maxinteger, "", "-1", ("9"):rep(400), {}, json.array {}, { {} },
      json.null, "\0\255" }
    -- Each field of `object`, at any depth, replaced by each of the others.
    local function mutate(where, root, object)
      for name, value in pairs(object) do
        for _, other in ipairs(others) do
          object[name] = other
          try(where, root)
        end
        object[name] = value
        if type(value) == "table" then mutate(where, root, value) end
      end
    end
    for _, case in ipairs(messages) do
      local where = dialects.place(case[2])
      for length = 0, #case[3] - 1 do
        assert.is_nil(json.decode(case[3]:sub(1, length)))
      end
      local object = assert(json.decode(case[3]))
      mutate(where, object, object)
      for _, other in ipairs(others) do try(where, other) end
    end
    assert.is_true(count > 1000)
  end)

  for _, name in ipairs { "/ota/device/upgrade/a/b", "$ota/update/a/b", "/ota/device/inform/a", "/ota/x", "",
    "/ota/device/inform/a/" .. ("b"):rep(65), "/ota/device/inform/a/b\1" } do
    it(("has no ear for %q"):format(name), function() assert.is_nil(dialects.place(name)) end)
  end

  it("offers in the form that every generation takes", function()
    local offer = { version = "2.0.0", url = "http://h:80/x.upd?Expires=1&Signature=2", size = 432945, md5 = "0a" }
    local row = { cloud = "aliyun", product = "pk", device = "dn" }
    local name, object, qos = dialects.offer(row, offer, 7)
    assert.same({ "/ota/device/upgrade/pk/dn", 1 }, { name, qos })
    assert.equal('{"code":"1000","data":{"md5":"0a","sign":"0a","signMethod":"Md5","size":432945,'
      .. '"url":"http://h:80/x.upd?Expires=1&Signature=2","version":"2.0.0"},"id":7,"message":"success"}',
      json.encode(object))
    row.module = "X"
    assert.equal("X", select(2, dialects.offer(row, offer, 7)).data.module)
    name = dialects.offer(row, offer, 7, { topic = "request" })
    assert.equal("/ota/device/request/pk/dn", name)
    name, object = dialects.offer(row, offer, 7, { topic = "get", id = 12 })
    assert.same({ "/sys/pk/dn/thing/ota/firmware/get_reply", 12, 200 }, { name, object.id, object.code })
    row.cloud = "tencent"
    name, object = dialects.offer(row, offer, 7)
    assert.equal("$ota/update/pk/dn", name)
    assert.equal('{"file_size":432945,"md5sum":"0a","type":"update_firmware",'
      .. '"url":"http://h:80/x.upd?Expires=1&Signature=2","version":"2.0.0"}', json.encode(object))
  end)

  it("answers Tencent's report at once, and a question when there is nothing", function()
    local name, object = dialects.answer(assert(hear(REPORT, '{"type":"report_version","report":{"version":"1"}}')))
    assert.equal(topic("$ota/update/%s/%s", TENCENT), name)
    assert.equal('{"result_code":0,"result_msg":"success","type":"report_version_rsp","version":"1"}',
      json.encode(object))
    assert.is_nil(dialects.answer(assert(hear(INFORM, '{"params":{"version":"1"}}'))))
    name, object = dialects.nothing(assert(hear(GET, '{"id":7,"params":{}}')))
    assert.equal(topic("/sys/%s/%s/thing/ota/firmware/get_reply", ALIYUN), name)
    assert.equal('{"code":200,"data":{},"id":7,"message":"success"}', json.encode(object))
    for _, id in ipairs { '"7"', '"q-1"', "4294967295", "-1" } do
      object = select(2, dialects.nothing(assert(hear(GET, ('{"id":%s,"params":{}}'):format(id)))))
      assert.equal(('{"code":200,"data":{},"id":%s,"message":"success"}'):format(id), json.encode(object))
    end
    for _, id in ipairs { "{}", "true", "1.5", '""', '"' .. ("x"):rep(65) .. '"' } do
      local said, message = hear(GET, ('{"id":%s,"params":{}}'):format(id))
      assert.is_nil(said)
      assert.matches("the id of a question", message, 1, true)
    end
    assert.is_nil(dialects.nothing(assert(hear(REQUEST, '{"params":{"version":"1"}}'))))
  end)
end)

describe("depot.jobs", function()
  local row, now

  before_each(function()
    now = 1000000
    row = { cloud = "aliyun", product = "pk", device = "dn", release = "1.0.0" }
  end)

  local function begin(target)
    jobs.begin(row, { package = "digest of " .. (target or "2.0.0"), target = target or "2.0.0", kind = "batch" }, now)
  end

  local function say(event)
    event.cloud = row.cloud
    return job_reports.hear(row, event, now)
  end

  local function version(release) return say { kind = "version", release = release } end
  local function progress(percent, target) return say { kind = "progress", percent = percent, target = target } end
  local function fail(number, text, target)
    return say { kind = "fail", number = number, text = text, target = target }
  end
  local function consider(job) return jobs.consider(row, job, -1, now) end

  it("is pending until the first progress, then upgrading", function()
    begin()
    assert.same({ "pending", now }, { row.state, row.due })
    assert.equal("offer", consider())
    assert.same({ "pending" }, { row.state })
    assert.equal("upgrading", progress(0))
    assert.is_nil(progress(34))
    assert.same({ "upgrading", 34 }, { row.state, row.step })
  end)

  it("takes the reported version for success, and nothing else", function()
    begin()
    consider()
    progress(100)
    say { kind = "finished" }
    assert.equal("upgrading", row.state)
    assert.equal("succeeded", version "2.0.0")
    assert.same({ "succeeded", "2.0.0", 100 }, { row.state, row.release, row.step })
    assert.is_nil(row.due)
  end)

  it("needs neither progress nor burning for that", function()
    begin()
    assert.equal("succeeded", version "2.0.0")
  end)

  it("keeps a failure with the vendor's number and text, until it is retried", function()
    begin()
    consider()
    progress(10)
    assert.equal("failed", fail(-3, "MD5 mismatch"))
    assert.equal("ignored", fail(-4, "later"))
    assert.equal("ignored", progress(50))
    assert.same({ "failed", -3, "MD5 mismatch", 10 }, { row.state, row.code, row.text, row.step })
    version "1.0.0"
    now = now + 10000
    assert.is_nil(consider { package = row.package, target = "2.0.0", kind = "batch" })
    assert.is_true(jobs.retry(row, now))
    assert.same({ "pending" }, { row.state, row.code, row.text, row.step })
    assert.is_false(jobs.retry(row, now))
    assert.equal("offer", consider())
  end)

  it("takes a refusal for a failure after the whole download, and for a delay before", function()
    begin()
    consider()
    progress(0)
    assert.equal("ignored", say { kind = "refused", number = -1, target = "2.0.0" })
    assert.equal("upgrading", row.state)
    progress(100)
    version "1.0.0"
    assert.equal("failed", say { kind = "refused", number = -1, target = "2.0.0" })
    assert.same({ "failed", -1, "reports 1.0.0 after the upgrade, and refuses it now" }, { row.state, row.code,
      row.text })
  end)

  it("believes a device that comes up with the target after all", function()
    begin()
    consider()
    fail(-1, "odd")
    assert.equal("succeeded", version "2.0.0")
    assert.same({}, { row.code, row.text })
  end)

  it("offers again after each report of another version", function()
    begin()
    consider()
    progress(50)
    for _ = 1, 10 do
      now = now + 60000
      assert.is_nil(version "1.0.0")
      assert.equal(now + job_reports.SETTLE, row.due)
      assert.equal("offer", consider())
    end
    assert.equal("pending", row.state)
  end)

  it("gives a firmware up that was downloaded whole three times and does not run", function()
    begin()
    for round = 1, 3 do
      assert.equal("offer", consider(), round)
      progress(0)
      progress(100)
      now = now + 60000
      version "1.0.0"
      version "1.0.0" -- counted once
    end
    assert.equal("failed", consider())
    assert.same({ "failed", -1, "downloaded 3 times, still reports 1.0.0" }, { row.state, row.code, row.text })
  end)

  describe("with a second version in the same second", function()
    it("succeeds when the target comes last", function()
      begin()
      consider()
      progress(100)
      assert.is_nil(version "app-1.0.0-2018")
      now = now + 400
      assert.is_true(row.due > now) -- nothing is offered in between
      assert.equal("succeeded", version "2.0.0")
      assert.is_nil(row.due)
    end)

    it("succeeds when the target comes first, and stays so", function()
      begin()
      consider()
      progress(100)
      assert.equal("succeeded", version "2.0.0")
      now = now + 400
      assert.is_nil(version "app-1.0.0-2018")
      assert.same({ "succeeded", "2.0.0" }, { row.state, row.release })
      assert.is_nil(row.due)
    end)

    it("offers once, to the device that reports an old one", function()
      begin()
      assert.is_nil(version "app-1.0.0-2018")
      now = now + 400
      assert.is_nil(version "1.0.0")
      assert.equal(now + job_reports.SETTLE, row.due)
      assert.same({ "1.0.0", "app-1.0.0-2018" }, { row.release, row.other })
      assert.equal("offer", consider())
      assert.is_nil(row.due)
    end)
  end)

  it("passes over what a device says of the job before, while the next one waits and was never offered", function()
    begin()
    jobs.put_off(row, now)
    assert.equal("ignored", progress(100))
    assert.equal("ignored", fail(-1, "x"))
    assert.same({ "pending" }, { row.state, row.step })
    row.offers = 1 -- it was offered before it was put off
    assert.equal("upgrading", progress(10))
  end)

  it("passes over messages about another firmware, and without a job", function()
    assert.equal("ignored", progress(10))
    assert.equal("ignored", fail(-1, "x"))
    row.cloud = "tencent"
    begin()
    assert.equal("ignored", progress(10, "1.9.9"))
    assert.equal("ignored", fail(-4, "time_out", "1.9.9"))
    assert.equal("upgrading", progress(10, "2.0.0"))
    assert.equal("upgrading", row.state)
  end)

  it("renews Tencent's link three times, ignoring what the SDK says after it", function()
    row.cloud = "tencent"
    begin()
    for _ = 1, 3 do
      assert.equal("offer", consider())
      progress(0, "2.0.0")
      assert.equal("expired", fail(-3, "time_out", "2.0.0"))
      assert.equal("ignored", fail(-5, "time_out", "2.0.0"))
      assert.same({ "upgrading", -3 }, { row.state, row.code })
      now = now + 2000
      version "1.0.0"
      now = now + job_reports.SETTLE
    end
    assert.equal("offer", consider())
    progress(0, "2.0.0")
    assert.is_nil(row.code)
    assert.equal("failed", fail(-3, "time_out", "2.0.0"))
    assert.same({ "failed", -3 }, { row.state, row.code })
  end)

  it("keeps the first of Tencent's two failures", function()
    row.cloud = "tencent"
    begin()
    consider()
    assert.equal("failed", fail(-2, "time_out", "2.0.0"))
    assert.equal("ignored", fail(-5, "time_out", "2.0.0"))
    assert.equal(-2, row.code)
  end)

  it("ends a job that is cancelled, and no other", function()
    assert.is_false(jobs.cancel(row, now))
    begin()
    assert.is_true(jobs.cancel(row, now))
    assert.is_nil(consider())
    assert.is_false(jobs.cancel(row, now))
    assert.equal("ignored", progress(10))
    assert.equal("succeeded", version "2.0.0") -- too late to call it back
  end)

  it("begins a job by itself only for a package that the device neither has nor had", function()
    local job = { package = "d", target = "2.0.0", kind = "auto" }
    row.release = "2.0.0"
    assert.is_nil(consider(job))
    row.release, row.other = "1.0.0", "2.0.0"
    assert.is_nil(consider(job))
    row.other = nil
    assert.equal("offer", consider(job))
    assert.same({ "pending", "auto" }, { row.state, row.kind })
    fail(-1, "x")
    assert.is_nil(consider(job))
    assert.equal("offer", consider { package = "e", target = "2.0.1", kind = "auto" })
  end)

  it("leaves a device's modules alone", function()
    row.release = nil
    assert.is_nil(say { kind = "version", release = "3.0", module = "radio" })
    assert.is_nil(say { kind = "version", release = "1.0.0" }) -- the firmware
    assert.equal("1.0.0", row.release)
    assert.is_nil(row.other or row.module)
    begin()
    assert.equal("aside", say { kind = "version", release = "2.0.0", module = "radio" })
    assert.equal("aside", say { kind = "progress", percent = 10, module = "radio" })
    assert.equal("aside", say { kind = "fail", number = -1, text = "x", module = "radio" })
    assert.equal("aside", say { kind = "ask", module = "radio" })
    assert.same({ "pending", "1.0.0" }, { row.state, row.release })
    assert.equal("succeeded", version "2.0.0")
  end)

  it("takes the module of a device that reports nothing else for its firmware", function()
    row.release = nil
    assert.is_nil(say { kind = "version", release = "1.0.0", module = "main" })
    begin()
    assert.equal("offer", consider())
    assert.equal("main", row.module)
    assert.equal("upgrading", say { kind = "progress", percent = 10, module = "main" })
    assert.equal("aside", say { kind = "version", release = "2.0.0", module = "radio" })
    assert.equal("succeeded", say { kind = "version", release = "2.0.0", module = "main" })
  end)

  it("answers a device that asks", function()
    begin()
    assert.is_nil(say { kind = "ask", release = "1.0.0" })
    assert.equal("offer", consider())
    assert.equal("succeeded", say { kind = "ask", release = "2.0.0" })
    assert.is_nil(consider())
  end)

  -- Whatever happens in whatever order, these hold after each event.
  it("stays sound in every sequence of five events", function()
    local events = {
      function() version "1.0.0" end, function() version "2.0.0" end, function() version "app-1" end,
      function() progress(10) end, function() progress(100) end, function() fail(-1, "x") end,
      function() now = now + 10000 consider() end, function() jobs.retry(row, now) end,
      function() jobs.cancel(row, now) end,
    }
    local states = { pending = true, upgrading = true, succeeded = true, failed = true, cancelled = true }
    local count = 0
    local function play(sequence)
      now = 1000000
      row = { cloud = "aliyun", product = "pk", device = "dn", release = "1.0.0" }
      begin()
      for _, i in ipairs(sequence) do
        local before = row.state
        events[i]()
        count = count + 1
        local ok = states[row.state] and (row.code ~= nil) == (row.state == "failed")
          and (before ~= "succeeded" or row.state == "succeeded")
          and (i ~= 2 or row.state == "succeeded")
          and (row.state ~= "succeeded" or before == "succeeded" or i == 2)
          and (i ~= 8 or before ~= "failed" or row.state == "pending")
        if not ok then error(("after events %s: %s"):format(table.concat(sequence, " "), json.encode(row))) end
      end
    end
    for a = 1, 9 do for b = 1, 9 do for c = 1, 9 do for d = 1, 9 do for e = 1, 9 do
      play { a, b, c, d, e }
    end end end end end
    assert.equal(5 * 9 ^ 5, count)
  end)
end)

describe("depot.choice", function()
  it("reads releases as the other dialect of the depot reads packages", function()
    -- The same package answers Luat's query and is offered over MQTT.
    local e = entry(2, "1.1", { project = "METER", script_version = "1.1", product_key = "h" })
    local answer = luat.answer({ project_key = "k", imei = "1", firmware_name = "METER", core_version = "1",
      version = "1.0" }, { e }, function() return "h" end)
    assert.equal(e, answer.entry)
    assert.equal(e, choice.newest({ e }, "h"))
  end)

  it("offers nobody a release that each device names itself", function()
    local stated, own = entry(2, "1.1", { product_key = "h" }), entry(3, "F080507", { product_key = "h" })
    own.unnamed = true
    assert.equal(stated, choice.newest({ stated, own }, "h"))
    assert.equal(stated, choice.newest({ stated, own }, "h", { hash = "h", device = "dev1" }))
    assert.is_nil(choice.newest({ own }, "h", { hash = "h", device = "dev1" }))
  end)

  it("offers a release to the hardware that it is for, and to unknown hardware while there is only one kind", function()
    local any = entry(1, "1.0", { product_key = "h", hardware = {} })
    local a = entry(2, "1.1", { product_key = "h", hardware = { "A", "B" } })
    local same = entry(3, "1.2", { product_key = "h", hardware = { "B", "A" } })
    local c = entry(4, "1.3", { product_key = "h", hardware = { "C" } })
    local far = entry(4, "1.3", { product_key = "x", hardware = { "D" } })
    local function newest(list, hardware)
      local found = choice.newest(list, "h", { hash = "h", device = "d", hardware = hardware })
      return found and found.manifest.release
    end
    local one, many = { any, a, same, far }, { any, a, same, c, far }
    assert.same({ "1.2", "1.2", "1.2", "1.0" }, { newest(one), newest(one, ""), newest(one, "A"), newest(one, "C") })
    assert.same({ nil, nil, "1.2", "1.3", "1.0" }, { newest(many), newest(many, ""), newest(many, "A"),
      newest(many, "C"), newest(many, "D") })
    assert.is_true(choice.lacks_hardware(many, { hash = "h" }))
    assert.is_false(choice.lacks_hardware(many, { hash = "h", hardware = "E" }))
    assert.is_false(choice.lacks_hardware(one, { hash = "h" }))
  end)

  it("goes through many packages once, not for each device", function()
    local looks, many = 0, {}
    for i = 1, 50 do
      local real = { digest = "d" .. i, release = "1.0." .. i, sequence = i, product_key = "h", parts = {} }
      many[i] = { name = i .. ".upd", manifest = setmetatable({}, { __index = function(_, name)
        if name == "release" then looks = looks + 1 end
        return real[name]
      end }) }
    end
    for i = 1, 20 do
      local device = { hash = "h", device = "d" .. i, release = "1.0.3" }
      assert.equal(many[50], choice.newest(many, "h", device))
      assert.equal("older", choice.order(many, device, "1.0.50", 50))
      assert.equal("newer", choice.order(many, device, "1.0.2", 2))
      assert.is_nil(choice.order(many, { hash = "other", release = "x" }, "1.0.50", 50))
    end
    assert.equal(50, looks)
  end)
end)

describe("depot.links", function()
  local function hmac(kind, key, text) return require("update.native.digest").hmac(kind, key, text) end

  local function fields(query)
    local t = {}
    for name, value in query:gmatch "([^=&]+)=([^&]*)" do t[name] = value end
    return t
  end

  local good = fields(links.query(hmac, "secret", "a b.upd", 2000))

  local function check(overrides, name, now, secret)
    local query = {}
    for key, value in pairs(good) do query[key] = value end
    for key, value in pairs(overrides or {}) do query[key] = value ~= "none" and value or nil end
    return links.check(hmac, secret or "secret", name or "a b.upd", query, now or 1000)
  end

  local cases = {
    { "works until its last second", {}, nil, 2000, nil },
    { "has expired a second later", {}, nil, 2001, "expired" },
    { "works in capitals", { Signature = good.Signature:upper() }, nil, nil, nil },
    { "is not for another file", {}, "b.upd", nil, "signature" },
    { "lives no longer because it says so", { Expires = "3000" }, nil, nil, "signature" },
    { "needs its signature", { Signature = "none" }, nil, nil, "signature" },
    { "needs its time", { Expires = "none" }, nil, nil, "signature" },
    { "needs the whole signature", { Signature = good.Signature:sub(1, 63) }, nil, nil, "signature" },
    { "has a time that is a number", { Expires = "2e3" }, nil, nil, "signature" },
    { "has a time that is one", { Expires = ("9"):rep(30) }, nil, nil, "signature" },
    { "is wrong before it is late", { Signature = ("0"):rep(64) }, nil, 9999, "signature" },
    { "is no link at all without both", { Signature = "none", Expires = "none" }, nil, nil, nil },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() assert.equal(case[5], check(case[2], case[3], case[4])) end)
  end

  it("is somebody's, and says whose it was", function()
    local query = fields(links.query(hmac, "secret", "a", 2000, "aliyun/pk/d n"))
    assert.equal("aliyun%2Fpk%2Fd%20n", query.For)
    query.For = "aliyun/pk/d n" -- as the server decodes it
    assert.same({}, { links.check(hmac, "secret", "a", query, 2000) })
    assert.same({ "expired", "aliyun/pk/d n" }, { links.check(hmac, "secret", "a", query, 2001) })
    query.For = "aliyun/pk/other"
    assert.same({ "signature" }, { links.check(hmac, "secret", "a", query, 2000) })
    query.For = nil
    assert.same({ "signature" }, { links.check(hmac, "secret", "a", query, 2000) })
  end)

  it("is worth nothing to another depot", function()
    assert.equal("signature", check({}, nil, nil, "other"))
  end)

  it("is refused in words that clients recognise", function()
    local aliyun = require "update.cloud.aliyun"
    assert.equal("the link has expired", aliyun.refusal(links.refusal "expired"))
    assert.matches("signature of the link is not valid", aliyun.refusal(links.refusal "signature"))
    assert.matches("<Code>AccessDenied</Code>.*Request has expired", links.refusal("expired").body)
  end)
end)
