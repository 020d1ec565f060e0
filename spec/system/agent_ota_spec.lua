-- Scripts that drive the updates of a cloud, and the examples.

local clouds = require "spec.support.cloud_world"

describe("scripts and their clouds", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end

  local c
  local aliyun_line, tencent_line = clouds.aliyun_line, clouds.tencent_line

  before_each(function() c = clouds.new() end)
  after_each(function() c:close() end)

  -- Release 1.0.0 is an example; 1.0.1 is the same, newer.
  local function example(name, kinds)
    local file = assert(io.open(("examples/%s.lua"):format(name)))
    local text = file:read "a"
    file:close()
    c:device(kinds, { files = { ["main.lua"] = text } })
    c.world:run()
    c.world:publish { files = { ["main.lua"] = (text:gsub("1%.0%.0", "1.0.1")) } }
    c.server:allow "t1"
  end

  it("the example for Aliyun fetches by its own calls", function()
    example("aliyun", { aliyun = true })
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:wait_log("device", "ready, version 1.0.0")
    c:push_aliyun "token=t1"
    c:wait_line("inform 1.0.1", aliyun_line)
    c.world:wait_log("device", "update: (%d+) of %1 bytes")
    c.world:wait_log("device", "the script asks for a restart: update")
  end)

  it("the example for Tencent watches and confirms", function()
    example("tencent", { tencent = true })
    c:wait_line("version 1.0.0", tencent_line)
    c:push_tencent "token=t1"
    c:wait_line("done 1.0.1 0", tencent_line)
    c.world:wait_log("device", "\nupdate: %l+\n") -- what it hears is its start's luck
  end)

  it("a script that drives Aliyun's updates: every call, and its end gives them back", function()
    c:device({ aliyun = true }, { body = ([[
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
      end)]]):format(c.world:path "said") })
    c.world:run()
    c.world:publish()
    c.server:allow "t1"
    c.world:wait("its progress", function() return (c.world:read "said" or ""):find "progress" end)
    c:push_aliyun "token=t1"
    c:wait_line("progress -4", aliyun_line)
    c:push_aliyun "token=t1"
    c.world:wait("its end", function() return (c.world:read "said" or ""):find "fetched [^\n]*\n" end)
    assert.equal("other nothing\nsecond busy\nversion true incompatible\nidle false false nothing nothing\n"
      .. "progress usage nothing\noffered 1.0.1 0 true 32 nothing\ngiven up true true write\n"
      .. "fetched true true true false\n", c.world:read "said")
    -- What nobody drives any more the agent brings to its end.
    c:wait_line("inform 1.0.1", clouds.aliyun_line)
  end)

  -- A script that gives up whatever comes.
  local function refusing(config)
    c:device({ aliyun = true }, { config = config, body = [[
      sys.taskInit(function()
        local h = assert(require "update.aliyun".init())
        print "holding"
        while true do
          if h:is_fetching() then print("gives up", h:report_progress(-4, "not today")) end
          sys.wait(50)
        end
      end)]] })
    c.world:run()
    c:wait_line("inform 1.0.0", aliyun_line)
    c.world:wait_log("device", "holding")
    c.world:publish()
    c.server:allow "t1"
  end

  it("offers a release at growing intervals to a script that gives it up again and again", function()
    refusing()
    for times = 1, 3 do
      c:push_aliyun "token=t1"
      c:wait_line("progress -4", aliyun_line, times)
    end
    c.world:wait_log("device", "the script gave up 1%.0%.1, 3 times now; it is offered to the script again in 1 h")
    c:push_aliyun "token=t1"
    c:push_aliyun("token=t1", "1.0.2")
    c:wait_line("progress -4", aliyun_line, 4) -- of another release
    assert.equal(1, c.world:status().kept_out)
  end)

  it("ignores a script that gives releases up day after day", function()
    refusing "policy_days = 1,"
    c:push_aliyun "token=t1"
    c:wait_line("progress -4", aliyun_line)
    c:push_aliyun "token=t1"
    c:wait_line("inform 1.0.1", aliyun_line)
    c.world:wait_log("device", "this release kept packages out on 1 days: its script is ignored")
  end)

  local ends = {
    { "holds an offer and dies", "os.exit(1)" },
    { "fetches it and dies before its restart",
      "while not h:is_fetch_finish() do assert(h:fetch_yield(5)) end os.exit(1)" },
  }
  for _, case in ipairs(ends) do
    it(("a script that %s strands nothing"):format(case[1]), function()
      c:device({ aliyun = true }, { body = ([[
        sys.taskInit(function()
          local h = assert(require "update.aliyun".init())
          print "holding"
          while not h:is_fetching() do sys.wait(50) end
          %s
        end)]]):format(case[2]) })
      c.world:run()
      c:wait_line("inform 1.0.0", aliyun_line)
      c.world:wait_log("device", "holding")
      c.world:publish()
      c.server:allow "t1"
      c:push_aliyun "token=t1"
      c:wait_line("inform 1.0.1", aliyun_line)
    end)
  end
end)
