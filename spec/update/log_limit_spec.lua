local log_limit = require "update.agent.log_limit"

describe("update.agent.log_limit", function()
  local now, said

  local function limit()
    now, said = 0, {}
    return log_limit.new { now = function() return now end, what = "lines", most = 20,
      log = function(line) said[#said + 1] = line end }
  end

  it("logs so many lines a minute, and then says how many there were more", function()
    local say = limit()
    for i = 1, 1000 do say("line " .. i) end
    assert.equal(20, #said)
    assert.equal("line 20", said[20])
    now = 59
    say "late"
    assert.equal(20, #said)
    now = 60
    say "next"
    assert.same({ "981 more lines are not shown", "next" }, { said[21], said[22] })
  end)

  it("says nothing of the rest when there is none", function()
    local say = limit()
    for i = 1, 20 do say("line " .. i) end
    now = 60
    say "next"
    assert.equal("next", said[21])
  end)

  it("hands a line to the log that is named, and counts it all the same", function()
    local say, noted = limit(), {}
    for i = 1, 30 do say("line " .. i, function(line) noted[#noted + 1] = line end) end
    assert.same({ 0, 20 }, { #said, #noted })
    now = 60
    say "next"
    assert.same({ "10 more lines are not shown", "next" }, said)
  end)
end)
