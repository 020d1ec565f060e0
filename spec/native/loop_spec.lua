local channel = require "update.native.channel"
local loop = require "update.native.loop"

describe("loop", function()
  local path, listener, here, there, l

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    l = assert(loop.new())
    listener = assert(channel.listen(path))
    here = assert(channel.connect(path))
    there = assert(listener:accept())
  end)

  after_each(function()
    here:close()
    there:close()
    listener:close()
    l:close()
    collectgarbage()
  end)

  it("tells which of its descriptors can be read, and which written", function()
    local watches = {
      { fd = here:fd(), read = true },
      { fd = there:fd(), read = true },
      { fd = there:fd(), write = true },
    }
    assert(here:send "x")
    assert.is_true(l:poll(1000, watches))
    assert.is_false(watches[1].ready)
    assert.is_true(watches[2].ready)
    assert.is_true(watches[3].ready)
  end)

  it("has a clock that a wait moves on by at least its timeout", function()
    local before = loop.now()
    assert(l:poll(20))
    local passed = loop.now() - before
    assert.is_true(passed >= 0.019, passed)
  end)

  it("does not wait with a timeout of 0, nor when nothing is there", function()
    local watches = { { fd = here:fd(), read = true } }
    assert.is_true(l:poll(0, watches))
    assert.is_false(watches[1].ready)
    assert.is_true(l:poll(1, watches))
    assert.is_false(watches[1].ready)
    assert.is_true(l:poll(0))
  end)

  it("wakes up when the peer goes away", function()
    there:close()
    local watches = { { fd = here:fd(), read = true } }
    assert.is_true(l:poll(-1, watches))
    assert.is_true(watches[1].ready)
  end)

  it("raises on an invalid watch, and when closed", function()
    assert.error_matches(function() l:poll(0, { 1 }) end, "a watch is a table")
    assert.error_matches(function() l:poll(0, { {} }) end, "without a descriptor")
    assert.error_matches(function() l:poll(0, { { fd = -1 } }) end, "non%-negative")
    assert.error_matches(function() l:poll(0, { { fd = 1, read = 1 } }) end, "read")
    l:close()
    l:close()
    assert.error_matches(function() l:poll(0) end, "closed")
  end)
end)
