local globals = require "cli.globals"

describe("cli.globals.scan", function()
  local good = {
    { "plain lines", 'PROJECT = "METER"\nVERSION = "1.0.0"\n', { PROJECT = "METER", VERSION = "1.0.0" } },
    { "single quotes", "VERSION = '1.0.0'", { VERSION = "1.0.0" } },
    { "one line for all", 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k"',
      { PROJECT = "METER", VERSION = "1.0.0", PRODUCT_KEY = "k" } },
    { "no blanks, and a comment behind", 'VERSION="1.0.0"--first', { VERSION = "1.0.0" } },
    { "a semicolon", 'VERSION = "1.0.0";', { VERSION = "1.0.0" } },
    { "other names between", 'A, VERSION = "x", "2"', { VERSION = "2" } },
    { "the same twice", 'VERSION = "1"\nVERSION = "1"', { VERSION = "1" } },
    { "Windows line ends", 'VERSION = "1"\r\nPROJECT = "P"\r\n', { VERSION = "1", PROJECT = "P" } },
    { "not a local", 'local VERSION = "1"', {} },
    { "not a comment", '-- VERSION = "1"', {} },
    { "not a block comment", '--[[\nVERSION = "1"\n]]\n--[==[\nVERSION = "2"\n]==]', {} },
    { "not a comparison", 'if VERSION == "1" then end', {} },
    { "not another table's field", 't.VERSION = "1"', {} },
    { "not a longer name", 'MY_VERSION = "1"\nVERSIONS = "2"', {} },
    { "nothing of an empty file", "", {} },
  }
  for _, case in ipairs(good) do
    it("sees " .. case[1], function()
      assert.same(case[3], globals.scan(case[2]))
    end)
  end

  local wrong = {
    { "text that goes on after the quotes", 'VERSION = "1" .. suffix', "computed" },
    { "a call", "VERSION = read()", "computed" },
    { "too few values", 'PROJECT, VERSION = "P"', "computed" },
    { "an escape", 'VERSION = "1\\n"', "computed" },
    { "two different values", 'VERSION = "1"\nVERSION = "2"', "set twice" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1], function()
      local found, message = globals.scan(case[2])
      assert.is_nil(found)
      assert.matches(case[3], message)
    end)
  end
end)

describe("cli.globals.check", function()
  local recipe = { project = "METER", version = "1.0.1", product_key = "secret" }

  it("accepts equal values, and names that are not set", function()
    assert.is_true(globals.check('PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.1", "secret"', recipe))
    assert.is_true(globals.check('VERSION = "1.0.1"', recipe))
  end)

  local wrong = {
    { "another version", 'VERSION = "1.0.0"', "VERSION is \"1.0.0\", and the recipe says \"1.0.1\"" },
    { "another project", 'VERSION = "1.0.1"\nPROJECT = "OTHER"', "PROJECT is \"OTHER\"" },
    { "a byte order mark", '\xef\xbb\xbfVERSION = "1.0.1"', "begins with a byte order mark; save it as UTF-8" },
    { "no version", 'PROJECT = "METER"', "has no line VERSION" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1], function()
      local ok, message = globals.check(case[2], recipe)
      assert.is_nil(ok)
      assert.truthy(message:find(case[3], 1, true))
    end)
  end

  it("does not show product keys", function()
    local ok, message = globals.check('VERSION = "1.0.1"\nPRODUCT_KEY = "hidden"', recipe)
    assert.is_nil(ok)
    assert.is_nil(message:find("hidden", 1, true))
    assert.is_nil(message:find("secret", 1, true))
  end)
end)
