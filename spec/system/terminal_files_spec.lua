-- A terminal that is given the vendor's bare archives of files, with the real program: nginx is its plain web server,
-- and a folder its live tree.

local nginx = require "spec.support.nginx"
local world = require "spec.support.world"

describe("a terminal with a bare archive", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end
  if not nginx.program() then return pending("no nginx here") end

  local w, server

  local BODY = [[
    local terminal = require "update.terminal"
    local function note(...) print(table.concat({ VERSION, ... }, " ")) end
    terminal.app_RegisterUpdateStateHandle(function(state) note("state", state) end)
    local program <close> = assert(io.open(%q))
    assert(program:read "a" ~= "a bad one")
    sys.taskInit(function()
      while true do
        local file = io.open(%q)
        if file then
          local prover, path, port, kind = file:read("l", "l", "l", "n")
          file:close()
          os.remove(%q)
          note("answer", terminal.app_SendUpdateModuleUpdatedMsg_HB("cmnet", "user", "1234", "127.0.0.1", port, prover,
            path, kind))
        end
        sys.wait(50)
      end
    end)]]

  local function call(prover, path, port, kind)
    w:write("call.new", ("%s\n%s\n%d\n%d\n"):format(prover, path, port or server.port, kind or 1))
    w:shell "mv call.new call"
  end

  local function mit() return w:mit() end

  -- An archive as the vendor's tools make it: lines of update.ini and files by name.
  local function archive(name, lines, files)
    local folder = name:match "^[^.]+"
    w:shell(("rm -rf '%s'; mkdir -p '%s'"):format(folder, folder))
    for file, text in pairs(files) do w:write(folder .. "/" .. file, text) end
    local ini = {}
    for i, line in ipairs(lines) do
      ini[i] = ("%s\t%s/%s\t%d\t%d\r\n"):format(line[1], w:path "app", line[2], line[3], line[4])
    end
    w:write(folder .. "/update.ini", table.concat(ini))
    w:shell(("tar czf 'www/%s' './%s'"):format(name, folder))
  end

  local function configure(other, ini)
    w:configure(([[
      cloud = { kind = "terminal", mit_ini = %q },
      files = { roots = { "app" } },
      trust = { unsigned = { "%s/"%s } },
]]):format(ini or "mit.ini", server.url, other and (', "http://127.0.0.1:%d/"'):format(other) or ""))
  end

  before_each(function()
    w = world.new()
    w:shell "mkdir www"
    server = nginx.start(w.dir, w:path "www")
    w:write("mit.ini", "[System]\r\ngprsip=222.76.149.190\r\n[Update]\r\nproid=000000\r\nprover=080506\r\n"
      .. "downprover=\r\ndownfile=\r\nfile=\r\n")
    w:shell "mkdir -p app/Bin app/Resource/etc app/Resource/picture"
    w:write("app/Bin/MIT", "the old one")
    w:write("app/Resource/etc/set_db.dat", "old settings")
    configure()
    w:pack { sequence = 1, version = "1.0", body = BODY:format(w:path "app/Bin/MIT", w:path "call", w:path "call") }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
  end)
  after_each(function()
    server.stop()
    w:close()
  end)

  local LINES = { { "MIT", "Bin", 4, 4 }, { "window.gif", "Resource/picture", 1, 4 },
    { "set_db.dat", "Resource/etc", 2, 4 } }

  local function publish(version, text)
    archive(("UPDATE_%s.tar.gz"):format(version), LINES, { MIT = text or "the new one", ["window.gif"] = "GIF" })
  end

  it("puts the files in place, and tells success when they are confirmed", function()
    publish "080507"
    w:run()
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 1\n", 60)
    assert.same({ "the new one", "GIF" }, { w:read "app/Bin/MIT", w:read "app/Resource/picture/window.gif" })
    assert.is_nil(w:read "app/Resource/etc/set_db.dat")
    assert.same({ "080507", "", "" }, { mit().prover, mit().downprover, mit().downfile })
    assert.equal("1.0-F080507", w:status().release)
    assert.is_nil(w:read "state/bare.archive")
    local known = require("update.native.digest").sha256(w:read "www/UPDATE_080507.tar.gz"):sub(1, 14)
    assert.matches("confirmed    1.0%-F080507 %(unsigned " .. known .. "%)", (select(2, w:moult "history")))
    local text = select(2, w:moult "status")
    assert.matches("ok: confirmed; files: 1 replaced (Bin/MIT), 1 added (Resource/picture/window.gif), 1 deleted "
      .. "(Resource/etc/set_db.dat) (unsigned " .. known .. ")", text, 1, true)
    assert.matches("unsigned, unencrypted", text)
    -- The second time.
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 4\n")
    publish("080508", "the newest one")
    call("080508", "/UPDATE_080508.tar.gz", nil, 2)
    w:wait("the second", function() return #world.lines(w:read "device.log", "state 1\n") == 2 end, 60)
    assert.equal("the newest one", w:read "app/Bin/MIT")
    assert.equal("1.0-F080508", w:status().release)
  end)

  it("does not take one from a source that is not trusted", function()
    w:configure('cloud = { kind = "terminal", mit_ini = "mit.ini" }, files = { roots = { "app" } },')
    publish "080507"
    w:run()
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "nobody signed, and trust.unsigned has no entry for it.*1.0 state 4\n")
    assert.equal("the old one", w:read "app/Bin/MIT")
    assert.equal("", mit().downprover)
  end)

  it("forgets one that does not unpack, and keeps it pending", function()
    w:write("www/UPDATE_080507.tar.gz", "<html>no archive</html>")
    w:run()
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 2\n")
    assert.same({ "080506", "080507", "UPDATE_080507.tar.gz" }, { mit().prover, mit().downprover, mit().downfile })
    assert.is_nil(w:read "state/bare.archive")
    publish "080507"
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 1\n", 60)
    assert.equal("the new one", w:read "app/Bin/MIT")
  end)

  it("brings back the old files when the new ones fail, and does not take that archive again", function()
    publish("080507", "a bad one")
    w:run()
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 2\n", 60)
    assert.equal("the old one", w:read "app/Bin/MIT")
    assert.equal("old settings", w:read "app/Resource/etc/set_db.dat")
    assert.is_nil(w:read "app/Resource/picture/window.gif")
    assert.same({ "080506", "080507" }, { mit().prover, mit().downprover })
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "quarantine: this archive failed its trial on this device")
    -- Another archive of that version is another payload, and a signed package is above the floor as before.
    publish("080507", "a good one")
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "1.0 state 1\n", 60)
    assert.equal("a good one", w:read "app/Bin/MIT")
    assert.equal(0, w:status().floor.files)
  end)

  local function configure_folder()
    configure()
    local entry = ("unsigned = { %q,"):format("file://" .. w:path "usb/")
    w:write("config.lua", (w:read "config.lua":gsub("unsigned = {", entry)))
    w:shell "mkdir usb"
  end

  it("takes one from a technician, from a folder that the owner trusts", function()
    configure_folder()
    publish "080507"
    w:shell "cp www/UPDATE_080507.tar.gz usb/"
    local code, out, err = w:moult "explain usb/UPDATE_080507.tar.gz"
    assert.equal(0, code, err)
    assert.matches("^1.0%-F080507 %(unsigned: files 080507; %d+ bytes%)", out)
    assert.matches("files  put +%S+/app/Bin/MIT: configuration, 11 bytes\n.*files  delete +%S+/set_db.dat", out)
    assert.equal("the old one", w:read "app/Bin/MIT")
    assert.is_nil(w:read "state/bare.archive")
    local _
    code, _, err = w:moult "install www/UPDATE_080507.tar.gz"
    assert.equal(14, code, err)
    assert.matches("UPDATE_080507.tar.gz is an archive that nobody signed", err, 1, true)
    code, _, err = w:moult "install usb/UPDATE_080507.tar.gz"
    assert.equal(4, code, err)
    w:run()
    w:wait_status { phase = "idle", release = "1.0-F080507" }
    assert.equal("the new one", w:read "app/Bin/MIT")
    publish("080508", "the newest one")
    w:shell "cp www/UPDATE_080508.tar.gz usb/U.tar.gz"
    code, _, err = w:moult "install usb/U.tar.gz"
    assert.equal(2, code, err)
    code, _, err = w:moult "install usb/U.tar.gz --files-version 080508"
    assert.equal(4, code, err)
    w:wait_status { phase = "idle", release = "1.0-F080508" }
    assert.same({ "the newest one", "080508" }, { w:read "app/Bin/MIT", mit().prover })
    code, _, err = w:moult("install " .. server.url .. "/UPDATE_080507.tar.gz --dry-run")
    assert.equal(0, code, err)
  end)

  it("lets no package change mit.ini itself", function()
    w:shell "mv mit.ini app/mit.ini && ln -s app/mit.ini mit.ini"
    configure(nil, "app/mit.ini")
    archive("UPDATE_080507.tar.gz", { { "mit.ini", ".", 4, 4 } }, { ["mit.ini"] = "[Update]\r\nprover=9\r\n" })
    w:shell("sed -i 's,/\\.,,' UPDATE_080507/update.ini && tar czf www/UPDATE_080507.tar.gz ./UPDATE_080507")
    w:run()
    call("080507", "/UPDATE_080507.tar.gz")
    w:wait_log("device", "mit.ini is the mit_ini of the configuration, which no package may change.*1.0 state 2\n")
    assert.equal("080506", mit().prover)
  end)

  it("goes on with a part of it after the device was cut off", function()
    local text = world.core(1, 1 << 20).image
    publish("080507", text)
    local port = w:slow_link(300000, server.port)
    configure(port)
    w:run()
    call("080507", "/UPDATE_080507.tar.gz", port)
    w:wait("the transfer", function() return w:passed() > 500000 end)
    w:stop("device", "KILL")
    assert.same({ "080506", "080507" }, { mit().prover, mit().downprover })
    local have, before = #w:read "state/bare.archive", w:passed()
    w:run()
    w:wait_log("device", "1.0 state 2\n")
    call("080507", "/UPDATE_080507.tar.gz", port)
    w:wait_log("device", "the rest of 080507.*1.0 state 1\n", 60)
    local again, whole = w:passed() - before, #w:read "www/UPDATE_080507.tar.gz"
    assert(again < whole - have // 2, ("%d bytes after %d of %d were in place"):format(again, have, whole))
    assert.is_true(w:read "app/Bin/MIT" == text)
  end)
end)
