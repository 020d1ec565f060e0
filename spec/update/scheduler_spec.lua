local fake_loop = require "spec.support.fake_loop"
local scheduler = require "update.scheduler"

describe("update.scheduler", function()
  local loop, tasks, said, errors

  before_each(function()
    loop, said, errors = fake_loop(), {}, {}
    tasks = scheduler.new {
      loop = loop, now = function() return loop.at end,
      on_error = function(name, trace) errors[#errors + 1] = name .. ": " .. trace end,
    }
  end)

  local function say(text) said[#said + 1] = ("%g %s"):format(loop.at, text) end

  it("runs tasks by their times", function()
    tasks:spawn("a", function() tasks:wait(3) say "a" end)
    tasks:spawn("b", function() tasks:wait(1) say "b" tasks:wait(1) say "b again" end)
    tasks:run()
    assert.same({ "1 b", "2 b again", "3 a" }, said)
  end)

  it("wakes a task when its descriptor is ready, or says that the time was over", function()
    loop.due[7] = 2
    tasks:spawn("ready", function() say(tostring(tasks:watch({ { fd = 7, read = true } }, 5))) end)
    tasks:spawn("late", function() say(tostring(tasks:watch({ { fd = 8, read = true } }, 1))) end)
    tasks:run()
    assert.same({ "1 false", "2 true" }, said)
  end)

  it("counts the time in which the system is suspended for long pauses alone", function()
    local slept, event = 0, {}
    tasks = scheduler.new { loop = loop, now = function() return loop.at end, on_error = error,
      uptime = function() return loop.at + slept end }
    tasks:spawn("peer", function() tasks:wait(100) say "peer" end)
    tasks:spawn("period", function() tasks:rest(100) say "period" end)
    tasks:spawn("retry", function() say(tostring((tasks:rest(100, event)))) end)
    tasks:spawn("stirred", function() say(tostring((tasks:rest(100, event)))) end)
    tasks:spawn("beat", function()
      tasks:wait(10)
      tasks:set(event, 5)
      slept = 95
      tasks:wait(1)
    end)
    tasks:run()
    assert.same({ "10 5", "10 5", "10 period", "100 peer" }, said)
  end)

  it("sees within a minute that the system was suspended, also when nothing else is due", function()
    tasks = scheduler.new { loop = loop, now = function() return loop.at end, on_error = error,
      uptime = function() return loop.at + (loop.polls > 0 and 5000 or 0) end }
    tasks:spawn("period", function() tasks:rest(3600) say "period" end)
    tasks:run()
    assert.same({ "60 period" }, said)
  end)

  it("hands an event's values to everyone who awaits it, once", function()
    local event = {}
    for _, name in ipairs { "a", "b" } do
      tasks:spawn(name, function()
        say(name .. tostring((tasks:await(event))))
        say(name .. tostring((tasks:await(event, 1))))
      end)
    end
    tasks:spawn("setter", function() tasks:wait(1) tasks:set(event, 5) end)
    tasks:run()
    table.sort(said)
    assert.same({ "1 a5", "1 b5", "2 anil", "2 bnil" }, said)
  end)

  it("does not wake who gave up waiting for an event", function()
    local event = {}
    tasks:spawn("a", function()
      assert(tasks:await(event, 1) == nil)
      tasks:wait(5)
      say "slept"
    end)
    tasks:spawn("setter", function() tasks:wait(2) tasks:set(event, 1) end)
    tasks:run()
    assert.same({ "6 slept" }, said)
  end)

  it("lets others run between turns", function()
    for _, name in ipairs { "a", "b" } do
      tasks:spawn(name, function()
        for i = 1, 2 do say(name .. i) tasks:turn() end
      end)
    end
    tasks:run()
    assert.same({ "0 a1", "0 b1", "0 a2", "0 b2" }, said)
  end)

  it("wakes an idle task whenever the loop woke", function()
    loop.due[7] = 0.25
    tasks:spawn("idle", function() tasks:idle() say "idle" end)
    tasks:spawn("watch", function() tasks:watch { { fd = 7, read = true } } end)
    tasks:run()
    assert.same({ "0.25 idle" }, said)
  end)

  it("reports a failing task by name and goes on with the others", function()
    tasks:spawn("bad", function() error("boom") end)
    tasks:spawn("good", function() tasks:wait(1) say "good" end)
    tasks:run()
    assert.same({ "1 good" }, said)
    assert.equal(1, #errors)
    assert.matches("^bad: .*boom.*traceback", errors[1])
  end)

  it("starts a task at once when asked, also from inside another", function()
    tasks:spawn("a", function()
      say "a"
      tasks:start("b", function() say "b" tasks:wait(1) say "b again" end)
      say "a again"
    end)
    tasks:run()
    assert.same({ "0 a", "0 b", "0 a again", "1 b again" }, said)
  end)

  it("drops a task where it waits, and closes what it holds", function()
    local task = tasks:spawn("a", function()
      local _ <close> = setmetatable({}, { __close = function() say "closed" end })
      tasks:wait(10)
      say "never"
    end)
    tasks:spawn("b", function() tasks:wait(1) tasks:drop(task) tasks:drop(task) end)
    tasks:run()
    assert.same({ "1 closed" }, said)
  end)

  it("blocks outside of a task until the function returned, and raises when it failed", function()
    tasks:spawn("other", function() tasks:wait(1) say "other" end)
    assert.same({ 1, nil, 3, n = 3 }, table.pack(tasks:block(function(...) tasks:wait(2) return ... end, 1, nil, 3)))
    say "main"
    assert.same({ "1 other", "2 main" }, said)
    assert.has_error(function() tasks:block(function() tasks:wait(1) error("boom") end) end)
    assert.matches("boom", errors[1])
  end)

  it("runs timers that are due together in the order of their times, then of their creation", function()
    loop.poll = function() loop.at = 10 return true end
    for i, at in ipairs { 3, 1, 2, 1 } do
      tasks:spawn("t", function() tasks:wait(at) say(at .. "/" .. i) end)
    end
    tasks:run()
    assert.same({ "10 1/2", "10 1/4", "10 2/3", "10 3/1" }, said)
  end)

  it("stops when told, with tasks left", function()
    tasks:spawn("ever", function() while true do tasks:wait(1) end end)
    tasks:spawn("stop", function() tasks:wait(3.5) tasks:stop() end)
    tasks:run()
    assert.equal(3.5, loop.at)
  end)
end)
