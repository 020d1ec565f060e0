local aliyun_calls = require "update.agent.aliyun_calls"

describe("update.agent.aliyun_calls", function()
  -- What a cloud that has a job is told.
  local function play()
    local told, listener = {}, {}
    function listener.takes_calls() return true end
    function listener.hold() return true end
    function listener.progress_of_job() return { fetching = true, job = 7 } end
    function listener.give_up(_, code, text)
      told[#told + 1] = ("%s %s"):format(code, text)
      return true
    end
    function listener.say_progress(_, step) told[#told + 1] = step end
    return { each_listener = function() return ipairs { listener } end }, told
  end

  it("takes the steps that the vendor knows", function()
    local agent, told = play()
    for _, step in ipairs { -4, 0, 100 } do
      assert.is_true(aliyun_calls.call(agent, { call = "progress", step = step }, {}))
    end
    assert.same({ "write the script gave it up", 0, 100 }, told)
  end)

  it("refuses an invalid step", function()
    local agent, told = play()
    for _, step in ipairs { -5, 101, 1.5, "x", {} } do
      local ok, message, code = aliyun_calls.call(agent, { call = "progress", step = step }, {})
      assert.same({ nil, "a step is a whole number from -4 to 100", "usage" }, { ok, message, code })
    end
    assert.equal("usage", select(3, aliyun_calls.call(agent, { call = "progress" }, {})))
    assert.same({}, told)
  end)
end)
