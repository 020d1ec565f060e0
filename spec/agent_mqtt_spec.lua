-- Devices of Aliyun and Tencent, end to end: the real program, a real broker,
-- a server of signed links, and a cloud that says what the spec tells it.

local has_host = pcall(require, "update.native.host")
if not has_host then
  describe("clouds over MQTT", function() pending "needs the host: build/moult /usr/bin/busted" end)
  return
end

local brokers = require "spec.broker"
local digest = require "update.native.digest"
local fake_cloud = require "spec.fake_cloud"
local links = require "spec.servers.links"
local world = require "spec.world"

local ALIYUN = { product = "a1PK", device = "dev1", secret = "aliyun-secret-01" }
local TENCENT = { product = "T1PROD", device = "dev1", secret = "aGVsbG8gd29ybGQga2V5IQ==" }

local topic = {
  upgrade = "/ota/device/upgrade/a1PK/dev1",
  request = "/ota/device/request/a1PK/dev1",
  update = "$ota/update/T1PROD/dev1",
}

-- What a device said, in a few words.
local function aliyun_line(message)
  local kind = message.topic:match("^/ota/device/(%l+)/a1PK/dev1$") or message.topic:match("firmware/(%l+)$")
  local params = message.object and message.object.params
  if not params then return nil end
  return ("%s %s"):format(kind, params.version or params.step or ""):gsub(" $", "")
end

local function tencent_line(message)
  if not message.topic:find("^%$ota/report/") then return nil end
  local report = message.object.report
  if message.object.type == "report_version" then return "version " .. report.version end
  local p = report.progress
  return table.concat({ p.state, report.version, p.state == "downloading" and p.percent or p.result_code }, " ")
end

