-- Trials while no cloud can be reached, with the real program: was it the
-- release, or the network? The release that runs afterwards finds out.

local cloud_world = require "spec.cloud_world"
local world = require "spec.world"

local NO_CLOUD = "rolled back: not confirmed before the deadline: no cloud answered"

describe("a trial without a cloud", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  local function begin(deadline)
    w:device { config = "backoff = { least = 1, most = 1 },", numbers = { deadline = deadline } }
    w:run()
  end

  -- The depot goes away at once when the release is armed.
  local function go_away_when_armed(o)
    w.port = w.url:match(":(%d+)$")
    w:publish(o)
    w:wait_log("device", "1%.0%.1 is armed")
    w:stop("depot", "KILL")
  end

  local function come_back()
    w:start("depot", ("depot depot --listen 127.0.0.1:%s --keys keys"):format(w.port))
  end

  it("is made once more when no cloud answers the old release either", function()
    begin(3)
    go_away_when_armed { core = world.core(18) }
    w:wait_log("device", NO_CLOUD)
    w:wait("the verdict", function()
      local status = w:status()
      return status and status.phase == "idle" and type(status.last) == "table" and status.last.verdict == "again"
    end)
    w:wait_log("device", "verdict: .*tried once more")
    assert.same({ 17, "1.0.0" }, { w:status().core.version, w:status().release })
    come_back()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ "rolledback 1.0.1", "judged 1.0.1", "begun 1.0.1" }, table.move(w:history(), 5, 7, 1, {}))
  end)

  it("is the release's fault when a cloud answers the old one", function()
    begin(8)
    go_away_when_armed()
    w:wait_log("device", NO_CLOUD)
    come_back()
    w:wait_log("device", "verdict: .*it failed")
    w:wait_log("device", "quarantine: stop")
    assert.equal("1.0.0", w:status().release)
    assert.equal(1, #world.lines(w:read("device.log"), "on trial\n"))
  end)

  it("is the release's fault the second time", function()
    begin(2)
    go_away_when_armed()
    w:wait_log("device", "verdict: .*tried once more")
    assert.equal(4, (w:moult "install depot/p2.upd -q")) -- by hand: nobody has to be reached for that
    w:wait_log("device", NO_CLOUD .. ".*" .. NO_CLOUD)
    w:wait_status { phase = "idle", release = "1.0.0" }
    local code, _, err = w:moult "install depot/p2.upd -q"
    assert.equal(15, code)
    assert.matches("failed its trial", err, 1, true)
  end)

  it("does not keep another release out meanwhile", function()
    begin(8)
    go_away_when_armed()
    w:wait_log("device", NO_CLOUD)
    w:wait_status { phase = "idle", release = "1.0.0" }
    w:pack { sequence = 3, version = "1.0.2" }
    assert.equal(4, (w:moult "install p3.upd -q"))
    w:wait_status { phase = "trial" }
    come_back()
    w:wait_status { phase = "idle", release = "1.0.2" }
    assert.is_nil(w:read("device.log"):match("verdict"))
  end)
end)

describe("a trial while the broker is away", function()
  if not cloud_world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local c

  before_each(function() c = cloud_world.new() end)
  after_each(function() c:close() end)

  local kinds = {
    aliyun = { line = cloud_world.aliyun_line, told = "inform ", asks = "request 1.0.0", failed = "progress %-",
      push = function(query) c:push_aliyun(query) end },
    tencent = { line = cloud_world.tencent_line, told = "version ", asks = "version 1.0.0", failed = "fail",
      push = function(query) c:push_tencent(query) end },
  }

  local function begin(kind, deadline)
    c:device({ [kind] = true }, { numbers = { deadline = deadline } })
    c.world:run()
    c:wait_line(kinds[kind].told .. "1.0.0", kinds[kind].line)
    c.world:publish { core = world.core(18) }
    c.server:allow("t1"):allow "t2"
    kinds[kind].push "token=t1"
    c.world:wait_log("device", "1%.0%.1 is armed")
    c.broker:stop "KILL"
    c.world:wait_log("device", NO_CLOUD)
  end

  local function said(kind)
    return table.concat(c.cloud:lines(kinds[kind].line), "\n")
  end

  for _, kind in ipairs { "aliyun", "tencent" } do
    it("is made once more, and no failure is reported to " .. kind, function()
      local k = kinds[kind]
      begin(kind, 3)
      c.world:wait_log("device", "verdict: .*tried once more")
      local before = #world.lines(said(kind) .. "\n", k.asks:gsub("%p", "%%%0") .. "\n")
      c.broker:restart()
      c:wait_line(k.asks, k.line, before + 1)
      k.push "token=t2"
      c:wait_line(k.told .. "1.0.1", k.line)
      assert.is_nil(said(kind):match(k.failed))
    end)
  end

  it("is the release's fault, and reported, when the old one is answered", function()
    begin("tencent", 15)
    c.broker:restart()
    c.world:wait_log("device", "verdict: .*it failed")
    c:wait_line("fail 1.0.1 -5", cloud_world.tencent_line)
  end)
end)
