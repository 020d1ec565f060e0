local absent = require "update.script.luat_absent"
local luat_device = require "update.script.luat_device"

describe("luat_device", function()
  local who, restarted, device

  before_each(function()
    who = { id = "866714040000001", hardware = "rev-a", core = { name = "Luat_RDA8910", version = 22 } }
    restarted = {}
    device = luat_device.new {
      identity = function() return who end, restart = function(why) restarted[#restarted + 1] = why end,
      memory = function(kind) return 1000, kind == "sys" and 400 or 30 end,
      date = function() return { year = 2026, wday = 1 } end,
    }
  end)

  it("names the core as Luat does", function()
    assert.equal("Luat_V0022_RDA8910", device.rtos.get_version())
    assert.equal("Luat_V0022_RDA8910", device.rtos.firmware())
    assert.equal("V0022", device.rtos.version())
    assert.equal("rev-a", device.rtos.bsp())
    who.core = { name = "linux", version = 7 }
    assert.equal("linux_V0007", device.rtos.get_version())
  end)

  it("answers with texts for a device without a core, and without an agent", function()
    who.core = nil
    assert.equal("Linux_V0000", device.misc.getVersion())
    assert.equal("rev-a", device.rtos.bsp())
    who = nil
    assert.same({ "Linux_V0000", "V0000", "Linux", "", "" }, { device.rtos.get_version(), device.rtos.version(),
      device.rtos.bsp(), device.misc.getImei(), device.mobile.imei() })
  end)

  it("tells id, time and memory", function()
    assert.same({ who.id, who.id, who.id },
      { device.misc.getImei(), device.misc.getSn(), device.mobile.imei() })
    assert.same({ 2026, 7 }, { device.misc.getClock().year, device.misc.getWeek() })
    assert.same({ 1000, 30, 30 }, { device.rtos.meminfo() })
    assert.same({ 1000, 400, 400 }, { device.rtos.meminfo "sys" })
  end)

  it("restarts the script by either name", function()
    device.rtos.reboot()
    device.rtos.restart()
    assert.same({ "rtos.reboot", "rtos.restart" }, restarted)
  end)

  it("names functions that it does not have, and where to look", function()
    for module, name in pairs { rtos = "poweron_reason", misc = "getVbatt", mobile = "iccid" } do
      assert.error_matches(device[module][name],
        ("Luat's %s.%s is not here: .*Scripts written for Luat.*lua/README.md"):format(module, name))
    end
  end)
end)

describe("luat_absent", function()
  it("explains an error about a module of Luat's, and no other", function()
    local message = "main.lua:3: attempt to index a nil value (global 'gpio')\nstack traceback:\n\tmain.lua:3"
    local text = absent.explain(message)
    assert.matches("^main.lua:3: attempt to index a nil value %(global 'gpio'%); Luat's gpio is not here: ", text)
    assert.matches("\nstack traceback:", text, 1, true)
    for _, other in ipairs { "nil value (global 'mine')", "nil value (local 'gpio')", "boom" } do
      assert.equal(other, absent.explain(other))
    end
  end)

  it("explains a require of one, and no other", function()
    assert.matches("^Luat's module 'netLed' is not here: ", absent.searcher "netLed")
    assert.is_nil(absent.searcher "mine")
  end)

  it("leaves functions alone that are here", function()
    local mine = function() end
    local module = absent.complete({ powerOn = mine }, "sys")
    assert.equal(mine, module.powerOn)
    assert.error_matches(module.timer_start, "Luat's sys.timer_start is not here")
  end)
end)
