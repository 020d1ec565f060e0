local fake_loop = require "spec.support.fake_loop"
local luat_sys = require "update.script.sys"
local scheduler = require "update.scheduler"

describe("sys", function()
  local loop, tasks, sys, said, errors

  before_each(function()
    loop, said, errors = fake_loop(), {}, {}
    tasks = scheduler.new {
      loop = loop, now = function() return loop.at end,
      on_error = function(name, trace) errors[#errors + 1] = name .. ": " .. trace end,
    }
    sys = luat_sys.new(tasks)
  end)

  local function say(...)
    local words = { ("%d"):format(math.floor(loop.at * 1000 + 0.5)) }
    for i = 1, select("#", ...) do words[i + 1] = tostring((select(i, ...))) end
    said[#said + 1] = table.concat(words, " ")
  end

  local function run_for(ms)
    sys.timerStart(function() tasks:stop() end, ms)
    sys.run()
  end

  describe("tasks", function()
    it("start at once, with their arguments, and wait in milliseconds", function()
      local thread = sys.taskInit(function(a, b) say(a, b) sys.wait(1500) say "again" end, "x", 2)
      assert.equal("thread", type(thread))
      assert.same({ "0 x 2" }, said)
      run_for(2000)
      assert.same({ "0 x 2", "1500 again" }, said)
    end)

    it("wait outside of a task too, while the others run on", function()
      sys.taskInit(function() for _ = 1, 3 do sys.wait(10) say "tick" end end)
      sys.wait(25)
      say "main"
      assert.same({ "10 tick", "20 tick", "25 main" }, said)
    end)

    it("wait in a coroutine that a task made by itself", function()
      sys.taskInit(function()
        coroutine.wrap(function() sys.wait(10) say "inner" end)()
        say "outer"
      end)
      run_for(20)
      assert.same({ "10 inner", "10 outer" }, said)
    end)

    it("end by their own error only, which is reported with a traceback", function()
      sys.taskInit(function() sys.wait(10) error("boom") end)
      sys.taskInit(function() sys.wait(20) say "well" end)
      run_for(30)
      assert.same({ "20 well" }, said)
      assert.equal(1, #errors)
      assert.matches("boom.*stack traceback", errors[1])
    end)

    it("refuse an invalid function or time", function()
      assert.has_error(function() sys.taskInit("x") end)
      assert.has_error(function() sys.wait(-1) end)
      assert.has_error(function() sys.wait("1") end)
      assert.has_error(function() sys.wait(0 / 0) end)
    end)
  end)

  describe("messages", function()
    it("reach who waits, with nils among the values", function()
      sys.taskInit(function() say(sys.waitUntil("X", 1000)) end)
      sys.taskInit(function() sys.wait(10) sys.publish("X", 1, nil, 3) end)
      run_for(50)
      assert.same({ "10 true 1 nil 3" }, said)
    end)

    it("wait for ever without a time, and return false at a timeout", function()
      sys.taskInit(function() say(sys.waitUntil("never", 40)) end)
      sys.taskInit(function() say(sys.waitUntil("late")) end)
      sys.taskInit(function() sys.wait(100000) sys.publish("late") end)
      run_for(200000)
      assert.same({ "40 false", "100000 true" }, said)
    end)

    it("published before the wait in one turn still arrive, as with Luat", function()
      sys.taskInit(function() sys.publish("X", "early") say(sys.waitUntil("X", 1000)) end)
      run_for(2000)
      assert.same({ "0 true early" }, said)
    end)

    it("reach subscribers in the order they came, each once, until they leave", function()
      local function first(v) say("first", v) end
      local function second(v) say("second", v) sys.unsubscribe("X", first) end
      sys.subscribe("X", first)
      sys.subscribe("X", second)
      sys.subscribe("X", second)
      sys.publish("X", 1)
      sys.wait(1)
      sys.publish("X", 2)
      sys.wait(1)
      assert.same({ "0 first 1", "0 second 1", "1 second 2" }, said)
      sys.unsubscribe("X", print)
      sys.unsubscribe("Y", print)
    end)

    it("let a subscriber wait, and survive one that fails", function()
      sys.subscribe("X", function() error("bad") end)
      sys.subscribe("X", function() sys.wait(10) say "waited" end)
      sys.publish("X")
      run_for(20)
      assert.same({ "10 waited" }, said)
      assert.matches("subscriber of X: .*bad", errors[1])
    end)

    it("published without end do not keep timers from firing", function()
      sys.subscribe("X", function() loop.at = loop.at + 0.001 sys.publish("X") end)
      sys.publish("X")
      run_for(20)
      assert.is_true(loop.at >= 0.02)
    end)

    it("need an id and a function", function()
      assert.has_error(function() sys.publish(nil) end)
      assert.has_error(function() sys.waitUntil(nil) end)
      assert.has_error(function() sys.subscribe("X", 1) end)
      assert.has_error(function() sys.subscribe(nil, print) end)
    end)
  end)

  describe("timers", function()
    it("fire once with their arguments", function()
      local id = sys.timerStart(say, 20, "a", nil, "c")
      assert.is_true(sys.timerIsActive(id))
      run_for(100)
      assert.same({ "20 a nil c" }, said)
      assert.is_false(sys.timerIsActive(id))
    end)

    it("fire again and again until they are stopped, from inside too", function()
      local n = 0
      local id
      id = sys.timerLoopStart(function() n = n + 1 say(n) if n == 3 then sys.timerStop(id) end end, 10)
      run_for(100)
      assert.same({ "10 1", "20 2", "30 3" }, said)
      assert.is_false(sys.timerIsActive(id))
    end)

    it("keep their rhythm when a turn comes late", function()
      sys.timerLoopStart(function() say "tick" loop.at = loop.at + 0.004 end, 10)
      run_for(35)
      assert.same({ "10 tick", "20 tick", "30 tick" }, said)
    end)

    it("restart for the same function and arguments, and leave others alone", function()
      sys.timerStart(say, 20, "a")
      sys.timerStart(say, 40, "b")
      sys.wait(10)
      sys.timerStart(say, 20, "a")
      run_for(100)
      assert.same({ "30 a", "40 b" }, said)
    end)

    it("are found by number, by function and arguments, or by function alone", function()
      local id = sys.timerStart(say, 20, "a")
      sys.timerStart(say, 20, "b")
      sys.timerStart(say, 20, "c")
      sys.timerStart(say, 20)
      sys.timerStop(id)
      sys.timerStop(say, "b")
      assert.is_true(sys.timerIsActive(say))
      assert.is_false(sys.timerIsActive(say, "b"))
      sys.timerStop(say)
      assert.is_true(sys.timerIsActive(say, "c"))
      sys.timerStopAll(say)
      sys.timerStop(4711)
      run_for(50)
      assert.same({}, said)
    end)

    it("that fail are reported and end", function()
      sys.timerLoopStart(function() error("tock") end, 10)
      run_for(50)
      assert.equal(1, #errors)
      assert.matches("tock", errors[1])
    end)

    it("refuse an invalid function or time, and a loop without a pause", function()
      assert.has_error(function() sys.timerStart(nil, 10) end)
      assert.has_error(function() sys.timerStart(print, "10") end)
      assert.has_error(function() sys.timerLoopStart(print, 0) end)
    end)
  end)

  describe("messages of LuatOS", function()
    it("come with their id, without it, or for several ids", function()
      local got = {}
      sys.taskInit(function() got.ext = table.pack(sys.waitUntilExt("a", 100)) end)
      sys.taskInit(function() got.late = table.pack(sys.waitUntilExt("b", 100)) end)
      sys.taskInit(function() got.msg = table.pack(sys.waitUntilMsg "a") end)
      local function heard(value) say("heard", value) end
      sys.subscribe({ "x", "y" }, heard)
      sys.publish("a", 1, nil, 3)
      sys.publish("x", "x") sys.publish("y", "y")
      run_for(50)
      sys.unsubscribe({ "x", "y" }, heard)
      assert.same({ "a", 1, nil, 3, n = 4 }, got.ext)
      assert.same({ 1, nil, 3, n = 3 }, got.msg)
      assert.same({ "0 heard x", "0 heard y" }, said)
      assert.is_nil(got.late)
    end)

    it("end with false when the time is over", function()
      local late
      sys.taskInit(function() late = table.pack(sys.waitUntilExt("b", 20)) end)
      run_for(50)
      assert.same({ false, n = 1 }, late)
    end)
  end)

  describe("mailboxes", function()
    it("return the wanted message, and pass others to the callback", function()
      sys.taskInitEx(function(first)
        say(first, table.unpack(sys.waitMsg("box", "go")))
        say(table.unpack(sys.waitMsg "box"))
        say(sys.waitMsg("box", "go", 30))
      end, "box", function(message) say("other", message[1]) end, "began")
      assert.is_true(sys.sendMsg("box", "noise"))
      assert.is_true(sys.sendMsg("box", "go", 1, 2, 3))
      sys.timerStart(sys.sendMsg, 10, "box", "any")
      run_for(100)
      assert.same({ "0 other noise", "0 began go 1 2 3", "10 any", "40 false" }, said)
    end)

    it("keep messages that came before anybody waited, until the mailbox is cleaned or removed", function()
      sys.taskInitEx(function() end, "box")
      sys.sendMsg("box", "old")
      assert.is_true(sys.cleanMsg "box")
      assert.is_false(sys.waitMsg("box", nil, 5))
      sys.sendMsg("box", "new")
      assert.same({ "new" }, sys.waitMsg("box", "new"))
      sys.taskDel "box"
      assert.is_false(sys.sendMsg("box", "x"))
      assert.is_false(sys.cleanMsg "box")
      assert.error_matches(function() sys.waitMsg("box", "x") end, "no task box was started with sys.taskInitEx")
    end)
  end)
end)
