local luat_log = require "update.script.luat_log"

describe("log", function()
  local lines, level, log

  before_each(function()
    lines, level = {}, nil
    log = luat_log.new(function(...) lines[#lines + 1] = table.concat({ ... }, " ") end, function() return level end)
  end)

  local function all()
    for _, name in ipairs { "trace", "debug", "info", "warn", "error", "fatal" } do log[name]("tag", name) end
    local letters = {}
    for i, line in ipairs(lines) do letters[i] = line:match("^%[(%u)%]%-%[tag%] %l+$") end
    return table.concat(letters)
  end

  it("writes level, tag and values, from info on", function()
    assert.equal("IWEF", all())
    assert.equal("[I]-[tag] info", lines[1])
  end)

  local cases = {
    { "LOGLEVEL_TRACE", "TDIWEF" }, { "LOGLEVEL_DEBUG", "DIWEF" }, { "LOGLEVEL_INFO", "IWEF" },
    { "LOGLEVEL_WARN", "WEF" }, { "LOGLEVEL_ERROR", "EF" }, { "LOGLEVEL_FATAL", "F" }, { "LOG_SILENT", "" },
  }
  for _, case in ipairs(cases) do
    it("heeds LOG_LEVEL = log." .. case[1], function()
      level = log[case[1]]
      assert.equal(case[2], all())
    end)
  end

  it("takes a level by name and by LuatOS's number", function()
    for wanted, letters in pairs { SILENT = "", debug = "DIWEF", ERROR = "EF", [0] = "", [1] = "DIWEF", [5] = "F" } do
      lines = {}
      log.setLevel(wanted)
      assert.equal(letters, all(), wanted)
    end
    log.setLevel "WARN"
    assert.equal(3, log.getLevel())
    for _, wrong in ipairs { "LOUD", 6, -1, 1.5, {} } do
      assert.error_matches(function() log.setLevel(wrong) end, "log.setLevel: no level")
    end
  end)

  it("says nothing once the trace is closed, and has no serial port for it", function()
    log.openTrace(false)
    assert.equal("", all())
    log.openTrace(true)
    assert.equal("IWEF", all())
    assert.error_matches(function() log.openTrace(true, 1, 115200) end, "no serial port here")
  end)
end)
