-- `moult watch` beside a device that updates itself.

local world = require "spec.support.world"

describe("moult watch", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local json = require "update.native.json"
  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  it("says that no agent runs", function()
    w:device()
    local code, _, err = w:moult "watch"
    assert.equal(3, code)
    assert.matches("start it with `moult run`", err)
  end)

  it("tells every edge of an update as JSON lines, and for people", function()
    w:device { body = "sys.taskInit(function() while true do sys.wait(1000) end end)" }
    w:run()
    w:start("events", "watch --json")
    w:start("lines", "watch")
    w:wait_log("events", '"phase":"idle"')
    w:wait_log("lines", "idle: release 1.0.0")
    w:publish { body = "sys.taskInit(function() while true do sys.wait(1000) end end)" }
    w:wait_status({ phase = "idle", release = "1.0.1" })
    w:wait_log("events", '"message":"confirmed"')
    w:stop("device")
    w:wait_log("events", "the agent went away")

    local phases, events = {}, {}
    for line in w:read("events.log"):gmatch("[^\n]+") do
      local event = json.decode(line)
      if event then
        assert.is_true(math.type(event.time) == "integer")
        if event.event == "state" then phases[#phases + 1] = event.phase end
        events[event.event] = event
      end
    end
    assert.equal("idle fetching installing armed trial", table.concat(phases, " "):match("^idle fetching.-trial"))
    assert.equal("idle", phases[#phases])
    assert.equal("1.0.1", events.offer.offer.release)
    assert.equal("install", events.offer.action)
    assert.equal(events.progress.total, events.progress.done)
    assert.equal(2, events.done.sequence)
    assert.same({ "ok", "confirmed" }, { events.state.last.code, events.state.last.message })
    assert.matches("^%d%d:%d%d:%d%d UTC  idle", w:read "lines.log")
    assert.matches("offer of 1%.0%.1 %(sequence 2%) from luat: install", w:read "lines.log")
  end)
end)
