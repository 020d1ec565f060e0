local fake_loop = require "spec.support.fake_loop"
local scheduler = require "update.scheduler"
local trials = require "update.agent.trial"

describe("update.agent.trial", function()
  local loop, tasks, agent, lines, refusal

  before_each(function()
    loop, lines = fake_loop(), {}
    tasks = scheduler.new { loop = loop, now = function() return loop.at end,
      on_error = function(name, trace) error(name .. ": " .. trace) end }
    refusal = { "state /s: Read-only file system", "write" }
    local function refuse()
      if refusal then return nil, refusal[1], refusal[2] end
      return true
    end
    agent = { tasks = tasks, stirred = {}, config = { clouds = {}, deadline = 600 },
      log = function(line) lines[#lines + 1] = line end, note = function() end, stir = function() end,
      supervisor = { send = function() end, order = refuse },
      device = { judge = refuse, status = function() return { last = { message = "judged" } } end } }
  end)

  local function run(seconds)
    local trial = trials.new(agent)
    trial:script(true, 1)
    tasks:spawn("trial", trial.run, trial)
    tasks:spawn("end", function()
      tasks:wait(seconds)
      tasks:stop()
    end)
    tasks:run()
  end

  it("says once that a verdict cannot be written, and again when it is for another reason", function()
    agent.phase = function() return "idle" end
    function agent.device.unjudged() return refusal ~= nil end
    tasks:spawn("world", function()
      tasks:wait(120)
      refusal = { "state /s: No space left on device", "nospace" }
      tasks:wait(60)
      refusal = nil
    end)
    run(300)
    assert.same({ "trial: verdict: state /s: Read-only file system (write)",
      "trial: verdict: state /s: No space left on device (nospace)" }, lines)
  end)

  it("says once that a rollback is refused", function()
    agent.phase = function() return "trial" end
    agent.asker = { healthy = function() return false, "it is ill" end }
    run(60)
    assert.same({ "trial: rollback: state /s: Read-only file system (write)" }, lines)
  end)

  it("says once that a confirmation is refused", function()
    agent.phase = function() return "trial" end
    agent.asker = { healthy = function() return true, "it is well" end }
    run(60)
    assert.same({ "trial: confirm: state /s: Read-only file system (write)" }, lines)
  end)
end)
