-- A C application beside the real program, over libmoult: examples/c, built as its head says.

local world = require "spec.support.world"

describe("a C program with libmoult", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end
  local build = require("update.native.host").program:match("^(.*)/[^/]*$")
  if not io.open(build .. "/libmoult.so.0") then return pending("this build has no libmoult") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  -- Compile an example by what is in the build tree.
  local function compile(name, compiler)
    local sanitizer = os.getenv "MOULT_SANITIZED" and "-fsanitize=address,undefined" or ""
    assert(w:shell(("%s -Wall -Wextra -Werror %s -I%s/runtime/client %s/examples/c/%s.c -o %s " ..
      "-L%s -lmoult -Wl,-rpath,%s"):format(compiler or "cc", sanitizer, w.top, w.top, name, name, build, build)))
  end

  local function follow()
    w:shell("{ exec ./follow state/control >>follow.log 2>&1 </dev/null & } ; echo $! >follow.pid")
    w.running.follow = tonumber(w:read "follow.pid")
  end

  local function wait_line(text)
    w:wait(text, function() return (w:read "follow.log" or ""):find(text, 1, true) end)
  end

  before_each(function()
    w.top = io.popen "pwd":read "l"
    build = build:sub(1, 1) == "/" and build or w.top .. "/" .. build
    compile "follow"
  end)

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

  it("may be C++", function()
    w:write("plus.cpp", "#include <moult.h>\nint main() { moult *m = moult_open(\"x\"); moult_close(m); return 0; }\n")
    if not os.execute "command -v c++ >/dev/null" then return pending "no C++ compiler here" end
    assert(w:shell(("c++ -Wall -Wextra -Werror -pedantic -I%s/runtime/client -c plus.cpp -o plus.o"):format(w.top)))
  end)
end)
