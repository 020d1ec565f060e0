-- `moult check` with clouds that push: they are asked, and the answer is waited for.

local clouds = require "spec.support.cloud_world"

describe("moult check, over MQTT", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end

  local c
  local aliyun_line, tencent_line = clouds.aliyun_line, clouds.tencent_line

  before_each(function() c = clouds.new() end)
  after_each(function() c:close() end)

  -- Ask in the background; the result is the output with the exit code behind it.
  local function begin()
    c.world:write("check.sh", "\"$@\" >check.out 2>&1; echo \"exit $?\" >>check.out\n")
    c.world.under = "bash check.sh"
    c.world:start("check", "check")
    c.world.under = nil
    return function()
      return c.world:wait("the answer", function()
        local text = c.world:read "check.out"
        return text and text:find "exit %d+\n$" and text
      end, 60)
    end
  end

  it("Aliyun: is asked on both topics, and says that there is nothing", function()
    c:device { aliyun = true }
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    local result = begin()
    c:wait_line("request 1.0.0", aliyun_line)
    c:wait_line("get", aliyun_line)
    c.cloud:push("/sys/a1PK/dev1/thing/ota/firmware/get_reply", '{"id":"3","code":200,"data":{}}')
    assert.equal("moult check: cloud aliyun offers nothing (nothing)\nexit 3\n", result())
  end)

  it("Tencent: an offer is shown first, and then installed", function()
    c:device { tencent = true }
    c.world:run()
    c:wait_line("version 1.0.0", tencent_line)
    local result = begin()
    c:wait_line("version 1.0.0", tencent_line, 2)
    c.world:publish()
    c.server:allow "t1"
    c:push_tencent "token=t1"
    assert.matches("^tencent offers 1%.0%.1.*exit 0\n$", result())
    c.world:wait_status({ release = "1.0.1" }, 40)
  end)

  it("says which cloud has no connection", function()
    c:device { tencent = true }
    c.broker:stop()
    c.world:run()
    assert.equal("moult check: cloud tencent: not connected (network)\nexit 10\n", begin()())
  end)
end)
