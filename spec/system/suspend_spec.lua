-- A device that sleeps (suspend to RAM) between its measurements: hours asleep are hours, too.

local host = require "update.native.host"
local world = require "spec.support.world"

describe("a system that was suspended", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = world.new()
    w.under = ("env ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s/suspended.so SUSPENDED=%s"):format(
      host.program:match "^(.*)/", w:path "slept")
  end)
  after_each(function() w:close() end)

  local function suspend(seconds)
    w:write("slept.new", ("%d\n"):format(seconds))
    assert(w:shell "mv slept.new slept")
  end

  it("asks its cloud again when the period is over, asleep or not", function()
    w:device { period = 14400, body = world.TICK }
    assert(w:shell "cp p1.upd depot && echo '*' >depot/p1.upd.devices")
    w:wait_log("depot", "p1%.upd: added")
    w:run()
    w:wait_log("device", "cloud luat: .-nothing")
    w:publish()
    w:wait_log("depot", "p2%.upd: added")
    suspend(16000)
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    assert.is_true(w:alive "device")
  end)
end)
