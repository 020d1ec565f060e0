-- Trials while no cloud can be reached, with the real program: was it the
-- release, or the network? The release that runs afterwards finds out.

local cloud_world = require "spec.support.cloud_world"
local world = require "spec.support.world"

-- The trial begins when the cloud is away for sure: the script goes over to what is armed when it sees a file.
local function body(dir)
  return ([[
sys.taskInit(function()
  while true do
    local status = io.open(%q) and update.status()
    if status and status.phase == "armed" then sys.restart("armed") end
    sys.wait(100)
  end
end)]]):format(dir .. "/go")
end

local NO_CLOUD = "rolled back: not confirmed before the deadline: no cloud answered"

describe("a trial without a cloud", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  -- A device that is offered 1.0.1 at once; the depot goes away when that is armed, and `instead` comes.
  local function begin(deadline, o, instead)
    w:publish(o)
    w:device { body = body(w.dir),
      config = 'restart_when = "asked", backoff = { least = 1, most = 1 },' .. (o and o.config or ""),
      numbers = { deadline = deadline } }
    w.port = w.url:match(":(%d+)$")
    w:run()
    w:wait_log("device", "1%.0%.1 is armed")
    w:stop("depot", "KILL")
    if instead then instead() end
    w:write("go", "")
  end

  local function come_back()
    w:start("depot", ("depot depot --listen 127.0.0.1:%s --keys keys"):format(w.port))
  end

  it("is tried once more when no cloud answers the old release either", function()
    begin(3, { core = world.core(18) })
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

  -- A guest network that wants a log-in answers in the depot's place.
  local PORTAL = [[
    local socket = require "socket"
    local page = "<html><title>Welcome</title><form action=/login>Your room</form></html>"
    local answers = {
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:" .. arg[1] .. "/login\r\nContent-Type: text/html\r\n",
      "HTTP/1.1 511 Network Authentication Required\r\nContent-Type: text/html\r\n",
      "HTTP/1.1 200 OK\r\n",
    }
    local server = assert(socket.bind("127.0.0.1", arg[1]))
    print "welcome"
    for number = 0, math.huge do
      local guest = server:accept()
      guest:settimeout(2)
      repeat local line = guest:receive() until not line or line == ""
      guest:send(answers[number % #answers + 1]
        .. "Connection: close\r\nContent-Length: " .. #page .. "\r\n\r\n" .. page)
      guest:close()
    end]]

  it("behind a log-in page is one, too", function()
    w:write("portal.lua", PORTAL)
    begin(6, nil, function() w:start("portal", "portal.lua " .. w.port) end)
    w:wait_log("device", NO_CLOUD)
    w:wait_log("device", "verdict: .*tried once more")
    assert(#world.lines(w:read("portal.log"), "welcome") == 1, "nobody saw the page")
    assert.is_nil(w:read("device.log"):match("reached"))
    w:stop("portal", "KILL")
    come_back()
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("is over sooner when policy says so, and judged as well", function()
    w:write("policy.lua", [[
      return { healthy = function(facts)
        if facts.uptime > 1 and not facts.cloud_reached then return false, "no network" end
        return facts.uptime > 1 or nil
      end }]])
    begin(300, { config = 'policy = "policy.lua",' })
    w:wait_log("device", "rolled back: policy: no network")
    assert.equal("open", w:wait_last("rolledback").last.verdict)
  end)

  it("is the release's fault when a cloud answers the old one", function()
    begin(8)
    w:wait_log("device", NO_CLOUD)
    come_back()
    w:wait_log("device", "verdict: .*it failed")
    w:wait_log("device", "quarantine: stop")
    assert.equal("1.0.0", w:status().release)
    assert.equal(1, #world.lines(w:read("device.log"), "on trial\n"))
  end)

  it("is the release's fault the second time", function()
    begin(2)
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
    c:device({ [kind] = true }, { body = body(c.world.dir), config = 'restart_when = "asked",',
      numbers = { deadline = deadline } })
    c.world:run()
    c:wait_line(kinds[kind].told .. "1.0.0", kinds[kind].line)
    c.world:publish { core = world.core(18) }
    c.server:allow("t1"):allow "t2"
    kinds[kind].push "token=t1"
    c.world:wait_log("device", "1%.0%.1 is armed")
    c.broker:stop() -- and keep the sessions: what is said before the cloud is back must be heard
    c.world:write("go", "")
    c.world:wait_log("device", NO_CLOUD)
  end

  local function said(kind)
    return table.concat(c.cloud:lines(kinds[kind].line), "\n")
  end

  for _, kind in ipairs { "aliyun", "tencent" } do
    it("is tried once more, and no failure is reported to " .. kind, function()
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
