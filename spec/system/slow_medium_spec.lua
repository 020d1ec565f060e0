-- A medium whose syncs take longer than the heartbeat: who waits for them does not hang.

local world = require "spec.support.world"

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

  it("who asks is answered while the agent waits for a sync, in a second round too", function()
    w = world.new()
    w:device { config = 'restart_when = "asked",', period = 600, body = [[
      sys.taskInit(function()
        while true do
          assert(io.open("tick", "w")):close()
          sys.wait(50)
        end
      end)]] }
    slow(0, "slot-b.img")
    w.under = w.under:gsub("^env ", ("env SLOW_SYNC_WHILE=%s "):format(w:path "held"))
    w:run()
    w.under = nil
    for round = 1, 2 do
      w:write("held", "")
      w:pack { sequence = 1 + round, version = "1.0." .. round, core = world.core(17 + round) }
      w:start("install", ("install p%d.upd -q"):format(1 + round))
      w:wait("its silence", function() return select(2, w:moult "status"):find("DOES NOT ANSWER", 1, true) end, 60)
      assert.matches("phase +installing", select(2, w:moult "status"))
      assert.matches("sequence 1", select(2, w:moult "history"), 1, true)
      assert.equal(0, (w:moult "doctor"))
      local code, _, err = w:moult "check"
      assert.equal(5, code)
      assert.matches("the agent does not answer: it waits for a slow medium", err, 1, true)
      w:shell "rm tick"
      w:wait("the script", function() return w:read "tick" end)
      assert.is_true(w:alive "install")
      w:shell "rm held"
      w:wait("its end", function() return not w:alive "install" end, 60)
      assert.equal("armed", w:status().phase)
      assert.equal(0, (w:moult "rollback"))
      w:wait_status { phase = "idle", release = "1.0.0" }
    end
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

  it("a script is not killed for a command that it waits for", function()
    w = world.provisioned { numbers = { heartbeat = 2 }, body = [[
sys.taskInit(function()
  os.execute "sleep 5"
  print("executed")
  print(io.popen("sleep 5; echo a pipe"):read "a")
  for line in io.popen("sleep 5; echo in lines"):lines() do print("read " .. line) end
  local pipe = assert(io.popen "sleep 5; exit 3")
  print("closed", select(3, pipe:close()))
  print(select(2, pcall(os.execute, {})))
  while true do end
end)]] }
    w:run()
    w:wait_log("device", "executed\na pipe\n\nread in lines\nclosed\t3\nbad argument #1", 60)
    w:wait_log("device", "script gave no sign of life for 2 s", 30)
    assert.equal(1, #world.lines(w:read "device.log", "script gave no sign"))
    local script
    w:wait("its end in the status", function()
      script = w:status().script
      return script.restarts
    end)
    assert.same({ 1, "gave no sign of life for 2 s; split the long task, or raise heartbeat in the configuration" },
      { script.restarts, script.reason })
    assert.matches("restarts     it ended once; the last time it gave no sign of life", select(2, w:moult "status"))
    assert.matches("warn  script     it ended once", select(2, w:moult "doctor"))
    assert.matches("restarted    1.0.0 %(sequence 0%): gave no sign of life for 2 s", (select(2, w:moult "history")))
  end)
end)
