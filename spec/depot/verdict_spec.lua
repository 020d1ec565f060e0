-- What is printed of a device that tries a release, from the store and from a server alike.

local verdict = require "depot.verdict"

describe("a device that tries a release", function()
  -- Watch a device that is seen as these rows, one at each look; the last stays.
  local function watch(rows, timeout)
    local said, at = {}, 1
    local env = { note = function(text) said[#said + 1] = text end, out = function(text) said[#said + 1] = text end }
    local done, message, code = verdict.watch(env, "new.upd", { timeout = timeout,
      look = function() return rows[at] or nil, "the row is missing", "internal" end,
      is_ours = function(row) return row.target == "1.1" end,
      pause = function() at = math.min(at + 1, #rows) end })
    return said, done, message, code
  end

  local function row(state, step, more)
    local made = { cloud = "aliyun", device = "dev1", release = "1.0", target = "1.1", state = state, step = step }
    for name, value in pairs(more or {}) do made[name] = value end
    return made
  end

  it("is told of once for each step, and when it has it", function()
    local said, done = watch { row "pending", row("upgrading", 10), row("upgrading", 10), row("upgrading", 70),
      row("succeeded", 100, { release = "1.1" }) }
    assert.same({ "dev1: pending", "dev1: upgrading 10 %", "dev1: upgrading 70 %",
      "dev1 runs 1.1: new.upd is verified" }, said)
    assert.equal(0, done)
  end)

  it("is given up when it has another job, or none, or its row is gone, or the time is over", function()
    local cases = {
      { { row("pending", nil, { target = "1.2" }) }, "dev1 was given another job meanwhile, 1.2", "busy" },
      { { { device = "dev1" } }, "dev1 was given another job meanwhile, none", "busy" },
      { {}, "the row is missing", "internal" },
      { { row "pending" }, "no result from dev1 in time", "busy" },
    }
    for _, case in ipairs(cases) do
      local _, done, message, code = watch(case[1], -1)
      assert.same({ nil, case[3] }, { done, code })
      assert.is_truthy(message:find(case[2], 1, true), message)
    end
  end)
end)
