-- Whole scripts of both of Luat's generations, as their authors write them: each
-- starts on a real device, asks a depot, and is replaced by its next release.

local world = require "spec.support.world"

if not world.new then
  pending("needs the host")
  return
end

local HEAD = 'PROJECT = "METER"\nVERSION = "1.0.0"\nPRODUCT_KEY = "k-123"\n'

-- Started; asked once, and there was nothing; the next release is there, and comes. With `last`
-- as its sequence, so do further ones.
local function becomes_the_next(w, files, last)
  local port = w:serve():match(":(%d+)$")
  files["main.lua"] = HEAD .. files["main.lua"]:gsub("DEPOT", port)
  w:device { files = files, period = 3600 }
  w:run()
  w:wait_log("device", "first question")
  w:wait_log("depot", "firmware_upgrade.*firmware_upgrade") -- the agent's own, and the script's
  for sequence = 2, last or 2 do
    local version = ("1.0.%d"):format(sequence - 1)
    files["main.lua"] = files["main.lua"]:gsub('VERSION = "[%d.]+"', ("VERSION = %q"):format(version))
    w:publish { files = files, version = version, sequence = sequence }
    w:wait_status({ release = version, phase = "idle" }, 40)
    w:wait_log("device", "version " .. version:gsub("%.", "%%."), 40)
  end
end

describe("a script of the older generation", function()
  local w

  before_each(function() w = world.new() end)
  after_each(function()
    w:close()
    collectgarbage()
  end)

  it("asks from a file of its own, again and again, and is restarted without a callback", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
require "log"
LOG_LEVEL = log.LOGLEVEL_TRACE
require "sys"
require "upgrade"
sys.init(0, 0)
sys.run()
]],
      ["upgrade.lua"] = [[
module(..., package.seeall)
require "update"
log.trace("upgrade", "first question")
update.request(nil, nil, 500)
sys.timerLoopStart(log.info, 200, "upgrade", "version " .. _G.VERSION)
]],
    }, 4)
  end)

  it("restarts itself after any answer, even before its release is confirmed", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
require "sys"
require "log"
require "daily"
log.info("main", "version " .. VERSION)
sys.init(0, 0)
sys.run()
]],
      ["daily.lua"] = [[
module(..., package.seeall)
require "update"
local function answered(good) sys.restart("daily: " .. tostring(good)) end
log.info("daily", "first question")
update.request(answered)
sys.timerStart(sys.restart, 600000, "daily: no answer")
]],
    })
    assert.is_nil(w:read("device.log"):find("rolled back", 1, true))
  end)

  it("waits for the network, names its core, and asks a server of its own", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
require "update"
require "misc"
require "log"
LOG_LEVEL = log.LOGLEVEL_INFO
local function answered(good)
  log.info("main", "good", good)
  if good then sys.restart("upgrade") end
end
sys.taskInit(function()
  assert(sys.waitUntil("IP_READY_IND", 60000))
  log.info("main", rtos.get_version(), misc.getImei(), "version " .. VERSION)
  log.warn("main", "first question")
  update.request(answered, "http://127.0.0.1:DEPOT/api/site/firmware_upgrade", 500)
end)
sys.init(0, 0)
sys.run()
]],
    })
    w:wait_log("device", "Luat_V0017_RDA8910\t866714040000001\tversion 1%.0%.1")
  end)
end)

describe("a script of LuatOS", function()
  local w

  before_each(function() w = world.new() end)
  after_each(function()
    w:close()
    collectgarbage()
  end)

  it("asks by libfota at its start and by a timer, and reboots when there was something", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
log.info("main", PROJECT, "version " .. VERSION)
_G.sys = require "sys"
local libnet_is_here = pcall(require, "libnet")
libfota = require "libfota"
local function outcome(number)
  log.info("fota", "outcome", number, libnet_is_here)
  if number == 0 then rtos.reboot() end
end
log.info("fota", "first question")
libfota.request(outcome)
sys.timerLoopStart(libfota.request, 500, outcome)
sys.run()
]],
    }, 3)
    w:wait_log("device", "outcome\t4\tfalse")
    w:wait_log("device", "outcome\t0\tfalse")
  end)

  it("joins any network, and asks by libfota2 with options", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
sys = require "sys"
libfota2 = require "libfota2"
sys.taskInit(function()
  if wlan and wlan.connect then
    wlan.connect("net", "password")
  elseif mobile then
    log.info("net", "imei", mobile.imei())
  else
    while true do sys.wait(1000) log.warn("net", "unknown board", rtos.bsp()) end
  end
  sys.waitUntil("IP_READY")
  sys.publish("joined")
end)
sys.taskInit(function()
  while 1 do sys.wait(300) log.info("main", "version " .. VERSION, rtos.version(), rtos.meminfo("sys")) end
end)
local function outcome(number) if number == 0 then rtos.reboot() end end
local options = { url = "http://127.0.0.1:DEPOT/api/site/firmware_upgrade?", timeout = 30000 }
sys.taskInit(function()
  sys.waitUntil("joined")
  sys.wait(50)
  log.info("fota", "first question")
  libfota2.request(outcome, options)
end)
sys.timerLoopStart(libfota2.request, 500, outcome, options)
sys.run()
]],
    })
    w:wait_log("device", "timeout is ignored")
  end)

  it("is told a link by a message, and reports how it went before it reboots", function()
    becomes_the_next(w, {
      ["main.lua"] = [[
sys = require "sys"
require "sysplus"
local libfota2 = require "libfota2"
local TASK = "upgrade"
local function report(state, number)
  log.info("report", state, number)
end
local function outcome(number)
  report(number == 0 and "success" or "fail", number)
  sys.wait(20)
  sys.sendMsg(TASK, "over", number)
end
sys.taskInitEx(function()
  while true do
    local order = sys.waitMsg(TASK, "order")
    report("downloading")
    libfota2.request(outcome, { url = "###" .. order[2] })
    local over = sys.waitMsg(TASK, "over", 20000)
    if over and over[2] == 0 then rtos.reboot() end
  end
end, TASK, function(other) log.warn(TASK, "not now", other[1]) end)
-- In the place of the broker from which orders come.
sys.taskInit(function()
  log.info("main", "version " .. VERSION, "first question")
  while true do
    sys.cleanMsg(TASK)
    sys.sendMsg(TASK, "order", "http://127.0.0.1:DEPOT/api/site/firmware_upgrade?imei=1&project_key=k-123" ..
      "&firmware_name=METER_Luat_RDA8910&core_version=17&dfota=1&version=" .. VERSION)
    if sys.waitUntilExt("never", 700) then break end
  end
end)
sys.run()
]],
    })
    w:wait_log("device", "fail\t4")
    w:wait_log("device", "success\t0")
  end)
end)
