-- What floods the control socket of a real agent: its memory stays bounded, and
-- the owner is heard all the while.

local channel = require "update.native.channel"
local json = require "update.native.json"
local world = require "spec.support.world"

local LEAST = 16 * 1024 -- KiB that any of it may take at most

describe("a flood of the control socket", function()
  local w, agent

  before_each(function()
    w = world.provisioned {}
    w:run()
    agent = w:wait_log("device", "agent started %(process (%d+)%)")
    w:wait_log("device", "working 1.0.0")
    w:moult "status"
  end)

  after_each(function()
    w:close()
    collectgarbage()
  end)

  local function memory()
    local file = assert(io.open("/proc/" .. agent .. "/status"))
    local text = file:read "a"
    file:close()
    return assert(tonumber(text:match "VmRSS:%s+(%d+)"))
  end

  -- Send a line `count` times, as fast as it is taken, for two seconds at most; nothing is read.
  local function flood(line, count)
    local one = assert(channel.connect(w:path "state/control"))
    local sent, till = 0, require("update.native.loop").now() + 2
    while sent < count and require("update.native.loop").now() < till do
      local ok, _, code = one:send(line)
      if ok then
        sent = sent + 1
      elseif code == "busy" then
        w.loop:poll(50, { { fd = one:fd(), write = true } })
        local _, _, word = one:flush()
        if word == "network" then break end
      else
        break
      end
    end
    assert.equal(0, (w:moult "status"))
    return one
  end

  local floods = {
    { "questions",                   { id = 1, verb = "status" } },
    { "requests without an id",      { verb = "confirm" } },
    { "installs of nothing",         { verb = "install", source = "/nonexistent" } },
    { "requests of a cloud",         { verb = "request", url = "http://127.0.0.1:9/x" } },
    { "long reasons",                { verb = "rollback", reason = ("x"):rep(60000) } },
    { "long errors",                 { verb = "error", message = ("\27y"):rep(30000) } },
    { "long names",                  { verb = "globals", version = ("z"):rep(60000) } },
    { "unknown verbs",               { verb = ("v"):rep(60000) } },
    { "watches",                     { id = 1, verb = "watch" } },
    { "histories",                   { id = 1, verb = "history" } },
  }
  for _, case in ipairs(floods) do
    it("of " .. case[1] .. " costs bounded memory", function()
      if os.getenv "MOULT_SANITIZED" then return pending("a sanitizer keeps what was freed") end
      local before = memory()
      local one = flood(json.encode(case[2]), 20000)
      local after = memory()
      one:close()
      assert.is_true(after - before < LEAST, ("%d KiB more"):format(after - before))
      assert.is_true(w:alive "device")
    end)
  end

  it("of idle connections keeps nobody out who owns the device", function()
    local idle = {}
    for i = 1, 40 do
      idle[i] = w:wait("the connection", function() return channel.connect(w:path "state/control") end)
    end
    assert.equal(0, (w:moult "status"))
    local code, _, err = w:moult "rollback"
    assert.equal(3, code, err)
    assert.matches("nothing is armed or on trial", err)
    for _, one in ipairs(idle) do one:close() end
  end)

  it("is not one line of the log for each line of it", function()
    flood('{"verb":"error","message":"again\\n\\u001b[31m"}', 2000):close()
    w:sleep(0.5)
    local log = w:read "device.log"
    assert.equal(20, #world.lines(log, "a task failed: again %?%[31m"))
  end)
end)
