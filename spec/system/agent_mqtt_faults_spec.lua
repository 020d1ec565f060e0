-- Clouds over MQTT when links expire, brokers go and messages are not what they should be.

local clouds = require "spec.support.cloud_world"
local world = require "spec.support.world"

describe("clouds over MQTT, in trouble", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end

  local c
  local aliyun_line, tencent_line, topic = clouds.aliyun_line, clouds.tencent_line, clouds.topic

  before_each(function() c = clouds.new() end)
  after_each(function() c:close() end)

  it("asks again when a link is expired or damaged, and keeps verified blocks", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish { core = world.core(18, 3 << 20) }
    c.server:allow("t1"):allow "t3"
    c:push_aliyun "token=t1&cut=900000&rate=400000"
    -- The script's blocks are small and come first: one of the core has to be there.
    c.world:wait("a block of the core", function()
      local status = c.world:status()
      return status and type(status.transaction) == "table" and status.transaction.done > 200000
    end)
    c.server:expire "t1"
    c:wait_line("request 1.0.0", aliyun_line)
    c:push_aliyun "token=t2" -- nobody signed that
    c:wait_line("request 1.0.0", aliyun_line, 2)
    c:push_aliyun "token=t3"
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("inform 1.0.1", aliyun_line)
    c.world:wait_log("device", "the link has expired")
    c.world:wait_log("device", "the signature of the link is not valid")
    local requests = c.server:requests()
    local first = requests[#requests]:match("^t3 206 (%d+)$")
    assert(tonumber(first) > 200000, "began anew: " .. requests[#requests])
    assert.is_nil(table.concat(c.cloud:lines(aliyun_line), ","):find("progress -", 1, true))
    c:no_secrets_in_the_log()
  end)

  it("tells a cloud nothing of a server that is away for a while, and says when it tries again", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish { core = world.core(18, 2 << 20) }
    c.server:allow("t1"):allow "t2"
    c.server:busy(5000)
    local function wait_retry(phase)
      return c.world:wait("the next try", function()
        local status = c.world:status()
        return status and status.phase == phase and type(status.retry) == "table" and status.retry
      end)
    end
    c:push_aliyun "token=t1&cut=900000"
    local retry = wait_retry "idle"
    assert.matches("HTTP 503", retry.message, 1, true)
    assert(retry.time > os.time() + 4000 and retry.time < os.time() + 5600, retry.time)
    -- The device learns nothing of this; a fresh link it tries at once.
    c.server:busy(nil)
    c:push_aliyun "token=t1&cut=900000&rate=800000"
    c:wait_line("progress 0", aliyun_line)
    c.server:busy(5000)
    wait_retry "fetching"
    c.server:busy(nil)
    c:push_aliyun "token=t2"
    c:wait_line("inform 1.0.1", aliyun_line)
    assert.is_nil(table.concat(c.cloud:lines(aliyun_line), ","):find("progress -", 1, true))
  end)

  it("drops an unreachable package for a newer offer", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish { core = world.core(18, 1 << 20) }
    c.server:allow "t1"
    c.server:busy(5000)
    c:push_aliyun("token=t1", "1.0.0.9")
    c.world:wait("the next try", function()
      local status = c.world:status()
      return status and type(status.retry) == "table"
    end)
    c.server:busy(nil)
    c:push_aliyun "token=t1"
    c:wait_line("inform 1.0.1", aliyun_line)
    local said = table.concat(c.cloud:lines(aliyun_line), ",")
    assert.is_nil(said:find("progress -", 1, true), said)
  end)

  it("continues when the broker dies during a download", function()
    c:device { tencent = true }
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish { core = world.core(18, 2 << 20) }
    c.server:allow "t1"
    c:push_tencent "token=t1&rate=700000"
    c:wait_line("downloading 1.0.1 0", tencent_line)
    c.broker:stop "KILL"
    c.world:wait_log("device", "cloud tencent: no connection")
    c.broker:restart()
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("done 1.0.1 0", tencent_line)
  end)

  it("is reported once, whenever the broker goes away: idle, fetching, armed, on trial", function()
    c:device({ aliyun = true, tencent = true }, { config = 'restart_when = "asked", confirm = "script",', body = ([[
      local function wait_for(name) while not io.open(%q .. "/" .. name) do sys.wait(50) end end
      sys.taskInit(function()
        wait_for("confirm")
        update.confirm()
      end)
      update.on("done", function()
        wait_for("restart")
        sys.restart("asked")
      end)]]):format(c.world.dir) })
    local function gone()
      c.broker:stop()
      local log = #c.world:read "device.log"
      c.broker:restart()
      c.world:wait("both connections", function()
        local text = c.world:read("device.log"):sub(log)
        return text:find("cloud aliyun: connected", 1, true) and text:find("cloud tencent: connected", 1, true)
      end)
    end
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c:wait_line("version 1.0.0", tencent_line)
    gone()
    c:wait_line("get", aliyun_line)
    c.world:publish { core = world.core(18, 1 << 20), body = ('while not io.open(%q .. "/confirm") do sys.wait(50) end '
      .. "update.confirm()"):format(c.world.dir) }
    c.server:allow "t1"
    c:push_tencent "token=t1&rate=300000"
    c:wait_line("downloading 1.0.1 0", tencent_line)
    gone()
    c.world:wait_status({ phase = "armed" }, 40)
    gone()
    c.world:write("restart", "")
    c.world:wait_status({ phase = "trial" }, 40)
    gone()
    c.world:write("confirm", "")
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("inform 1.0.1", aliyun_line)
    c:wait_line("done 1.0.1 0", tencent_line)
    c.world:wait("the acknowledgement", function() return not c.world:read "state/cloud/tencent" end)
    gone()
    c:wait_line("get", aliyun_line, 2)
    local counts = {}
    for _, line in ipairs(c.cloud:lines(aliyun_line)) do counts[line] = (counts[line] or 0) + 1 end
    for _, line in ipairs(c.cloud:lines(tencent_line)) do counts[line] = (counts[line] or 0) + 1 end
    assert.same({ 1, 1, 1, 1 }, { counts["inform 1.0.0"], counts["inform 1.0.1"], counts["downloading 1.0.1 0"],
      counts["done 1.0.1 0"] })
    -- Not at all when the connection came back after the download was over; twice when the broker went before it
    -- acknowledged.
    assert((counts["downloading 1.0.1 100"] or 0) <= 2)
  end)

  it("continues with the repeated offer after a kill during the download", function()
    c:device { tencent = true }
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish { core = world.core(18, 3 << 20) }
    c.server:allow "t1"
    c:push_tencent "token=t1&rate=800000"
    c:wait_line("downloading 1.0.1 0", tencent_line)
    c.world:wait("a record", function()
      local record = c.world:read "state/cloud/tencent"
      return record and not record:find('"downloaded_size":0,', 1, true) and record
    end)
    assert.matches('"md5sum":"%x+"', c.world:read "state/cloud/tencent")
    assert.is_nil(c.world:read("state/cloud/tencent"):find("http", 1, true))
    c.world:stop("device", "KILL")
    local before = #c.server:requests()
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line, 2)
    c:push_tencent "token=t1"
    c:wait_line("done 1.0.1 0", tencent_line)
    -- The head comes first again; blocks go on where verified ones end.
    local requests = c.server:requests()
    assert(tonumber(requests[#requests]:match("(%d+)$")) > 100000, requests[#requests])
    assert(#requests > before)
    local begun = 0
    for _, line in ipairs(c.cloud:lines(tencent_line)) do
      if line == "downloading 1.0.1 0" then begun = begun + 1 end
    end
    assert.equal(1, begun)
  end)

  it("begins anew when another firmware is offered after the restart", function()
    c:device { tencent = true }
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish { core = world.core(18, 1 << 20) }
    c.server:allow "t1"
    c:push_tencent "token=t1&rate=300000"
    c:wait_line("downloading 1.0.1 0", tencent_line)
    c.world:stop("device", "KILL")
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line, 2)
    c.world:publish { sequence = 3, version = "1.0.2" }
    c:push_tencent("token=t1", "1.0.2")
    c:wait_line("done 1.0.2 0", tencent_line)
    c:wait_line("downloading 1.0.2 0", tencent_line)
    assert.same({ 17, "1.0.2" }, { c.world:status().core.version, c.world:status().release })
  end)

  it("ignores messages that are stale, damaged, huge, deep or for another device", function()
    c:device { aliyun = true }
    c.world:publish()
    c.server:allow "t1"
    c:push_aliyun("token=t1", nil, true) -- retained, before the device is there
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:wait_log("device", "1.0.1 was retained by the broker")
    c.cloud:push(topic.upgrade, "", true)
    c.cloud:push(topic.upgrade, "{")
    c.cloud:push(topic.upgrade, ("["):rep(20000) .. ("]"):rep(20000))
    c.cloud:push(topic.upgrade, '{"data":{"url":5}}')
    c.cloud:push(topic.upgrade, '"' .. ("x"):rep(65000) .. '"')
    c.world:shell(("head -c 300000 /dev/zero | mosquitto_pub -h %s -p %d -q 1 -s -t %s"):format(c.broker.host,
      c.broker.port, topic.upgrade))
    c.world:wait_log("device", "a message of 300000 bytes was ignored")
    c.cloud:push("/ota/device/upgrade/a1PK/dev2", "{}")
    c.cloud:push(topic.request, '{"id":1,"params":{"version":"1.0.0"}}')
    c:push_aliyun("token=t1", "7.7.7") -- says another release than the package makes
    c:wait_line("progress -1", aliyun_line)
    c.world:wait_log("device", "is release 1%.0%.1, but the cloud announced 7%.7%.7")
    assert.equal("idle", c.world:status().phase)
    c:push_aliyun "token=t1"
    c:wait_line("inform 1.0.1", aliyun_line)
  end)
end)
