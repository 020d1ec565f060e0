-- Bytes of the day: counted, kept over starts, begun anew at midnight UTC.

local spending = require "update.agent.spending"
local storage = require "update.native.storage"

local MIB = 1024 * 1024
local NOON = 20000 * 86400 + 43200

describe("spending", function()
  local path, clock, said, is_set

  before_each(function()
    path, clock, said, is_set = os.tmpname(), NOON, {}, true
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".new")
  end)

  local function start(other)
    return spending.new { path = other or path, storage = storage, now = function() return clock end,
      is_set = function() return is_set end, log = function(line) said[#said + 1] = line end }
  end

  local function written()
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("a")
    file:close()
    return text
  end

  it("begins with nothing, and writes nothing for nothing", function()
    local s = start()
    s:add(0)
    assert.equal(0, s:today())
    assert.is_nil(written())
  end)

  it("is kept over a start", function()
    start():add(1000)
    assert.equal("20000 1000\n", written())
    local again = start()
    assert.equal(1000, again:today())
    again:add(24)
    assert.equal(1024, start():today())
  end)

  it("writes within a transfer once a mebibyte only", function()
    local s = start()
    s:add(MIB - 1, true)
    assert.is_nil(written())
    s:add(1, true)
    assert.equal(("20000 %d\n"):format(MIB), written())
    s:add(5, true)
    assert.equal(("20000 %d\n"):format(MIB), written())
    s:add(0)
    assert.equal(("20000 %d\n"):format(MIB + 5), written())
    assert.equal(MIB + 5, s:today())
  end)

  it("begins anew with the day, running or started", function()
    local s = start()
    s:add(1000)
    clock = NOON + 43199
    assert.equal(1000, s:today())
    clock = NOON + 43200
    assert.equal(0, s:today())
    assert.equal(0, start():today())
    s:add(7)
    assert.equal("20001 7\n", written())
  end)

  it("is kept over a start with a clock that was not set, and until the day is over", function()
    start():add(1000)
    clock, is_set = 300, false
    local s = start()
    assert.equal(1000, s:today())
    s:add(24)
    assert.equal("20000 1024\n", written())
    clock, is_set = NOON + 600, true
    assert.equal(1024, s:today())
    assert.equal(1024, start():today())
    clock = NOON + 43200
    assert.equal(0, s:today())
  end)

  it("counts bytes that were spent before the clock was set for the first known day", function()
    clock, is_set = 300, false
    local s = start()
    s:add(1000)
    assert.equal("0 1000\n", written())
    clock, is_set = NOON, true
    assert.equal(1000, s:today())
    assert.equal(1000, start():today())
  end)

  it("begins anew after a day of running if the clock is never set", function()
    clock, is_set = 86399, false
    local s = start()
    s:add(1000)
    assert.equal(1000, s:today())
    clock = 86400
    assert.equal(0, s:today())
  end)

  it("believes a clock that was ahead and is put right", function()
    clock = NOON + 10 * 86400
    start():add(1000)
    clock = NOON
    assert.equal(0, start():today())
  end)

  for name, text in pairs { ["was torn"] = "20000 10", ["is of another kind"] = "spent: 5\n", ["is empty"] = "",
    ["has a number that is none"] = "20000 99999999999999999999\n" } do
    it("begins with nothing when the file " .. name, function()
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      assert.equal(0, start():today())
    end)
  end

  it("counts on when it cannot be kept, and says so", function()
    local s = start("/nowhere/at/all")
    s:add(5)
    assert.equal(5, s:today())
    assert.matches("/nowhere/at/all: .*today's data usage is not recorded", said[1])
  end)
end)
