-- A medium whose syncs take longer than the heartbeat: who waits for them does not hang.

local world = require "spec.world"

describe("on a slow medium", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  after_each(function()
    if w then w:close() end
    w = nil
  end)

  -- Every sync below takes `ms` longer; of files of one name alone, when it is given.
  local function slow(ms, name)
    local folder = require("update.native.host").program:match "^(.*)/"
    w.under = ("env ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s/slow_sync.so SLOW_SYNC_MS=%d %s"):format(folder,
      ms, name and "SLOW_SYNC_NAME=" .. name or "")
  end

  local function killed() return (w:read "device.log"):match "[^\n]*no sign of life[^\n]*" end

  it("an agent is not killed for the sync of a slot", function()
    w = world.new()
    w:device { config = 'restart_when = "asked",', period = 600 }
    slow(8000, "slot-b.img")
    w:run()
    w:pack { sequence = 2, version = "1.0.1", core = world.core(18) }
    local code, _, err = w:moult "install p2.upd -q"
    assert.equal(4, code, err)
    assert.equal("armed", w:status().phase)
    assert.is_nil(killed())
  end)

  it("an agent is not killed for the syncs of many files", function()
    w = world.provisioned { numbers = { heartbeat = 4 } }
    slow(100)
    w:run()
    local files = {}
    for i = 1, 100 do files[("file%d.lua"):format(i)] = "return " .. i end
    w:pack { sequence = 2, version = "1.0.1", body = world.TICK, files = files }
    local code, _, err = w:moult "install p2.upd -q"
    assert.equal(4, code, err)
    w:wait_status({ phase = "idle", release = "1.0.1" }, 60)
    assert.is_nil(killed())
  end)
end)
