-- A data logger: reads what the system tells about itself, keeps the last
-- readings in memory and appends each to a file that cannot grow without end.

PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"

local sys = require "sys"
local update = require "update"
local sensor = require "meter.sensor"
local series = require "meter.series"
local settings = require "meter.settings"
local store = require "meter.store"

local folder = os.getenv("METER_DATA") or "data"
local read = sensor.reader(settings.columns)
local log = assert(store.open(folder .. "/readings.csv", settings.columns, settings.keep_bytes))
local recent = series.new(settings.columns, settings.window)

sys.taskInit(function()
  while true do
    local reading = read()
    recent:add(reading)
    assert(log:append(os.time(), VERSION, reading))
    sys.wait(settings.interval * 1000)
  end
end)

-- Readings of the last minutes, for whoever looks at the device's log.
sys.timerLoopStart(function()
  print(recent:summary())
end, 60000)

update.on("state", function(phase)
  print("update: " .. phase)
end)

-- A hotfix may bring another sensor: it takes over between two readings.
update.on("hotfix", function()
  local new = update.reload "meter.sensor"
  read = new and new.reader(settings.columns) or read
  return new ~= nil
end)

sys.run()
