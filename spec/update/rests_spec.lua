-- What failed too often in a row rests, and goes on resting after a start.

local rests = require "update.engine.rests"
local storage = require "update.native.storage"

describe("rests", function()
  local path, clock, said

  before_each(function()
    path, clock, said = os.tmpname(), 0, {}
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".new")
  end)

  local function start(other)
    return rests.new(function() return clock end,
      { path = other or path, storage = storage, log = function(line) said[#said + 1] = line end })
  end

  local function fail(r, key, times)
    for _ = 1, times do r:failed(key) end
  end

  it("are counted over starts", function()
    fail(start(), "one", 2)
    local r = start()
    assert.is_nil(r:rest("one"))
    assert.same({ 3, 3600 }, { r:failed("one") })
    assert.equal(3600, r:rest("one"))
  end)

  it("begin with the shortest after a start, and go on with the longer", function()
    fail(start(), "one", 5)
    local r = start()
    assert.equal(3600, r:rest("one"))
    assert.is_nil(r:rest("two"))
    clock = 3600
    assert.is_nil(r:rest("one"))
    assert.same({ 6, 8 * 3600 }, { r:failed("one") })
  end)

  it("are over when something went well, also after a start", function()
    local r = start()
    fail(r, "one", 4)
    r:passed()
    assert.is_nil(start():rest("one"))
  end)

  it("write nothing before something failed", function()
    start():passed()
    assert.is_nil(io.open(path))
  end)

  it("do without a file that cannot be read, or written", function()
    local file <close> = assert(io.open(path, "w"))
    file:write("one three\n")
    file:flush()
    assert.is_nil(start():rest("one"))
    local r = start("/nonexistent/unkept")
    fail(r, "one", 3)
    assert.equal(3600, r:rest("one"))
    assert.matches("/nonexistent/unkept: .*; the pause after failures is not recorded", said[3])
  end)
end)