-- Progress between beginning and end comes as the clock will.
local function without_middle(lines)
  local out = {}
  for _, line in ipairs(lines) do
    local percent = line:match("^progress (%d+)$") or line:match("^downloading %S+ (%d+)$")
    if not percent or percent == "0" or percent == "100" then out[#out + 1] = line end
  end
  return out
end

describe("clouds over MQTT", function()
  local w, broker, cloud, server

  before_each(function()
    w = world.new()
    broker = brokers.start { persistence = true }
    server = links.start(w:path "depot")
    cloud = fake_cloud.new(broker, { answers = true,
      filters = { "/ota/#", "/sys/+/+/thing/ota/firmware/get", "$ota/report/#" } })
    -- The cloud answers while the spec waits for anything.
    local wait = w.wait
    function w:wait(what, fn, seconds)
      return wait(self, what, function()
        cloud:step()
        return fn()
      end, seconds)
    end
  end)

  after_each(function()
    w:close()
    cloud:close()
    server:stop()
    broker:close()
  end)

  -- A provisioned device of these clouds; `o`: body, files, config, numbers.
  local function device(kinds, o)
    o = o or {}
    local rows = {}
    for kind, row in pairs { aliyun = ALIYUN, tencent = TENCENT } do
      w:write(kind .. ".secret", row.secret .. "\n")
      w:shell("chmod 600 " .. kind .. ".secret")
      rows[kind] = ('{ kind = %q, product = %q, device = %q, secret_file = %q, host = %q, port = %d },'):format(kind,
        row.product, row.device, kind .. ".secret", broker.host, broker.port)
    end
    if kinds.luat then
      rows.luat = ('{ kind = "luat", url = "%s/api/site/firmware_upgrade", period = 1 },'):format(w.url)
    end
    local text = {}
    for kind in pairs(kinds) do text[#text + 1] = rows[kind] end
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(4 << 20)) end
    w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
      clouds = { %s }, %s]]):format(table.concat(text), o.config or ""), o.numbers)
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17), body = o.body, files = o.files }
    local code, _, err = w:moult "provision p1.upd -q"
    assert.equal(0, code, err)
  end

  -- What the clouds need to know of a package in the folder `depot`.
  local function offer_of(query, release)
    local object = w:read "depot/p2.upd"
    return { version = release or "1.0.1", size = #object, md5 = digest.md5(object),
      url = ("%s/p2.upd?%s"):format(server.url, query) }
  end

  local function push_aliyun(query, release, retain)
    local o = offer_of(query, release)
    cloud:push(topic.upgrade, ('{"code":"1000","data":{"size":%d,"version":%q,"url":%q,"md5":%q},"id":1507707025,'
      .. '"message":"success"}'):format(o.size, o.version, o.url, o.md5), retain)
  end

  local function push_tencent(query, release, retain)
    local o = offer_of(query, release)
    cloud:push(topic.update, ('{"file_size":%d,"md5sum":%q,"type":"update_firmware","url":%q,"version":%q}'):format(
      o.size, o.md5, o.url, o.version), retain)
  end

  local function wait_line(line, of, count)
    w:wait(("%q from the device"):format(line), function()
      local found = 0
      for _, said in ipairs(cloud:lines(of)) do
        if said == line then found = found + 1 end
      end
      return found >= (count or 1)
    end, 40)
  end

  local function no_secrets_in_the_log()
    local log = w:read "device.log"
    for _, row in ipairs { ALIYUN, TENCENT } do assert.is_nil(log:find(row.secret, 1, true)) end
    assert.is_nil(log:find("token=", 1, true))
  end

  it("Aliyun: offer, download, restart, trial, confirm, and the new release is reported", function()
    device { aliyun = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:publish { core = world.core(18) }
    server:allow "t1"
    push_aliyun "token=t1"
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("inform 1.0.1", aliyun_line)
    assert.same({ "inform 1.0.0", "progress 0", "progress 100", "inform 1.0.1" },
      without_middle(cloud:lines(aliyun_line)))
    w:wait("the record to go", function() return not w:read "state/cloud/aliyun" end)
    no_secrets_in_the_log()
  end)

  it("Tencent: downloading, burning, done after the confirmed start", function()
    device { tencent = true }
    w:run()
    wait_line("version 1.0.0", tencent_line)
    w:publish { core = world.core(18) }
    server:allow "t1"
    push_tencent "token=t1"
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("done 1.0.1 0", tencent_line)
    assert.same({ "version 1.0.0", "downloading 1.0.1 0", "downloading 1.0.1 100", "burning 1.0.1 0", "version 1.0.1",
      "done 1.0.1 0" }, without_middle(cloud:lines(tencent_line)))
    w:wait("the record to go", function() return not w:read "state/cloud/tencent" end)
    no_secrets_in_the_log()
  end)

  it("a release that fails its trial is reported with the vendors' numbers, and the old one runs", function()
    device { aliyun = true, tencent = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    wait_line("version 1.0.0", tencent_line)
    w:publish { body = 'error("boom")' }
    server:allow "t1"
    push_aliyun "token=t1"
    wait_line("progress -1", aliyun_line)
    assert.equal("1.0.0", w:wait_last("rolledback").release)
    -- Offered again, by the other: it was bad once and is not tried again.
    push_tencent "token=t1"
    wait_line("fail 1.0.1 -5", tencent_line)
    local failed = cloud:lines(function(m)
      return m.object and m.object.params and m.object.params.step == "-1" and m.object.params.desc
    end)
    assert.matches("exited with code 1", failed[1])
    local texts = cloud:lines(function(m)
      local report = m.object and m.object.report
      return type(report) == "table" and report.progress and report.progress.state == "fail"
        and report.progress.result_msg
    end)
    assert.matches("failed", texts[1])
    for _, line in ipairs(cloud:lines(aliyun_line)) do assert.not_equal("inform 1.0.1", line) end
  end)

  it("asks again when a link expired or came damaged, and keeps what is verified", function()
    device { aliyun = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:publish { core = world.core(18, 3 << 20) }
    server:allow("t1"):allow "t3"
    push_aliyun "token=t1&cut=900000&rate=400000"
    w:wait("half of it", function() return #server:requests() > 0 and w:status().phase == "fetching" end)
    server:expire "t1"
    wait_line("request 1.0.0", aliyun_line)
    push_aliyun "token=t2" -- nobody signed that
    wait_line("request 1.0.0", aliyun_line, 2)
    push_aliyun "token=t3"
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("inform 1.0.1", aliyun_line)
    w:wait_log("device", "the link has expired")
    w:wait_log("device", "the signature of the link is not valid")
    local requests = server:requests()
    local first = requests[#requests]:match("^t3 206 (%d+)$")
    assert(tonumber(first) > 500000, "began anew: " .. requests[#requests])
    assert.is_nil(table.concat(cloud:lines(aliyun_line), ","):find("progress -", 1, true))
    no_secrets_in_the_log()
  end)

  it("fails with `expired` after three fresh links", function()
    device { aliyun = true, tencent = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    wait_line("version 1.0.0", tencent_line)
    w:publish()
    for i = 0, 3 do
      push_aliyun("token=x" .. i)
      if i < 3 then wait_line("request 1.0.0", aliyun_line, i + 1) end
    end
    wait_line("progress -2", aliyun_line)
    for i = 0, 3 do
      push_tencent("token=x" .. i)
      if i < 3 then wait_line("version 1.0.0", tencent_line, i + 2) end
    end
    wait_line("fail 1.0.1 -3", tencent_line)
    assert.equal("idle", w:status().phase)
  end)

  it("goes on when the broker dies in mid-download", function()
    device { tencent = true }
    w:run()
    wait_line("version 1.0.0", tencent_line)
    w:publish { core = world.core(18, 2 << 20) }
    server:allow "t1"
    push_tencent "token=t1&rate=700000"
    wait_line("downloading 1.0.1 0", tencent_line)
    broker:stop "KILL"
    w:wait_log("device", "cloud tencent: no connection")
    broker:restart()
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("done 1.0.1 0", tencent_line)
  end)

  it("is told of, once, whenever the broker goes: idle, fetching, armed, on trial", function()
    device({ aliyun = true, tencent = true }, { config = 'restart_when = "asked", confirm = "script",', body = ([[
      local function wait_for(name) while not io.open(%q .. "/" .. name) do sys.wait(50) end end
      sys.taskInit(function()
        wait_for("confirm")
        update.confirm()
      end)
      update.on("done", function()
        wait_for("restart")
        sys.restart("asked")
      end)]]):format(w.dir) })
    local function gone()
      broker:stop()
      local log = #w:read "device.log"
      broker:restart()
      w:wait("both connections", function()
        local text = w:read("device.log"):sub(log)
        return text:find("cloud aliyun: connected", 1, true) and text:find("cloud tencent: connected", 1, true)
      end)
    end
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    wait_line("version 1.0.0", tencent_line)
    gone()
    wait_line("get", aliyun_line)
    w:publish { core = world.core(18, 1 << 20), body = ('while not io.open(%q .. "/confirm") do sys.wait(50) end '
      .. "update.confirm()"):format(w.dir) }
    server:allow "t1"
    push_tencent "token=t1&rate=300000"
    wait_line("downloading 1.0.1 0", tencent_line)
    gone()
    w:wait_status({ phase = "armed" }, 40)
    gone()
    w:write("restart", "")
    w:wait_status({ phase = "trial" }, 40)
    gone()
    w:write("confirm", "")
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("inform 1.0.1", aliyun_line)
    wait_line("done 1.0.1 0", tencent_line)
    gone()
    wait_line("get", aliyun_line, 2)
    local counts = {}
    for _, line in ipairs(cloud:lines(aliyun_line)) do counts[line] = (counts[line] or 0) + 1 end
    for _, line in ipairs(cloud:lines(tencent_line)) do counts[line] = (counts[line] or 0) + 1 end
    assert.same({ 1, 1, 1, 1 }, { counts["inform 1.0.0"], counts["inform 1.0.1"], counts["downloading 1.0.1 0"],
      counts["done 1.0.1 0"] })
    -- Not at all when the connection came back after the download was over.
    assert((counts["downloading 1.0.1 100"] or 0) <= 1)
  end)

  it("is killed in mid-download, and goes on with the offer that comes again", function()
    device { tencent = true }
    w:run()
    wait_line("version 1.0.0", tencent_line)
    w:publish { core = world.core(18, 3 << 20) }
    server:allow "t1"
    push_tencent "token=t1&rate=800000"
    wait_line("downloading 1.0.1 0", tencent_line)
    w:wait("a record", function()
      local record = w:read "state/cloud/tencent"
      return record and not record:find('"downloaded_size":0,', 1, true) and record
    end)
    assert.matches('"md5sum":"%x+"', w:read "state/cloud/tencent")
    assert.is_nil(w:read("state/cloud/tencent"):find("http", 1, true))
    w:stop("device", "KILL")
    local before = #server:requests()
    w:run()
    wait_line("version 1.0.0", tencent_line, 2)
    push_tencent "token=t1"
    wait_line("done 1.0.1 0", tencent_line)
    -- The head comes first again; blocks go on where verified ones end.
    local requests = server:requests()
    assert(tonumber(requests[#requests]:match("(%d+)$")) > 100000, requests[#requests])
    assert(#requests > before)
    local begun = 0
    for _, line in ipairs(cloud:lines(tencent_line)) do
      if line == "downloading 1.0.1 0" then begun = begun + 1 end
    end
    assert.equal(1, begun)
  end)

  it("gets what was pushed while it was away, and describes what it does", function()
    device { aliyun = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:stop "device"
    w:publish()
    server:allow "t1"
    push_aliyun "token=t1" -- waits at the broker
    w:run()
    wait_line("inform 1.0.1", aliyun_line)
    for _, text in ipairs(cloud:lines(function(m) return m.object and m.object.params and m.object.params.desc end)) do
      assert.is_true(#text > 0)
    end
  end)

  it("works beside the others: each hears of what any of them brought", function()
    w:serve()
    device { aliyun = true, tencent = true, luat = true }
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    wait_line("version 1.0.0", tencent_line)
    w:wait_log("device", "cloud luat: ")
    w:publish()
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40) -- by Luat
    wait_line("inform 1.0.1", aliyun_line)
    wait_line("version 1.0.1", tencent_line)
    server:allow "t1"
    w:publish { sequence = 3, version = "1.0.2" }
    push_aliyun("token=t1", "1.0.2")
    push_tencent("token=t1", "1.0.2")
    w:wait_status({ phase = "idle", release = "1.0.2" }, 40)
    wait_line("inform 1.0.2", aliyun_line)
    wait_line("version 1.0.2", tencent_line)
    assert.same({ "provisioned 1.0.0", "begun 1.0.1", "armed 1.0.1", "trial 1.0.1", "confirmed 1.0.1", "begun 1.0.2",
      "armed 1.0.2", "trial 1.0.2", "confirmed 1.0.2" }, w:history())
  end)

  it("takes no harm from what is stale, damaged, huge, deep or meant for another", function()
    device { aliyun = true }
    w:publish()
    server:allow "t1"
    push_aliyun("token=t1", nil, true) -- retained, before the device is there
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:wait_log("device", "1.0.1 was retained by the broker")
    cloud:push(topic.upgrade, "", true)
    cloud:push(topic.upgrade, "{")
    cloud:push(topic.upgrade, ("["):rep(20000) .. ("]"):rep(20000))
    cloud:push(topic.upgrade, '{"data":{"url":5}}')
    cloud:push(topic.upgrade, '"' .. ("x"):rep(65000) .. '"')
    cloud:push("/ota/device/upgrade/a1PK/dev2", "{}")
    cloud:push(topic.request, '{"id":1,"params":{"version":"1.0.0"}}')
    push_aliyun("token=t1", "7.7.7") -- says another release than the package makes
    wait_line("progress -1", aliyun_line)
    w:wait_log("device", "makes 1%.0%.1 of the device, not 7%.7%.7")
    assert.equal("idle", w:status().phase)
    push_aliyun "token=t1"
    wait_line("inform 1.0.1", aliyun_line)
  end)

  it("doctor logs in, says what is wrong with a secret, and shows none", function()
    device { aliyun = true, tencent = true }
    assert.equal(3, (w:moult "check"))
    local _, out = w:moult "doctor"
    assert.matches(("ok +cloud aliyun +127.0.0.1:%d lets this device in"):format(broker.port), out)
    assert.matches("cloud tencent", out)
    w:shell "chmod 640 aliyun.secret && rm tencent.secret"
    local code
    code, out = w:moult "doctor"
    assert.not_equal(0, code)
    assert.matches("aliyun.secret: holds a secret and has mode 0640", out, 1, true)
    assert.matches("tencent.secret: No such file", out, 1, true)
    assert.is_nil(out:find(ALIYUN.secret, 1, true))
    broker:stop()
    w:shell "chmod 600 aliyun.secret"
    _, out = w:moult "doctor"
    assert.matches("warn +cloud aliyun", out)
  end)

  -- Release 1.0.0 is an example; 1.0.1 is the same, newer.
  local function example(name, kinds)
    local file = assert(io.open(("examples/%s.lua"):format(name)))
    local text = file:read "a"
    file:close()
    device(kinds, { files = { ["main.lua"] = text } })
    w:run()
    w:publish { files = { ["main.lua"] = (text:gsub("1%.0%.0", "1.0.1")) } }
    server:allow "t1"
  end

  it("the example for Aliyun fetches by its own calls", function()
    example("aliyun", { aliyun = true })
    wait_line("inform 1.0.0", aliyun_line)
    w:wait_log("device", "ready, version 1.0.0")
    push_aliyun "token=t1"
    wait_line("inform 1.0.1", aliyun_line)
    w:wait_log("device", "update: (%d+) of %1 bytes")
    w:wait_log("device", "the script asks for a restart: update")
  end)

  it("the example for Tencent watches and confirms", function()
    example("tencent", { tencent = true })
    wait_line("version 1.0.0", tencent_line)
    push_tencent "token=t1"
    wait_line("done 1.0.1 0", tencent_line)
    w:wait_log("device", "\nupdate: %l+\n") -- what it hears is its start's luck
  end)

  it("a script that drives Aliyun's updates: every call, and its end gives them back", function()
    device({ aliyun = true }, { body = ([[
      local ota = require "update.aliyun"
      local function put(...)
        local file, list = assert(io.open(%q, "a")), table.pack(...)
        for i = 1, list.n do list[i] = tostring(list[i]) end
        file:write(table.concat(list, " "), "\n")
        file:close()
      end
      sys.taskInit(function()
        put("other", select(3, ota.init("xx")))
        local h = assert(ota.init("a1PK", "dev1"))
        put("second", select(3, ota.init()))
        put("version", h:report_version("1.0.0"), select(3, h:report_version("9.9.9")))
        put("idle", h:is_fetching(), h:is_fetch_finish(), select(3, h:ioctl "version"), select(3, h:fetch_yield(0)))
        put("progress", select(3, h:report_progress(101)), select(3, h:report_progress(5)))
        while not h:is_fetching() do sys.wait(50) end
        put("offered", h:ioctl "version", h:ioctl "fetched_size", h:ioctl "file_size" > 0, #h:ioctl "md5",
          select(3, h:ioctl "check_firmware"))
        put("given up", h:report_progress(-4, "no flash"), h:is_fetch_finish(), select(3, h:fetch_yield()))
        while not h:is_fetching() do sys.wait(50) end
        local sum = 0
        repeat sum = sum + assert(h:fetch_yield(1)) until h:is_fetch_finish()
        put("fetched", sum == h:ioctl "file_size", h:ioctl "check_firmware", h:deinit(), (pcall(h.is_fetching, h)))
      end)]]):format(w:path "said") })
    w:run()
    w:publish()
    server:allow "t1"
    w:wait("its progress", function() return (w:read "said" or ""):find "progress" end)
    push_aliyun "token=t1"
    wait_line("progress -4", aliyun_line)
    push_aliyun "token=t1"
    w:wait("its end", function() return (w:read "said" or ""):find "fetched [^\n]*\n" end)
    assert.equal("other nothing\nsecond busy\nversion true incompatible\nidle false false nothing nothing\n"
      .. "progress usage nothing\noffered 1.0.1 0 true 32 nothing\ngiven up true true write\n"
      .. "fetched true true true false\n", w:read "said")
    assert.equal("armed", w:status().phase)
  end)

  it("a script that holds an offer and dies strands nothing", function()
    device({ aliyun = true }, { body = [[
      sys.taskInit(function()
        local h = assert(require "update.aliyun".init())
        while not h:is_fetching() do sys.wait(50) end
        os.exit(1)
      end)]] })
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:publish()
    server:allow "t1"
    push_aliyun "token=t1"
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    wait_line("inform 1.0.1", aliyun_line)
  end)

  it("remembers a newer offer that comes while one is on trial", function()
    device({ aliyun = true }, { numbers = { confirm_after = 3 } })
    w:run()
    wait_line("inform 1.0.0", aliyun_line)
    w:publish()
    server:allow "t1"
    push_aliyun "token=t1"
    w:wait_status { phase = "trial" }
    w:publish { sequence = 3, version = "1.0.2" }
    push_aliyun("token=t1", "1.0.2")
    push_aliyun("token=t1", "1.0.1") -- delivered twice, and late
    wait_line("inform 1.0.2", aliyun_line)
    assert.same({ "inform 1.0.0", "inform 1.0.1", "inform 1.0.2" }, (function()
      local list = {}
      for _, line in ipairs(cloud:lines(aliyun_line)) do
        if line:find "^inform" then list[#list + 1] = line end
      end
      return list
    end)())
  end)
end)
