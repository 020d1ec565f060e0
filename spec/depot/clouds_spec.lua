-- Vendors' clients against the depot over a real broker: what they put on the
-- wire, byte for byte, and what they need to find in the answers.

local broker = require "spec.support.broker"
local depot = require "spec.support.depot_pair"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"
local shared = require "spec.support.depot_world"

local ALIYUN, TENCENT = "a1TestPK001", "QRSTUV1234"
local OLD = 1       -- ms of silence after a report: a spec need not wait

describe("depot as a cloud", function()
  local b, dir, folder, served, clients, told

  local function read(...) return folder.read(...) end

  local function open(options)
    options = options or {}
    options.dir, options.listen = dir .. "/packages", "127.0.0.1:0"
    options.mqtt = { host = "127.0.0.1", port = b.port }
    options.settle, options.pace = options.settle or OLD, 1000
    if options.auto == nil then options.auto = true end
    function options.on_message(event)
      told[#told + 1] = event
    end
    served = assert(depot.open(options))
  end

  local function step()
    assert(served:step(2))
    shared.take(clients)
  end

  local function wait(what, done) return shared.wait(step, what, done) end

  local function row(client)
    return served.cloud.store:get(client.cloud, client.product, client.name)
  end

  local function state(client, wanted)
    return wait(client.name .. " being " .. wanted, function()
      local r = row(client)
      return r and r.state == wanted and r
    end)
  end

  -- A device: say(kind of topic, bytes), hear() the next message as decoded JSON.
  local function device(cloud, name, options)
    local client = { cloud = cloud, name = name, product = cloud == "aliyun" and ALIYUN or TENCENT, inbox = {} }
    local up = cloud == "aliyun" and "/ota/device/%s/" .. client.product .. "/" .. name
      or "$ota/report/" .. client.product .. "/" .. name
    local down = cloud == "aliyun" and { up:format "upgrade", up:format "request",
      ("/sys/%s/%s/thing/ota/firmware/get_reply"):format(client.product, name) }
      or { "$ota/update/" .. client.product .. "/" .. name }
    client.mqtt = assert(natives.mqtt.open { host = "127.0.0.1", port = b.port, client_id = client.product .. name,
      clean = not (options and options.keeps), back_off_min = 0.02, back_off_max = 0.1 })
    if options and options.deaf then down = {} end
    for _, topic in ipairs(down) do
      client.mqtt:subscribe(topic, 1)
    end
    clients[#clients + 1] = client
    function client:say(kind, bytes, qos)
      local topic = kind == "get" and ("/sys/%s/%s/thing/ota/firmware/get"):format(self.product, self.name)
        or up:format(kind)
      assert(self.mqtt:publish(topic, bytes, qos or 1))
    end
    function client:hear()
      return shared.hear(wait, self)
    end
    function client:leave()
      self.mqtt:close()
      for i, other in ipairs(clients) do
        if other == self then table.remove(clients, i) end
      end
    end
    if #down > 0 then wait(name .. " subscribing", function() return client.subscribed end) end
    return client
  end

  local function get(url, headers)
    local address, target = url:match "^http://([^/]+)(/.*)$"
    return raw.get(step, address, target, headers)
  end

  setup(function()
    b = broker.start { persistence = true }
    dir = b.dir .. "/depot"
    folder = shared.folder(dir)
    folder.pack("a.upd", ALIYUN, 2, "2.0.0")
    folder.pack("t.upd", TENCENT, 2, "0.2")
  end)

  teardown(function() b:close() end)

  before_each(function()
    clients, told = {}, {}
    if not b:alive() then b:restart() end
  end)

  after_each(function()
    for _, client in ipairs(clients) do client.mqtt:close() end
    if served then served:close() end
    served = nil
    assert(os.execute(("rm -f %s/packages/depot.* %s/packages/.products"):format(dir, dir)))
    collectgarbage()
  end)

  -- Generations of Aliyun's client, as they write.
  local generations = {
    { "2.3", report = '{"id":0,"params":{"version":"%s"}}', qos = 1,
      progress = '{"id":0,"params":{"step":"%s","desc":""}}' },
    { "3.2", report = '{"id":"0","params":{"version":"%s"}}', qos = 1,
      progress = '{"id":0,"params":{"step":"%s","desc":""}}' },
    { "4.x", report = '{"id":1, "params":{"version":"%s"}}', qos = 0,
      progress = '{"id":3, "params":{"step":"%s","desc":""}}' },
  }
  for _, g in ipairs(generations) do
    it(("updates Aliyun's %s"):format(g[1]), function()
      open()
      local d = device("aliyun", "dev" .. g[1])
      d:say("inform", g.report:format "1.0.0", g.qos)
      local push = d:hear()
      -- 2.x and 3.x: message "success", all four of the data; 4.x: sign and signMethod, exactly "Md5".
      local content = read "packages/a.upd"
      assert.same({ "success", "2.0.0", #content, natives.digest.md5(content), "Md5" },
        { push.message, push.data.version, push.data.size, push.data.md5, push.data.signMethod })
      assert.equal(push.data.md5, push.data.sign)
      d:say("progress", '{"id":0,"params":{"step":"0","desc":"Enter in downloading state"}}', 0)
      -- As 3.1 asks, after a cut as well.
      assert.equal(content, get(push.data.url, { Range = "bytes=0-" }).body)
      assert.equal(content:sub(1001), get(push.data.url, { Range = "bytes=1000-" }).body)
      d:say("progress", g.progress:format "55", 0)
      wait("55 %", function() return row(d).step == 55 end)
      d:say("progress", g.progress:format "100", 0)
      wait("100 %", function() return row(d).step == 100 end)
      assert.equal("upgrading", row(d).state) -- all of it is no success
      d:say("inform", g.report:format "2.0.0", g.qos)
      assert.equal("2.0.0", state(d, "succeeded").release)
      assert.same({}, d.inbox)
    end)
  end

  it("is not misled by the version that Aliyun's 3.x reports by itself", function()
    open { settle = 300 }
    local d = device("aliyun", "hal01")
    local function connect(release)
      d:say("inform", '{"id":"1","params":{"version":"app-1.0.0-20180101.1000"}}')
      d:say("inform", ('{"id":"0","params":{"version":"%s"}}'):format(release))
    end
    connect "1.0.0"
    assert.equal("2.0.0", d:hear().data.version)
    assert.same({ "1.0.0", "pending" }, { row(d).release, row(d).state })
    d:say("progress", '{"id":0,"params":{"step":"100","desc":""}}', 0)
    state(d, "upgrading")
    connect "2.0.0"
    state(d, "succeeded")
    connect "2.0.0"
    d:say("inform", '{"id":"1","params":{"version":"app-1.0.0-20180101.1000"}}')
    d:say("get", '{"id":9, "params":{}}', 0) -- what is answered after all that was said before
    assert.same({ 9, {} }, { (function(answer) return answer.id, answer.data end)(d:hear()) })
    assert.same({ "succeeded", {} }, { row(d).state, d.inbox })
  end)

  it("updates Tencent's SDK, which neither burns nor restarts before it is done", function()
    open()
    local d = device("tencent", "dev01")
    d:say("", '{"type": "report_version", "report":{"version":"0.1"}}')
    assert.same({ type = "report_version_rsp", result_code = 0, result_msg = "success", version = "0.1" }, d:hear())
    local push = d:hear()
    local content = read "packages/t.upd"
    assert.same({ type = "update_firmware", version = "0.2", file_size = #content, url = push.url,
      md5sum = natives.digest.md5(content) }, push)
    local function progress(percent)
      d:say("", ('{"type": "report_progress", "report": {"progress": {"state":"downloading", "percent":"%d", '
        .. '"result_code":"0", "result_msg":""}, "version": "0.2"}}'):format(percent), 0)
    end
    progress(0)
    -- The end of its range is the size, one past the last byte.
    local answer = get(push.url, { Range = ("bytes=0-%d"):format(#content) })
    assert.same({ 206, content }, { answer.status, answer.body })
    assert.equal(("bytes 0-%d/%d"):format(#content - 1, #content), answer.headers["content-range"])
    assert.equal(content:sub(141), get(push.url, { Range = ("bytes=140-%d"):format(#content) }).body)
    assert.equal(416, get(push.url, { Range = ("bytes=%d-%d"):format(#content, #content) }).status)
    progress(34)
    wait("34 %", function() return row(d).step == 34 end)
    progress(100)
    d:say("", '{"type": "report_progress", "report":{"progress":{"state":"done", "result_code":"0", "result_msg":""}, '
      .. '"version":"0.2"}}')
    wait("done", function() return row(d).step == 100 end)
    assert.equal("upgrading", row(d).state)
    d:say("", '{"type": "report_version", "report":{"version":"0.2"}}')
    assert.equal("report_version_rsp", d:hear().type)
    assert.equal("0.2", state(d, "succeeded").release)
  end)

  it("keeps a failing device's number and text, and tries again only when told to", function()
    open()
    local a, t = device("aliyun", "bad01"), device("tencent", "bad02")
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    assert.equal("2.0.0", a:hear().data.version)
    a:say("progress", '{"id":0,"params":{"step":"-3","desc":"md5 differs"}}', 0)
    a:say("progress", '{"id":0,"params":{"step":"-3","desc":""}}', 0) -- the linkkit layer says it twice
    t:say("", '{"type": "report_version", "report":{"version":"0.1"}}')
    t:hear()
    assert.equal("0.2", t:hear().version)
    for _, code in ipairs { -2, -5 } do
      t:say("", ('{"type": "report_progress", "report": {"progress": {"state":"fail", "result_code":"%d", '
        .. '"result_msg":"time_out"}, "version": "0.2"}}'):format(code))
    end
    local r = state(a, "failed")
    assert.same({ -3, "md5 differs" }, { r.code, r.text })
    r = state(t, "failed")
    assert.same({ -2, "time_out" }, { r.code, r.text })
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    a:say("get", '{"id":1, "params":{}}', 0)
    assert.same({}, a:hear().data)
    wait("the last commit", function() return not served.cloud.store.changing end)
    assert(os.execute(("%s depot retry %s/packages -q >/dev/null"):format(require("update.native.host").program, dir)))
    assert.equal("2.0.0", a:hear().data.version)
    assert.equal("0.2", t:hear().version)
    assert.same({ "pending" }, { row(a).state, row(a).code })
    a:say("inform", '{"id":0,"params":{"version":"2.0.0"}}')
    state(a, "succeeded")
  end)

  it("refuses an expired link with the vendors' words, and gives another", function()
    open { expiry = -1 }
    local a, t = device("aliyun", "late01"), device("tencent", "late02")
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    t:say("", '{"type": "report_version", "report":{"version":"0.1"}}')
    t:hear()
    for _, url in ipairs { a:hear().data.url, t:hear().url } do
      local answer = get(url)
      assert.equal(403, answer.status)
      assert.matches("<Code>AccessDenied</Code>.*Request has expired", answer.body)
      answer = get((url:gsub("Signature=..", "Signature=")))
      assert.equal(403, answer.status)
      assert.matches("<Code>SignatureDoesNotMatch</Code>", answer.body)
    end
    for _, code in ipairs { -3, -5 } do -- what Tencent's SDK makes of 403, before it reports its version anew
      t:say("", ('{"type": "report_progress", "report": {"progress": {"state":"fail", "result_code":"%d", '
        .. '"result_msg":"time_out"}, "version": "0.2"}}'):format(code))
    end
    wait("the failure", function() return row(t).code == -3 end)
    served:close()
    open()
    assert.equal("upgrading", row(t).state)
    t:say("", '{"type": "report_version", "report":{"version":"0.1"}}')
    assert.equal("report_version_rsp", t:hear().type)
    assert.equal(200, get(t:hear().url).status)
    a:say("request", '{"id":0,"params":{"version":"1.0.0"}}')
    local answer, event
    repeat -- its own echo comes back, and offers were pushed for its dead links
      answer, event = a:hear()
    until answer.data and event.topic:find "/request/"
    assert.equal(200, get(answer.data.url).status)
  end)

  it("gives a fresh link to a client that uses an expired one and never asks", function()
    open { expiry = 1 }
    local a = device("aliyun", "loop01")
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    local url = a:hear().data.url
    wait("the end of the link", function() return get(url).status == 403 end)
    local fresh = a:hear().data.url
    assert.are_not.equal(url, fresh)
    assert.equal(200, get(fresh).status)
    assert.same({ "upgrading", 1 }, { row(a).state, row(a).renewals })
    a:say("progress", '{"id":0,"params":{"step":"-2","desc":""}}', 0)
    a:say("inform", '{"id":0,"params":{"version":"2.0.0"}}')
    state(a, "succeeded")
  end)

  it("sees that nobody listens, and offers once somebody does", function()
    open()
    local a = device("aliyun", "deaf01", { deaf = true })
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    wait("the broker's word", function() return row(a) and row(a).not_listening end)
    assert.same({ "pending", 0 }, { row(a).state, row(a).offers })
    wait("the last commit", function() return not served.cloud.store.changing end)
    local status = assert(io.popen(("%s depot status %s/packages"):format(require("update.native.host").program, dir)))
    local text = status:read "a"
    status:close()
    assert.matches("not listening: nobody has subscribed to /ota/device/upgrade/a1TestPK001/deaf01; it is offline",
      text, 1, true)
    assert.matches("1 pending, 1 not listening", text, 1, true)
    a.mqtt:subscribe("/ota/device/upgrade/a1TestPK001/deaf01", 1)
    wait("the subscription", function() return a.subscribed end)
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    assert.equal("2.0.0", a:hear().data.version)
    wait("the offer to count", function() return row(a).offers == 1 end)
    assert.is_nil(row(a).not_listening)
  end)

  it("leaves no offer for a device that wakes when its link has ended", function()
    open { expiry = 1 }
    local a = device("aliyun", "wake01", { keeps = true })
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    a:hear()
    a:leave()
    local other = device("aliyun", "wake02")
    local waker = assert(natives.mqtt.open { host = "127.0.0.1", port = b.port, client_id = "speaker" })
    assert(waker:publish("/ota/device/inform/a1TestPK001/wake01", '{"id":0,"params":{"version":"1.0.0"}}', 1))
    clients[#clients + 1] = { mqtt = waker, inbox = {} }
    wait("the second offer", function() return (row(a).offers or 0) == 2 end)
    local url
    other:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    url = other:hear().data.url
    wait("the end of its link", function() return get(url).status == 403 end)
    a = device("aliyun", "wake01", { keeps = true })
    wait("it to be there", function() return a.subscribed end)
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    assert.equal(200, get(a:hear().data.url).status)
  end)

  it("continues after a restart of the depot or the broker", function()
    open()
    local d = device("aliyun", "mid01", { keeps = true })
    d:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    d:hear()
    d:say("progress", '{"id":0,"params":{"step":"40","desc":""}}', 1)
    wait("40 %", function() return row(d) and row(d).step == 40 end)
    served:close()
    -- Nobody is there: the broker keeps it.
    served = { step = function() return true end, close = function() end }
    d:say("progress", '{"id":0,"params":{"step":"60","desc":""}}', 1)
    wait("the broker taking it", function() return d.mqtt:status().queued == 0 end)
    b:restart()
    open()
    wait("60 %", function() return row(d).step == 60 end)
    assert.equal("upgrading", row(d).state)
    b:restart "KILL"
    d:say("inform", '{"id":0,"params":{"version":"1.0.0"}}') -- after the restart that it made of this
    assert.equal("2.0.0", d:hear().data.version)
    d:say("inform", '{"id":0,"params":{"version":"2.0.0"}}')
    state(d, "succeeded")
  end)

  it("serves both clouds and Luat at once", function()
    open()
    local a, t = device("aliyun", "x"), device("tencent", "x")
    a:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    t:say("", '{"type": "report_version", "report":{"version":"0.1"}}')
    assert.equal("2.0.0", a:hear().data.version)
    assert.equal("report_version_rsp", t:hear().type)
    assert.equal("0.2", t:hear().version)
    assert.equal(read "packages/a.upd", get("http://" .. served:address() .. "/api/site/firmware_upgrade?project_key="
      .. ALIYUN .. "&imei=1&firmware_name=METER&core_version=1&version=1.0.0").body)
  end)

  it("gives nothing without a job when packages are staged", function()
    open { auto = false }
    local d = device("aliyun", "staged01")
    d:say("inform", '{"id":0,"params":{"version":"1.0.0"}}')
    wait("the report", function() return row(d) end)
    d:say("get", '{"id":3, "params":{}}', 0)
    assert.same({}, d:hear().data)
    assert.is_nil(row(d).state)
  end)

  it("keeps off the broker in a copy of its folder, until it is adopted", function()
    folder.pack("new.upd", ALIYUN, 2, "1.0.1")
    open()
    served:close()
    assert(os.rename(dir .. "/packages", dir .. "/moved")) -- is no copy
    assert(os.execute(("cp -a '%s/moved' '%s/packages'"):format(dir, dir)))
    open()
    assert.matches("is a copy of another depot's folder", told[#told].text, 1, true)
    assert.equal("kept off the broker", told[#told].kind)
    assert.is_nil(served.cloud.fleet)
    assert.equal(200, raw.get(step, served:address(), "/new.upd").status)
    served:close()
    told = {}
    open { adopt = true }
    wait("the broker", function() return told[#told] and told[#told].kind == "listening" end)
    served:close()
    open()
    wait("the broker", function() return told[#told] and told[#told].kind == "listening" end)
    served:close()
    os.execute(("rm -r '%s/packages'"):format(dir))
    assert(os.rename(dir .. "/moved", dir .. "/packages"))
    open()
    assert.is_not_nil(served.cloud.fleet)
  end)

  it("has one depot a folder", function()
    open()
    local another, message, code = depot.open { dir = dir .. "/packages", listen = "127.0.0.1:0",
      mqtt = { host = "127.0.0.1", port = b.port } }
    assert.same({ nil, "busy" }, { another, code })
    assert.matches("another depot serves", message)
  end)
end)
