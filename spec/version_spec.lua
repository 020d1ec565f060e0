local version = require "update.version"

describe("version.compare", function()
  local cases = {
    { "1.0.0", "1.0.0", 0 },
    { "1.0.0", "1.0.1", -1 },
    { "1.9", "1.10", -1 },
    { "1.10", "1.9", 1 },
    { "2", "10", -1 },
    { "1.0", "1.0.0", 0 },
    { "1", "1.0.0.1", -1 },
    { "1.0.0.0", "1", 0 },
    { "0.9.9", "1", -1 },
    { "007", "7", 0 },
    { "1.007", "1.8", -1 },
    { "99999999999999999999998", "99999999999999999999999", -1 },
    { "9223372036854775807", "9223372036854775808", -1 },
    { "1.0-rc1", "1.0-rc2", -1 },
    { "1.a", "1.b", -1 },
    { "1.A", "1.a", -1 },
    { "1.ab", "1.a", 1 },
    { "1.a", "1.1", 1 }, -- text against a number: both are text
    { "2012.001.000", "2012.1.0", 0 },
    { "", "0", -1 },
    { "", "", 0 },
    { 17, 22, -1 },
    { 22, "22.0", 0 },
  }
  for _, case in ipairs(cases) do
    local a, b, order = case[1], case[2], case[3]
    it(("puts %q %s %q"):format(a, ({ [-1] = "below", [0] = "level with", [1] = "above" })[order], b), function()
      assert.equal(order, version.compare(a, b))
      assert.equal(-order, version.compare(b, a)) -- the order is the same from both sides
    end)
  end
end)

describe("version.parse", function()
  local good = {
    { "1.0.2", { 1, 0, 2 } },
    { "7", { 7 } },
    { "1.0-rc1.3", { 1, "0-rc1", 3 } },
    { "99999999999999999999", { "99999999999999999999" } }, -- larger than an integer: kept as text
    { ("1"):rep(32), { ("1"):rep(32) } },
  }
  for _, case in ipairs(good) do
    it("takes " .. case[1] .. " apart", function()
      assert.same(case[2], version.parse(case[1]))
    end)
  end

  local bad = {
    { "nothing", "", "1 to 32" },
    { "33 characters", ("1"):rep(33), "1 to 32" },
    { "a number", 12, "1 to 32" },
    { "an empty piece", "1..2", "piece 2 is empty" },
    { "a dot at the end", "1.2.", "piece 3 is empty" },
    { "a blank", "1 2", "printable" },
    { "a line break", "1\n", "printable" },
  }
  for _, case in ipairs(bad) do
    it("refuses " .. case[1], function()
      local list, message, code = version.parse(case[2])
      assert.is_nil(list)
      assert.matches(case[3], message)
      assert.equal("usage", code)
    end)
  end
end)
