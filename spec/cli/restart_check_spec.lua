local check = require "cli.restart_check"

describe("the command that restarts the device", function()
  local function only(name)
    return function(asked) return asked == name end
  end

  local cases = {
    { "is not asked for without a core",  { restart = { "reboot" } },                  nil,    nil },
    { "warns of a slip without a core",   { restart = { "rebot" } },                   "warn", "rebot: no such" },
    { "is nobody's of ours with exit",    { core = {}, restart = "exit" },             "ok",   "when it exits with 4" },
    { "is ours when none is named",       { core = {} },                               "ok",   "starts over" },
    { "is there",                         { core = {}, restart = { "reboot", "-f" } }, "ok",   "reboot -f" },
    { "is said when it is not there",     { core = {}, restart = { "/sbin/rebot" } },  "fail", "rebot: no such" },
  }
  for _, case in ipairs(cases) do
    local name, config, level, text = table.unpack(case, 1, 4)
    it(name, function()
      local got, said = check.judge(config, only "reboot")
      assert.equal(level, got)
      if text then assert.matches(text, said, 1, true) end
    end)
  end

  it("is looked for by path, or in PATH", function()
    assert.is_true(check.exists "sh")
    assert.is_true(check.exists "/bin/sh")
    assert.is_false(check.exists "/bin")
    assert.is_false(check.exists "/etc/passwd")
    assert.is_false(check.exists "no such'program")
    assert.is_false(check.exists "/no/such'program")
  end)
end)
