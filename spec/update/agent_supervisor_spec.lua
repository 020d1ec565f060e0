local fake_loop = require "spec.support.fake_loop"
local scheduler = require "update.scheduler"
local supervisors = require "update.agent.supervisor"

describe("update.agent.supervisor", function()
  local loop, tasks, told, heard, supervisor

  -- A supervisor that answers when the spec says so.
  local function say(line)
    heard[#heard + 1] = line
    loop.due[3] = loop.at
  end

  before_each(function()
    loop = fake_loop()
    told, heard = {}, {}
    tasks = scheduler.new { loop = loop, now = function() return loop.at end,
      on_error = function(name, trace) error(name .. ": " .. trace) end }
    local channel = {
      fd = function() return 3 end, wants_write = function() return false end,
      send = function(_, line)
        told[#told + 1] = line
        return true
      end,
      receive = function()
        if #heard > 0 then return table.remove(heard, 1) end
        loop.due[3] = nil
        return nil, "nothing yet", "again"
      end,
    }
    supervisor = supervisors.connect { tasks = tasks, log = function() end, note = function() end,
      natives = { channel = { from_fd = function() return channel end } } }
    supervisor:start(400)
  end)

  -- Give orders in tasks of their own, then what the supervisor says; what became of each.
  local function order(orders, answers)
    local results = {}
    for i, words in ipairs(orders) do
      tasks:spawn("order", function() results[i] = { supervisor:order(words[1], words[2], 60) } end)
    end
    tasks:spawn("world", function()
      tasks:wait(1)
      for _, line in ipairs(answers) do say(line) end
      tasks:wait(1)
      tasks:stop()
    end)
    tasks:run()
    return results
  end

  it("hands an answer to who gave the order", function()
    assert.same({ { "fresh" } }, order({ { "hotfix", "apply 0011 plain" } }, { "answer hotfix ok fresh" }))
    assert.equal("hotfix apply 0011 plain", told[2])
  end)

  it("gives one answer to all who want the same", function()
    assert.same({ { true }, { true } }, order({ { "confirm" }, { "confirm" } }, { "answer confirm ok" }))
  end)

  it("does not take the answer to another order about hotfixes for its own", function()
    local results = order({ { "hotfix", "apply 0011 plain" }, { "hotfix", "undo one plain pump" } },
      { "answer hotfix ok fresh" })
    assert.same({ "fresh" }, results[1])
    assert.same({ nil, "a hotfix is being tested or undone; try again later", "busy" }, results[2])
    assert.same({ "beat", "hotfix apply 0011 plain" }, told)
  end)

  it("takes the next order about hotfixes when the one before has ended, also without an answer", function()
    local results = order({ { "hotfix", "apply 0011 plain" } }, {})
    assert.same({}, results)
    tasks.stopped = nil
    tasks:spawn("later", function()
      tasks:wait(100)
      say "answer hotfix ok passed"
      results[2] = { supervisor:order("hotfix", "again 0011", 60) }
      tasks:stop()
    end)
    tasks:run()
    assert.same({ nil, "the supervisor does not answer hotfix", "internal" }, results[1])
    assert.same({ "passed" }, results[2])
  end)
end)
