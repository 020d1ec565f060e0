-- A C application beside the real program, over libmoult: examples/c, built as its head says.

local c_program = require "spec.support.c_program"
local world = require "spec.support.world"

describe("a C program with libmoult", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end
  if not c_program.compile then return pending("this build has no libmoult") end

  local w

  before_each(function()
    w = world.new()
    c_program.compile(w, "follow")
  end)
  after_each(function() w:close() end)

  local function follow() c_program.start(w, "follow", "state/control") end

  local function wait_line(text)
    w:wait(text, function() return (w:read "follow.log" or ""):find(text, 1, true) end)
  end

  it("tells facts that policy decides by", function()
    w:device { config = "limits = { battery = 90 },", period = 3600 }
    w:run()
    follow()
    wait_line "connected"
    w:publish()
    local _, out = w:moult "check --json"
    local verdict = assert(require("update.native.json").decode(out))
    assert.same({ "defer", "battery" }, { verdict.decision.action, verdict.decision.reason })
  end)

  it("follows an update, confirms it, and comes back when the agent does", function()
    w:device { config = 'confirm = "script",' }
    w:run()
    follow()
    wait_line "runs 1.0.0, idle"
    w:publish()
    wait_line "well, so 1.0.1 may stay"
    w:wait_status { phase = "idle", release = "1.0.1" }
    w:stop("device", "KILL")
    wait_line "lost"
    w:write("follow.log", "")
    w:run()
    wait_line "runs 1.0.1, idle"
  end)

  it("may be C++, and of an old C", function()
    for language, compiler in pairs { cpp = "c++", c = "cc -std=c99" } do
      w:write("plus." .. language, "#include <moult.h>\n#include <moult/aliyun.h>\n#include <moult/terminal.h>\n" ..
        "int main(void) { struct moult *m = moult_open(\"x\"); moult_close(m); return IOT_OTA_IsFetching(NULL); }\n")
      if os.execute(("command -v %s >/dev/null"):format(compiler:match "^%S+")) then
        assert(w:shell(("%s -Wall -Wextra -Werror -pedantic %s -c plus.%s -o plus.o"):format(compiler,
          c_program.include, language)))
      end
    end
  end)
end)
