-- The program of examples/c that was written against Aliyun's SDK, beside the real agent.

local c_program = require "spec.support.c_program"
local clouds = require "spec.support.cloud_world"
local world = require "spec.support.world"

describe("a C program with Aliyun's calls", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end
  if not c_program.compile then return pending "this build has no libmoult" end

  local c, w

  before_each(function()
    c = clouds.new()
    w = c.world
    c_program.compile(w, "aliyun")
  end)
  after_each(function() c:close() end)

  local function start(copy)
    w:write("aliyun.log", "")
    c_program.start(w, "aliyun", "1.0.0 " .. copy)
    w:wait("the program", function() return w:read "aliyun.log":find "waiting" end)
  end

  local function ready(copy, core)
    c:device { aliyun = true }
    w:run()
    c:wait_line("inform 1.0.0", clouds.aliyun_line)
    start(copy)
    w:publish { core = core or world.core(18, 700000), files = { ["data.bin"] = world.core(5, 300000).image } }
    c.server:allow "t1"
  end

  it("updates the device, and has every byte of the package", function()
    ready "copy.upd"
    c:push_aliyun "token=t1"
    w:wait("its verdict", function() return (w:read "aliyun.log"):find "The firmware is %l+" end, 60)
    local package, log = w:read "depot/p2.upd", w:read "aliyun.log"
    assert.matches("fetching 1.0.1, %x+\n", log)
    assert.matches(("%d of %d bytes\nThe firmware is valid\n"):format(#package, #package), log, 1, true)
    assert.is_true(w:read "copy.upd" == package)
    c:wait_line("inform 1.0.1", clouds.aliyun_line)
  end)

  it("has every byte over links that die, also of a core that runs already", function()
    ready("copy.upd", world.core(17))
    c:push_aliyun "token=t1&cut=200000"
    w:wait("its verdict", function() return (w:read "aliyun.log"):find "The firmware is %l+" end, 60)
    assert.is_true(w:read "copy.upd" == w:read "depot/p2.upd")
    assert.is_true(w:read "slot-b.img" == ("\0"):rep(4 << 20)) -- the core is copied, and not installed
    c:wait_line("inform 1.0.1", clouds.aliyun_line)
  end)

  it("that cannot write gives the update up", function()
    ready "/dev/full"
    c:push_aliyun "token=t1"
    c:wait_line("progress -4", clouds.aliyun_line)
  end)

  it("ends when its agent is killed, and begins again with the next offer", function()
    ready "copy.upd"
    c:push_aliyun "token=t1&rate=400000"
    w:wait("a part of the copy", function() return #(w:read "copy.upd" or "") > 0 end)
    w:shell(("kill -KILL $(pgrep -P %d -f -- --agent)"):format(w.running.device))
    w:wait("its verdict", function() return (w:read "aliyun.log"):find "The firmware is invalid" end, 60)
    start "copy.upd"
    c:push_aliyun "token=t1"
    w:wait("its verdict", function() return (w:read "aliyun.log"):find "The firmware is valid" end, 60)
    assert.is_true(w:read "copy.upd" == w:read "depot/p2.upd")
    c:wait_line("inform 1.0.1", clouds.aliyun_line)
  end)

  it("that dies in the middle strands nothing", function()
    ready "copy.upd"
    c:push_aliyun "token=t1&rate=400000"
    w:wait("a part of the copy", function() return #(w:read "copy.upd" or "") > 0 end)
    w:stop("aliyun", "KILL")
    assert.is_true(#w:read "copy.upd" < #w:read "depot/p2.upd")
    c:wait_line("inform 1.0.1", clouds.aliyun_line)
  end)
end)
