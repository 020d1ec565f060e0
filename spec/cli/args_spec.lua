local args = require "cli.args"

describe("cli.args", function()
  local listen = { { name = "listen", short = "l", value = "HOST:PORT", help = "" },
    { name = "allow", value = "ID", help = "", list = true } }

  local good = {
    { "options before and after positionals", { "-c", "x.lua", "pkg", "--json" }, { "pkg" },
      { config = "x.lua", json = true } },
    { "a value after an equals sign", { "--config=a=b" }, {}, { config = "a=b" } },
    { "an attached short value", { "-cx.lua" }, {}, { config = "x.lua" } },
    { "flags together", { "-qv" }, {}, { quiet = true, verbose = true } },
    { "a flag and an option together", { "-qo", "out" }, {}, { quiet = true, out = "out" } },
    { "nothing after a double dash", { "--json", "--", "--json", "-x" }, { "--json", "-x" }, { json = true } },
    { "a single dash as positional", { "-" }, { "-" }, {} },
    { "options of the verb", { "-l", "h:1" }, {}, { listen = "h:1" } },
    { "a repeated option", { "--allow", "1", "--allow=2" }, {}, { allow = { "1", "2" } } },
    { "an empty value", { "--key=" }, {}, { key = "" } },
  }
  for _, case in ipairs(good) do
    local name, words, positional, opts = table.unpack(case)
    it("takes " .. name, function()
      assert.same({ positional = positional, opts = opts }, args.parse(words, listen))
    end)
  end

  local bad = {
    { "an unknown option and names the nearest", { "--jsno" }, "unknown option %-%-jsno; did you mean %-%-json%?" },
    { "an unknown option that is near to none", { "--frobnicate" }, "unknown option %-%-frobnicate$" },
    { "an unknown letter", { "-z" }, "unknown option %-z" },
    { "an option without its value", { "--config" }, "%-%-config needs a value: %-%-config CONFIG" },
    { "a letter without its value", { "-o" }, "%-o needs a value" },
    { "a flag with a value", { "--json=yes" }, "%-%-json takes no value" },
    { "a value given twice", { "-o", "a", "-o", "b" }, "%-%-out is given twice" },
    { "an unknown choice", { "--progress=fast" }, "%-%-progress must be one of auto, bar, plain, json, none" },
  }
  for _, case in ipairs(bad) do
    local name, words, text = table.unpack(case)
    it("refuses " .. name, function()
      local parsed, message, code = args.parse(words, listen)
      assert.is_nil(parsed)
      assert.matches(text, message)
      assert.equal("usage", code)
    end)
  end
end)
