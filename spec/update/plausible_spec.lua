local plausible = require "update.engine.plausible"

local NOW, DAY = 1800000000, 86400

local function date(seconds) return "at " .. seconds end

describe("update.engine.plausible", function()
  local far = {
    { "the next number", 6, 5, false },
    { "a lower one", 4, 5, false },
    { "as far as may be", (1 << 40) + 5, 5, false },
    { "further", (1 << 40) + 6, 5, true },
    { "the last number after none", math.maxinteger, 0, true },
    { "a lower one than the last number", 7, math.maxinteger, false },
    { "the last number again", math.maxinteger, math.maxinteger, false },
  }
  for _, case in ipairs(far) do
    it((case[4] and "warns of " or "says nothing of ") .. case[1], function()
      local text = plausible.far(case[2], case[3], "the floor")
      assert.equal(case[4], text ~= nil)
      local said = ("sequence %d is more than 2^40 above the floor, %d:"):format(case[2], case[3])
      if text then assert.matches(said, text, 1, true) end
    end)
  end

  local recipes = {
    { "a usual one", { issued = NOW, not_after = NOW } },
    { "one without times", {} },
    { "one from tomorrow", { issued = NOW + DAY } },
    { "one from after that", { issued = NOW + DAY + 1 }, "issued, at 1800086401, is more than a day ahead" },
    { "one that is over", { not_after = NOW - 1 }, "not_after, at 1799999999, is in the past" },
    { "a version as SemVer has them", { version = "v1.2.3-rc1+b7" } },
    { "one that is none", { version = "Zürich-1" }, "version Zürich-1 is not of the form 1.2.3, 1.2.3-rc1" },
    { "the last free sequence", { sequence = 1 << 62 } },
    { "the one after it", { sequence = (1 << 62) + 1 }, "sequence 4611686018427387905 is above 2^62" },
  }
  for _, case in ipairs(recipes) do
    it((case[3] and "warns of " or "says nothing of ") .. case[1], function()
      case[2].sequence = case[2].sequence or 1
      local list = plausible.recipe(case[2], NOW, date)
      assert.equal(case[3] and 1 or 0, #list)
      if case[3] then assert.matches(case[3], list[1], 1, true) end
    end)
  end

  it("warns of a permit that holds for longer than a year", function()
    assert.is_nil(plausible.permit({ not_after = NOW + 366 * DAY }, NOW, date))
    assert.matches("more than a year ahead", plausible.permit({ not_after = NOW + 366 * DAY + 1 }, NOW, date))
  end)
end)
