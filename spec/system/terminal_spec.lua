-- A terminal whose application calls for updates, with the real program: the depot is its plain web server.

local brokers = require "spec.support.broker"
local nginx = require "spec.support.nginx"
local world = require "spec.support.world"

describe("a terminal", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  -- The application: it calls when it is told to, says what it hears, and notes it.
  local BODY = [[
    local terminal = require "update.terminal"
    local function note(...) print(table.concat({ VERSION, ... }, " ")) end
    if not io.open(%q) then
      terminal.app_RegisterUpdateStateHandle(function(state) note("state", state) end)
    end
    terminal.app_RegisterDownLoadStepHandle(function(file, total, step)
      note("step", file, step <= total and "of" or "over", "total")
    end)
    sys.taskInit(function()
      while true do
        local file = io.open(%q)
        if file then
          local prover, path, port = file:read("l", "l", "l")
          file:close()
          os.remove(%q)
          note("answer", terminal.app_SendUpdateModuleUpdatedMsg_HB("cmnet", "user", "1234", "127.0.0.1", port, prover,
            path, 1))
        end
        sys.wait(50)
      end
    end)]]

  local VENDOR = "[System]\r\ngprsip=222.76.149.190\r\n[Update]\r\nproid=000000\r\nprover=080506\r\ndownprover=\r\n"
    .. "downfile=\r\nfile=\r\n"

  local function body() return BODY:format(w:path "deaf", w:path "call", w:path "call") end

  local function call(prover, path, port)
    w:write("call.new", ("%s\n%s\n%s\n"):format(prover, path, port or w.url:match ":(%d+)$"))
    w:shell "mv call.new call"
  end

  local function configure(more)
    w:configure(('cloud = { kind = "terminal", mit_ini = "mit.ini", %s },'):format(more or ""))
  end

  before_each(function()
    w = world.new()
    w:serve()
    w:write("mit.ini", VENDOR)
    configure()
    w:pack { sequence = 1, version = "080506", body = body() }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
  end)
  after_each(function() w:close() end)

  local function publish(o)
    o = o or {}
    o.version, o.body = o.version or "080507", (o.body or "") .. body()
    return w:publish(o)
  end

  it("is called, installs, and tells success when the release is confirmed", function()
    publish()
    w:run()
    call("080507", "/p2.upd")
    w:wait_log("device", "080507 state 1\n")
    assert.same({ "080507", "", "", "000000" }, { w:mit().prover, w:mit().downprover, w:mit().downfile, w:mit().proid })
    assert.matches("^%[System%]\r\ngprsip=222.76.149.190\r\n", w:read "mit.ini")
    assert.equal(1, #world.lines(w:read "device.log", "state 1\n"))
    -- A second time, and from a device that starts anew: nothing is told twice.
    w:stop "device"
    w:run()
    w:wait_log("device", "080507 .*080507")
    call("080507", "/p2.upd")
    w:wait_log("device", "080507 state 4\n")
    assert.equal(1, #world.lines(w:read "device.log", "state 1\n"))
  end)

  it("is told whether the update did not begin or failed", function()
    w:run()
    call("080505", "/p2.upd")
    w:wait_log("device", "terminal: the call was accepted: 080505 is lower than 080506")
    w:wait_log("device", "080506 state 4\n")
    call("080507", "/p2.upd", "0")
    w:wait_log("device", "127.0.0.1:0 is no address.*080506 state 4\n")
    assert.equal("", w:mit().downprover)
    call("080507", "/none.upd")
    w:wait_log("device", "080506 state 2\n")
    assert.same({ "080506", "080507", "none.upd" }, { w:mit().prover, w:mit().downprover, w:mit().downfile })
  end)

  it("takes only the release that was called for", function()
    publish { version = "080508" }
    w:run()
    call("080507", "/p2.upd")
    w:wait_log("device", "is release 080508, but the cloud announced 080507")
    w:wait_log("device", "080506 state 2\n")
    assert.equal("080506", w:status().release)
  end)

  it("shows in doctor what is pending", function()
    assert.matches("cloud terminal is called by the application; nothing is pending", (select(2, w:moult "doctor")))
    w:write("mit.ini", (VENDOR:gsub("downprover=", "downprover=080507")))
    assert.matches("080507 is pending", (select(2, w:moult "doctor")))
    w:write("mit.ini", "\0")
    assert.matches("fail  cloud terminal .*a NUL byte", (select(2, w:moult "doctor")))
  end)

  it("shows in doctor and status which sources need no signature", function()
    w:configure('trust = { unsigned = { "http://10.1.2.3:8083/fw/" } },')
    assert.matches("warn  trust      http://10.1.2.3:8083/fw/: unsigned, unencrypted", (select(2, w:moult "doctor")))
    assert.matches("trusted      http://10.1.2.3:8083/fw/: unsigned, unencrypted", (select(2, w:moult "status")))
  end)

  it("keeps a state until somebody takes it", function()
    w:write("deaf", "")
    w:write("state/terminal", '{"owed":{},"job":{"twin":7}}') -- of somebody else
    w:run()
    w:wait_log("device", "state/terminal: .*starting anew")
    call("080507", "/none.upd")
    w:wait_log("device", "080506 answer 0\n")
    w:stop("device", "KILL")
    w:shell "rm deaf"
    w:run()
    w:wait_log("device", "080506 state 2\n")
  end)

  -- A link that is a file, and what was done to it.
  local function carrier()
    local function command(text) return ('{ "sh", "-c", %q }'):format(("cd %s && %s"):format(w.dir, text)) end
    configure(("carrier = { up = %s, down = %s, is_up = %s },"):format(command "echo up >>link.log && touch link",
      command "echo down >>link.log && rm -f link", command "test -e link"))
  end

  it("has the carrier up for the transfer alone", function()
    carrier()
    publish()
    w:run()
    call("080507", "/p2.upd")
    w:wait_log("device", "080507 state 1\n")
    assert.equal("up\ndown\n", w:read "link.log")
  end)

  it("does not use a carrier that others brought up, or that does not come up", function()
    carrier()
    w:write("link", "")
    w:run()
    call("080507", "/p2.upd")
    w:wait_log("device", "others have brought the carrier up.*080506 state 4\n")
    assert.is_string(w:read "link")
    w:shell "rm link; mkdir link.log 2>/dev/null || { rm link.log; mkdir link.log; }"
    call("080507", "/p2.upd")
    w:wait_log("device", "carrier: up ended with .*080506 state 4\n")
    assert.equal("", w:mit().downprover)
  end)

  it("brings down the carrier that a killed agent had brought up", function()
    carrier()
    publish { core = nil, files = { ["big.bin"] = world.core(1, 1 << 20).image } }
    local port = w:slow_link(400000)
    w:run()
    call("080507", "/p2.upd", port)
    w:wait("the transfer", function() return w:passed() > 600000 end)
    w:stop("device", "KILL")
    assert.is_string(w:read "link")
    w:run()
    w:wait("the link to go down", function() return not w:read "link" end)
    w:wait_log("device", "080506 state 2\n")
    assert.same({ "080506", "080507", "p2.upd" }, { w:mit().prover, w:mit().downprover, w:mit().downfile })
    -- The rest of it, without what came before.
    local before = w:passed()
    call("080507", "/p2.upd", port)
    w:wait_log("device", "the rest of 080507")
    w:wait_log("device", "080507 state 1\n", 60)
    assert.is_true(w:passed() - before < #w:read "depot/p2.upd" - 250000)
    assert.equal("up\ndown\nup\ndown\n", w:read "link.log")
  end)

  it("tells failure of a release that falls back, and keeps it pending", function()
    publish { body = 'error "it does not work"\n' }
    w:run()
    call("080507", "/p2.upd")
    w:wait_log("device", "080506 state 2\n", 40)
    assert.same({ "080506", "080507" }, { w:mit().prover, w:mit().downprover })
  end)
end)

describe("the example of a terminal", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end
  if not nginx.program() then return pending("no nginx here") end

  it("is updated from nginx by one command", function()
    local program = require("update.native.host").program
    local run = assert(io.popen(("examples/terminal/run '%s' %d 2>&1"):format(program, brokers.free_port())))
    local text = run:read "a"
    assert(run:close(), text)
    assert.matches("terminal: at work\n.*terminal: updated\nMIT 080507\nsettings of 080507\n"
      .. "prover=080507\ndownprover=\n$", text)
  end)
end)
