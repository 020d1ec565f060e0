-- A package with a part files meets a device that cannot put files in place: it
-- says so before it fetches anything.

local world = require "spec.support.world"

describe("files", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = world.new()
    w:shell "mkdir update"
    w:write("update/update.ini", "app\t/mnt/app\t4\t2\r\n")
    w:write("update/app", ("program "):rep(100000))
    w:device { numbers = { confirm_after = 1 } }
    w:pack { sequence = 2, version = "1.0.1", name = "depot/p2.upd",
      manifest = 'files = { dir = "../update", version = "080507", encoding = "raw" },' }
  end)
  after_each(function() w:close() end)

  local WORDS = "gate files: the package has a part files, this Moult knows no part files"

  it("are refused by a gate, and explained", function()
    local code, _, err = w:moult("install", w.url .. "/depot/p2.upd")
    assert.equal(11, code, err) -- no such package: the folder itself is served
    code, _, err = w:moult("install", w.url .. "/p2.upd")
    assert.equal(15, code, err)
    assert.truthy(err:find(WORDS, 1, true), err)
    assert.equal("idle", w:status().phase)
    code, _, err = w:moult "install depot/p2.upd"
    assert.equal(15, code, err)
    local out
    code, out = w:moult "explain depot/p2.upd"
    assert.equal(15, code)
    assert.matches("1.0.1 %(sequence 2: script 1.0.1, files 080507; %d+ bytes%)", out)
    assert.truthy(out:find("STOP  gate files        the package has a part files, this Moult knows no part files", 1,
      true), out)
    assert.truthy(out:find("no core in it, no slot needed", 1, true), out)
    code, _, err = w:moult "install p1.upd"
    assert.equal(3, code, err)
    assert.falsy(err:find("files", 1, true))
  end)

  it("are not fetched from a cloud, and leave the device as it is", function()
    w:run()
    w:wait_log("device", "this Moult knows no part files")
    local status = w:status()
    assert.equal("idle", status.phase)
    assert.equal("1.0.0", status.release)
    -- The head is fetched, the program of 800,000 bytes is not.
    for request in (w:read "depot.log"):gmatch "p2%.upd 20%d (%d+) bytes" do
      assert.is_true(tonumber(request) < 100000)
    end
    assert.falsy((w:read "device.log"):find("fetching", 1, true))
  end)

  it("are no factory's either", function()
    w:shell "rm -r state"
    w:configure()
    local code, _, err = w:moult "provision depot/p2.upd"
    assert.equal(15, code, err)
    assert.truthy(err:find("this Moult knows no part files", 1, true), err)
  end)
end)
