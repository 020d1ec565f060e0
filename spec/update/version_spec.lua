local version = require "update.version"

describe("version.compare", function()
  -- As the C side is checked: spec/native/version_check.c.
  for line in io.lines "spec/versions.txt" do
    local a, op, b = line:gsub('""', ""):match("^(%S*) ([<=~]) (%S*)$")
    if line:sub(1, 1) ~= "#" then
      it(("says %s"):format(line), function()
        local order = op == "<" and -1 or 0
        assert.same({ order, -order }, { version.compare(a, b), version.compare(b, a) })
        assert.same({ op == "=", op == "=" }, { version.same(a, b), version.same(b, a) })
      end)
    end
  end

  it("takes numbers for versions", function()
    assert.equal(-1, version.compare(17, 22))
    assert.equal(0, version.compare(22, "22.0"))
  end)
end)

describe("version.is", function()
  for text, expected in pairs { ["1"] = true, ["1.0.2"] = true, ["v1.10-rc.2+b7"] = true, ["2024.11.28-hotfix"] = true,
    ["1.0+x"] = true, [""] = false, ["1..2"] = false, ["1.2."] = false, ["1.a"] = false, ["rc1"] = false,
    ["1.0-"] = false, ["1.0+"] = false, ["1.0-\xff"] = false, ["vv1"] = false, ["1 2"] = false } do
    it(("says %s of %q"):format(expected, text), function() assert.equal(expected, version.is(text)) end)
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
