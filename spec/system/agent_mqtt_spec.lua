-- Devices of Aliyun and Tencent, end to end: from an offer to its success or failure.

local clouds = require "spec.support.cloud_world"
local world = require "spec.support.world"

describe("clouds over MQTT", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end

  local c
  local aliyun_line, tencent_line, without_middle = clouds.aliyun_line, clouds.tencent_line, clouds.without_middle

  before_each(function() c = clouds.new() end)
  after_each(function() c:close() end)

  it("Aliyun: offer, download, restart, trial, confirm, and the new release is reported", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish { core = world.core(18) }
    c.server:allow "t1"
    c:push_aliyun "token=t1"
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("inform 1.0.1", aliyun_line)
    assert.same({ "inform 1.0.0", "progress 0", "progress 100", "inform 1.0.1" },
      without_middle(c.cloud:lines(aliyun_line)))
    c.world:wait("the record to go", function() return not c.world:read "state/cloud/aliyun" end)
    c:no_secrets_in_the_log()
  end)

  it("Tencent: downloading, burning, done after the confirmed start", function()
    c:device { tencent = true }
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish { core = world.core(18) }
    c.server:allow "t1"
    c:push_tencent "token=t1"
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("done 1.0.1 0", tencent_line)
    assert.same({ "version 1.0.0", "downloading 1.0.1 0", "downloading 1.0.1 100", "burning 1.0.1 0", "version 1.0.1",
      "done 1.0.1 0" }, without_middle(c.cloud:lines(tencent_line)))
    c.world:wait("the record to go", function() return not c.world:read "state/cloud/tencent" end)
    c:no_secrets_in_the_log()
  end)

  it("a release that fails its trial is reported with the vendors' numbers, and the old one runs", function()
    c:device { aliyun = true, tencent = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish { body = 'error("boom")' }
    c.server:allow "t1"
    c:push_aliyun "token=t1"
    c:wait_line("progress -1", aliyun_line)
    assert.equal("1.0.0", c.world:wait_last("rolledback").release)
    -- Offered again, by the other: it was bad once and is not tried again.
    c:push_tencent "token=t1"
    c:wait_line("fail 1.0.1 -5", tencent_line)
    local failed = c.cloud:lines(function(m)
      return m.object and m.object.params and m.object.params.step == "-1" and m.object.params.desc
    end)
    assert.matches("exited with code 1", failed[1])
    local texts = c.cloud:lines(function(m)
      local report = m.object and m.object.report
      return type(report) == "table" and report.progress and report.progress.state == "fail"
        and report.progress.result_msg
    end)
    assert.matches("failed", texts[1])
    for _, line in ipairs(c.cloud:lines(aliyun_line)) do assert.not_equal("inform 1.0.1", line) end
  end)

  it("fails with `expired` after three fresh links", function()
    c:device { aliyun = true, tencent = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c:wait_line("version 1.0.0", tencent_line)
    c.world:publish()
    for i = 0, 3 do
      c:push_aliyun("token=x" .. i)
      if i < 3 then
        c:wait_line("request 1.0.0", aliyun_line, i + 1)
        c:wait_line("get", aliyun_line, i + 1) -- asked on both topics
      end
    end
    c:wait_line("progress -2", aliyun_line)
    for i = 0, 3 do
      c:push_tencent("token=x" .. i)
      if i < 3 then c:wait_line("version 1.0.0", tencent_line, i + 2) end
    end
    c:wait_line("fail 1.0.1 -3", tencent_line)
    assert.equal("idle", c.world:status().phase)
  end)

  it("gets an offer that was pushed while it was away, and describes its work", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:stop "device"
    c.world:publish()
    c.server:allow "t1"
    c:push_aliyun "token=t1" -- waits at the broker
    c.world:run()
    c:wait_line("inform 1.0.1", aliyun_line)
    local texts = c.cloud:lines(function(m) return m.object and m.object.params and m.object.params.desc end)
    assert.is_true(#texts >= 2)
    for _, text in ipairs(texts) do assert.is_true(#text > 0) end
  end)

  it("works beside the others: each hears of a release from any of them", function()
    c.world:serve()
    c:device { aliyun = true, tencent = true, luat = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c:wait_line("version 1.0.0", tencent_line)
    c.world:wait_log("device", "cloud luat: ")
    c.world:publish()
    c.world:wait_status({ phase = "idle", release = "1.0.1" }, 40) -- by Luat
    c:wait_line("inform 1.0.1", aliyun_line)
    c:wait_line("version 1.0.1", tencent_line)
    c.server:allow "t1"
    c.world:publish { sequence = 3, version = "1.0.2" }
    c:push_aliyun("token=t1", "1.0.2")
    c:push_tencent("token=t1", "1.0.2")
    c.world:wait_status({ phase = "idle", release = "1.0.2" }, 40)
    c:wait_line("inform 1.0.2", aliyun_line)
    c:wait_line("version 1.0.2", tencent_line)
    assert.same({ "provisioned 1.0.0", "begun 1.0.1", "armed 1.0.1", "trial 1.0.1", "confirmed 1.0.1", "begun 1.0.2",
      "armed 1.0.2", "trial 1.0.2", "confirmed 1.0.2" }, c.world:history())
  end)

  it("remembers a newer offer that comes while one is on trial", function()
    c:device({ aliyun = true }, { numbers = { confirm_after = 3 } })
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish()
    c.server:allow "t1"
    c:push_aliyun "token=t1"
    c.world:wait_status { phase = "trial" }
    c.world:publish { sequence = 3, version = "1.0.2" }
    c:push_aliyun("token=t1", "1.0.2")
    c:push_aliyun("token=t1", "1.0.1") -- delivered twice, and late
    c:wait_line("inform 1.0.2", aliyun_line)
    assert.same({ "inform 1.0.0", "inform 1.0.1", "inform 1.0.2" }, (function()
      local list = {}
      for _, line in ipairs(c.cloud:lines(aliyun_line)) do
        if line:find "^inform" then list[#list + 1] = line end
      end
      return list
    end)())
  end)

  it("does not report an offer that policy defers; check shows it", function()
    c:device({ aliyun = true }, { config = "limits = { battery = 50 },",
      body = world.battery(20) })
    c.world:run()
    c.world:wait_log("device", "the agent is there")
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:publish()
    c.server:allow "t1"
    c:push_aliyun "token=t1"
    c.world:wait_log("device", "rule battery: stop")
    c.world:wait("the offer to wait", function() return (c.world:moult "check") == 20 end)
    local _, out = c.world:moult "check --json"
    assert.matches('"cloud":"aliyun"', out, 1, true)
    assert.same({ "inform 1.0.0" }, c.cloud:lines(aliyun_line))
    assert.equal("idle", c.world:status().phase)
  end)

  it("doctor logs in, says what is wrong with a secret, and shows none", function()
    c:device { aliyun = true, tencent = true }
    assert.equal(3, (c.world:moult "check"))
    local _, out = c.world:moult "doctor"
    assert.matches(("ok +cloud aliyun +127.0.0.1:%d accepts this device"):format(c.broker.port), out)
    assert.matches("cloud tencent", out)
    c.world:shell "chmod 640 aliyun.secret && rm tencent.secret"
    local code
    code, out = c.world:moult "doctor"
    assert.not_equal(0, code)
    assert.matches("aliyun.secret: holds a secret and has mode 0640", out, 1, true)
    assert.matches("tencent.secret: No such file", out, 1, true)
    assert.is_nil(out:find(c.aliyun.secret, 1, true))
    c.broker:stop()
    c.world:shell "chmod 600 aliyun.secret"
    _, out = c.world:moult "doctor"
    assert.matches("warn +cloud aliyun", out)
  end)
end)
