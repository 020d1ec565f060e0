-- The program of examples/c that was written against a terminal's DM layer, beside the real agent.

local nginx = require "spec.support.nginx"
local world = require "spec.support.world"

describe("a C program with the terminal's calls", function()
  if not world.new then return pending "needs the host: build/moult /usr/bin/busted" end
  local top = io.popen "pwd":read "l"
  local build = require("update.native.host").program:match "^(.*)/[^/]*$"
  build = build:sub(1, 1) == "/" and build or top .. "/" .. build
  if not io.open(build .. "/libmoult.so.0") then return pending "this build has no libmoult" end

  local w

  -- A file of this text, or of examples/c when there is none.
  local function compile(name, text)
    local source = text and w:write(name .. ".c", text) or ("%s/examples/c/%s.c"):format(top, name)
    local sanitizer = os.getenv "MOULT_SANITIZED" and "-fsanitize=address,undefined" or ""
    assert(w:shell(("cc -Wall -Wextra -Werror %s -I%s/runtime/client %s -o %s -L%s -lmoult -Wl,-rpath,%s"):format(
      sanitizer, top, source, name, build, build)))
  end

  local function start(name, words)
    w:shell(("rm -f %s.log; { MOULT_CONTROL=state/control exec ./%s %s >%s.log 2>&1 </dev/null & } ; "
      .. "echo $! >%s.pid"):format(name, name, words or "", name, name))
    w.running[name] = tonumber(w:read(name .. ".pid"))
  end

  local function calls(prover, path)
    start("terminal", ("127.0.0.1 %s %s %s"):format(w.url:match ":(%d+)$", prover, path))
  end

  local function over() w:wait_log("terminal", "the call is %a+", 60) end

  before_each(function()
    w = world.new()
    w:serve()
    w:write("mit.ini", "[Update]\r\nproid=000000\r\nprover=080506\r\ndownprover=\r\ndownfile=\r\nfile=\r\n")
    w:configure 'cloud = { kind = "terminal", mit_ini = "mit.ini" },'
    w:pack { sequence = 1, version = "080506", body = world.TICK }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
    compile "terminal"
  end)
  after_each(function() w:close() end)

  it("updates the device, and is told when the release is confirmed", function()
    w:publish { version = "080507", body = world.TICK }
    w:run()
    calls("080507", "/p2.upd")
    over()
    assert.equal("state 1: updated\nthe call is taken\n", (w:read("terminal.log"):gsub("[^\n]* bytes\n", "")))
    w:wait_status { release = "080507", phase = "idle" }
    assert.same({ "080507", "", "" }, { w:mit().prover, w:mit().downprover, w:mit().downfile })
    -- The second time there is nothing newer.
    calls("080507", "/p2.upd")
    over()
    assert.equal("state 4: not upgraded\nthe call is taken\n", w:read "terminal.log")
  end)

  it("sees how far the transfer is, by the file's name", function()
    w:publish { version = "080507", body = world.TICK, files = { ["data.bin"] = world.core(5, 1500000).image } }
    local port = w:slow_link(300000)
    w:run()
    start("terminal", ("127.0.0.1 %d 080507 /p2.upd"):format(port))
    over()
    local shown = world.lines(w:read "terminal.log", "p2%.upd: (%d+ of %d+) bytes\n")
    assert.is_true(#shown >= 2, w:read "terminal.log")
    assert.matches("state 1: updated", w:read "terminal.log")
  end)

  it("is told whether the update failed or did not begin", function()
    w:run()
    calls("080507", "/none.upd")
    over()
    assert.equal("state 2: failed\nthe call is taken\n", w:read "terminal.log")
    assert.same({ "080506", "080507", "none.upd" }, { w:mit().prover, w:mit().downprover, w:mit().downfile })
    calls("080505", "/p2.upd")
    over()
    assert.equal("state 4: not upgraded\nthe call is taken\n", w:read "terminal.log")
  end)

  it("is refused without an agent, and with invalid arguments", function()
    calls("080507", "/p2.upd")
    over()
    assert.equal("the call is refused\n", w:read "terminal.log")
    w:run()
    calls("080507", "''")
    over()
    assert.equal("the call is refused\n", w:read "terminal.log")
  end)

  it("that dies before its state is told of it when it starts again", function()
    w:publish { version = "080507", body = world.TICK }
    w:run()
    local port = w:slow_link(2000)
    start("terminal", ("127.0.0.1 %d 080507 /p2.upd"):format(port))
    w:wait_status { phase = "fetching" }
    w:stop("terminal", "KILL")
    -- One call at a time, whoever made it; the twin has states of its own.
    calls("080507", "/p2.upd")
    over()
    assert.equal("the call is refused\n", w:read "terminal.log")
    assert(w:moult "rollback -q" == 0)
    w:wait("the state", function()
      return (w:read "state/terminal"):find '"app":%s*4'
    end)
    calls("080505", "/p2.upd")
    over()
    assert.equal("state 4: not upgraded\nstate 4: not upgraded\nthe call is taken\n", w:read "terminal.log")
  end)

  it("updates the device with a bare archive from a trusted source", function()
    if not nginx.program() then return pending("no nginx here") end
    w:shell "mkdir -p www app UPDATE_080507 && echo old >app/MIT && echo new >UPDATE_080507/MIT"
    w:write("UPDATE_080507/update.ini", ("MIT\t%s\t4\t4\r\n"):format(w:path "app"))
    w:shell "tar czf www/UPDATE_080507.tar.gz ./UPDATE_080507"
    local server = nginx.start(w.dir, w:path "www")
    finally(server.stop)
    w:configure(([[cloud = { kind = "terminal", mit_ini = "mit.ini" }, files = { roots = { "app" } },
      trust = { unsigned = { "%s/" } },]]):format(server.url))
    w:run()
    start("terminal", ("127.0.0.1 %d 080507 /UPDATE_080507.tar.gz"):format(server.port))
    over()
    assert.equal("state 1: updated\nthe call is taken\n", (w:read("terminal.log"):gsub("[^\n]* bytes\n", "")))
    assert.equal("new\n", w:read "app/MIT")
    assert.same({ "080507", "", "" }, { w:mit().prover, w:mit().downprover, w:mit().downfile })
  end)

  -- What is wrong before the agent is asked, handlers that are none, and calls from inside of a handler.
  local CORNERS = [[
#include <moult/terminal.h>
#include <stdio.h>
#include <string.h>
static unsigned char a[] = "1", host[] = "127.0.0.1", old[] = "080505";
static int inside;
static void state(unsigned char s)
{
    inside = dm_mdma_SendUpdateModuleUpdatedMsg_HB(a, a, a, host, a, old, a, 1);
    printf("state %d\n", s);
}
int main(void)
{
    if (dm_mdma_RegisterUpdateStateHandle(NULL) != -1 || dm_mdma_RegisterDownLoadStepHandle(NULL) != -1)
        return 1;
    if (dm_mdma_RegisterUpdateStateHandle(state) != 0)
        return 2;
    if (dm_mdma_SendUpdateModuleUpdatedMsg_HB(NULL, a, a, host, a, old, a, 1) != -1 ||
        dm_mdma_SendUpdateModuleUpdatedMsg_HB(a, a, a, host, a, old, (unsigned char *)"", 1) != -1 ||
        dm_mdma_SendUpdateModuleUpdatedMsg_HB(a, a, a, host, a, old, (unsigned char *)"\377", 1) != -1)
        return 3;
    if (dm_mdma_SendUpdateModuleUpdatedMsg_HB(a, a, a, host, a, old, a, 3) != 0)
        return 6;
    if (dm_mdma_SendUpdateModuleUpdatedMsg_HB(a, a, a, host, a, old, a, 4) != 0 || inside != -1)
        return 4;
    if (dm_mdma_UnRegisterUpdateStateHandle() != 0 || dm_mdma_UnRegisterDownLoadStepHandle() != 0)
        return 5;
    return puts("fine") < 0;
}
]]

  it("has each corner as the header says", function()
    compile("corners", CORNERS)
    w:run()
    start "corners"
    w:wait_log("corners", "fine")
    assert.equal("state 4\nstate 4\nfine\n", w:read "corners.log")
  end)

  it("may be C++, and of an old C", function()
    for language, compiler in pairs { cpp = "c++", c = "cc -std=c99" } do
      w:write("plus." .. language, "#include <moult/terminal.h>\n"
        .. "int main(void) { return dm_app_UnRegisterUpdateStateHandle(); }\n")
      if os.execute(("command -v %s >/dev/null"):format(compiler:match "^%S+")) then
        assert(w:shell(("%s -Wall -Wextra -Werror -pedantic -I%s/runtime/client -c plus.%s -o plus.o"):format(compiler,
          top, language)))
      end
    end
  end)
end)
