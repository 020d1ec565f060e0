-- A configuration that somebody broke, on a device that came up before: the
-- application runs, what is wrong is said, and updates go on.

local json = require "update.native.json"
local world = require "spec.support.world"

local TICK = world.TICK

describe("a device whose configuration", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  -- One that came up once, unless `first` says that it did not.
  local function device(o)
    w = world.new()
    w:configure("", { heartbeat = 10 })
    w:pack { version = "1.0.0", sequence = 1, body = TICK }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
    if o and o.first then return end
    w:start("device", "run", "first.log")
    w:wait("its copy", function() return w:read "config.lua.good" ~= nil end, 20)
    w:stop "device"
    assert.equal(w:read "config.lua", w:read "config.lua.good")
  end

  local function status()
    local code, out = w:moult "status --json -c config.lua.good"
    return code == 0 and json.decode(out) or nil
  end

  after_each(function()
    if not w then return end
    for name in pairs(w.running) do w:stop(name, "KILL") end
    w:shell "chmod 755 ."
    w:close()
    w = nil
  end)

  local function good() return w:read "config.lua.good" end

  -- What an editor, a power cut or a tool left, and what is said of it.
  local broken = {
    { "is cut off", function(text) return text:sub(1, #text // 2) end, "config%.lua:%d+: .- %(usage%)" },
    { "is empty", function() return "" end, "config%.lua" },
    { "is full of zeros, as after a power cut", function(text) return ("\0"):rep(#text) end, "config%.lua" },
    { "has a field that nobody knows", function(text) return text:gsub("heartbeat", "hartbeat") end, "hartbeat" },
    { "has a number out of range", function(text) return (text:gsub("heartbeat = 10", "heartbeat = -1")) end,
      "heartbeat" },
    { "names a state where no device is", function(text) return (text:gsub('"state"', '"stat"')) end,
      "provision" },
    { "names a user that does not exist", function(text)
      return (text:gsub("heartbeat", 'script = { user = "nobody-here" }, heartbeat'))
    end, "nobody%-here" },
    { "never ends", function() return "while true do end" end, "config%.lua" },
  }

  for _, case in ipairs(broken) do
    local what, change, said = table.unpack(case)
    it(what .. " runs with the one that it came up with", function()
      device()
      w:write("config.lua", (change(good())))
      w:start("device", "run")
      w:wait_log("device", said, 30)
      w:wait_log("device", "goes on with config%.lua%.good, with which the device came up before", 30)
      w:wait_log("device", "working 1.0.0", 30)
      w:wait("its trouble in status", function()
        local s = status()
        return s and type(s.trouble) == "table" and s.trouble.updates and s.trouble.message:find(said:match "^%w+")
      end, 30)
      w:pack { version = "1.0.1", sequence = 2, body = TICK }
      assert.equal(4, (w:moult "install p2.upd -q -c config.lua.good"))
      w:wait("the update", function()
        local s = status()
        return s and s.phase == "idle" and s.release == "1.0.1"
      end, 30)
    end)
  end

  it("is gone, or a directory, runs as well, and takes it again when it is mended", function()
    device()
    local text = good()
    assert(w:shell "rm config.lua && mkdir config.lua")
    w:start("device", "run")
    w:wait_log("device", "working 1.0.0", 30)
    w:stop "device"
    assert(w:shell "rmdir config.lua")
    w:start("device", "run", "gone.log")
    w:wait("the script", function() return (w:read "gone.log" or ""):find "working 1.0.0" end, 30)
    w:stop "device"
    w:write("config.lua", (text:gsub("heartbeat = 10", "heartbeat = 11")))
    w:start("device", "run", "mended.log")
    w:wait("the new copy", function() return good():find("heartbeat = 11", 1, true) end, 30)
    assert.is_nil((w:read "mended.log"):find("goes on with", 1, true))
  end)

  it("breaks while it runs, gets its agent back, and keeps the good copy", function()
    device()
    local before = good()
    w:start("device", "run")
    w:wait_log("device", "working 1.0.0", 30)
    w:write("config.lua", "return {")
    local agent = w:read("device.log"):match "agent started %(process (%d+)%)"
    assert(w:shell("kill -9 " .. agent))
    w:wait_log("device", "agent: %S+config%.lua:%d+: .-; going on with %S+config%.lua%.good", 30)
    w:pack { version = "1.0.1", sequence = 2, body = TICK }
    w:wait("an agent that installs", function() return w:moult "install p2.upd -q -c config.lua.good" == 4 end, 30)
    assert.equal(before, good())
  end)

  it("was never good ends `moult run`, and nothing is kept of it", function()
    device { first = true }
    w:write("config.lua", (w:read "config.lua":gsub('"state"', '"stat"')))
    local code, _, err = w:moult "run"
    assert.equal(2, code)
    assert.is_truthy(err:find "provision")
    assert.is_nil(good())
    w:write("config.lua", "return {")
    code, _, err = w:moult "run"
    assert.equal(2, code)
    assert.is_nil(err:find("goes on with", 1, true))
  end)

  it("has a copy that is broken, too, names both", function()
    device()
    w:write("config.lua", "return {")
    w:write("config.lua.good", "return }")
    local code, _, err = w:moult "run"
    assert.equal(2, code)
    assert.is_truthy(err:find "config%.lua:1: ")
    assert.is_truthy(err:find "config%.lua%.good:1: ")
  end)

  it("has secrets has a copy that is as hard to read", function()
    w = world.new()
    w:configure()
    w:pack { version = "1.0.0", sequence = 1, body = TICK }
    assert(w:moult "provision p1.upd -q" == 0)
    assert(w:shell "chmod 600 config.lua")
    w:start("device", "run")
    w:wait("its copy", function() return good() ~= nil end, 20)
    assert(w:shell "[ $(stat -c %a config.lua.good) = 600 ]")
  end)

  it("is broken settles all the same before programs start", function()
    device()
    local code, _, err = w:moult "settle"
    assert.equal(0, code, err)
    w:write("config.lua", "return {")
    code, _, err = w:moult "settle"
    assert.equal(0, code, err)
    assert.is_truthy(err:find "config%.lua:1: .- config%.lua%.good")
    w:write("config.lua.good", "return {")
    assert.equal(2, (w:moult "settle"))
  end)

  it("is broken says at a verb which one the device runs with", function()
    device()
    w:write("config.lua", "return {")
    local code, _, err = w:moult "status"
    assert.equal(2, code)
    assert.is_truthy(err:find("-c config.lua.good", 1, true))
  end)
end)
