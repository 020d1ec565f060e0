-- The parts of the data logger that have no effects, as its author would test them.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") .. "/app/?.lua;"

describe("meter", function()
  local series, sensor, store

  setup(function()
    package.path = here .. package.path
    series, sensor, store = require "meter.series", require "meter.sensor", require "meter.store"
  end)

  teardown(function()
    package.path = package.path:sub(#here + 1)
  end)

  it("keeps the last readings and forgets older ones", function()
    local recent = series.new({ "load" }, 3)
    for _, value in ipairs { 100, 1, 2, 3 } do
      recent:add { load = value }
    end
    assert.same({ 1, 2, 3 }, { recent:range("load") })
  end)

  it("says so when a column has no reading", function()
    local recent = series.new({ "load", "memory" }, 3)
    recent:add { load = 1 }
    assert.is_nil(recent:range("memory"))
    assert.equal("load 1..1, mean 1.00; memory unknown", recent:summary())
  end)

  it("raises on a column that no sensor has", function()
    assert.has_error(function() sensor.reader { "humidity" } end)
  end)

  it("reads this machine", function()
    local reading = sensor.reader { "load", "memory", "uptime" } ()
    assert.is_true(reading.load >= 0 and reading.memory > 0 and reading.uptime > 0)
  end)

  it("turns the file over when it is full", function()
    local path = os.tmpname()
    local log = assert(store.open(path, { "load" }, 60))
    for second = 1, 4 do
      assert.is_true(log:append(second, "1.0.0", { load = 0.5 }))
    end
    local old, new = assert(io.open(path .. ".old")), assert(io.open(path))
    local all = {}
    for line in (old:read("a") .. new:read("a")):gmatch("[^\n]+") do
      all[#all + 1] = line
    end
    assert.same({ "1,1.0.0,load=0.5", "2,1.0.0,load=0.5", "3,1.0.0,load=0.5", "4,1.0.0,load=0.5" }, all)
    old:close()
    new:close()
    os.remove(path)
    os.remove(path .. ".old")
  end)
end)
