local reserve = require "update.agent.reserve"

describe("update.agent.reserve", function()
  local files, free, now, lines, broken, written, no_random

  local function new(bytes)
    return reserve.new {
      path = "/state/reserve", bytes = bytes,
      storage = {
        replace = function(path, text)
          if broken then return nil, path .. ": no space", "nospace" end
          files[path], written = text, written + 1
          return true
        end,
        remove = function(path) files[path] = nil return true end,
      },
      random = function(n)
        if no_random then return nil, "no source of them", "internal" end
        return ("r"):rep(n)
      end,
      size = function(path) return files[path] and #files[path] end,
      free = function() return free end, now = function() return now end,
      log = function(line) lines[#lines + 1] = line end,
    }
  end

  before_each(function()
    files, free, now, lines, broken, written = {}, 1000, 0, {}, false, 0
    no_random = false
  end)

  it("is made where four times of it are free, once", function()
    local one = new(250)
    assert.is_true(one:refill())
    assert.equal(250, #files["/state/reserve"])
    for _ = 1, 10 do assert.is_true(one:refill()) end
    assert.is_true(new(250):refill()) -- another agent
    assert.equal(1, written)
    assert.is_false(new(251):refill())
  end)

  it("is given once, and made again at most once a day", function()
    local one = new(100)
    one:refill()
    assert.is_true(one:give_up())
    assert.is_false(one:give_up())
    assert.matches("100 bytes released for the update", lines[1])
    now = 86399
    assert.is_false(one:refill())
    now = 86400
    assert.is_true(one:refill())
    assert.equal(2, written)
  end)

  it("logs that it cannot be made, and may be switched off", function()
    broken = true
    assert.is_false(new(100):refill())
    assert.equal("reserve: /state/reserve: no space (nospace)", lines[1])
    assert.is_true(new(0):refill())
  end)

  it("stops nobody where neither the free space nor random bytes can be had", function()
    free = nil
    assert.is_false(new(100):refill())
    assert.same({}, lines)
    free, no_random = 1000, true
    assert.is_false(new(100):refill())
    assert.equal("reserve: no source of them (internal)", lines[1])
  end)

  it("is of real bytes in a real file", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(reserve.random(4096))
    file:close()
    assert.equal(4096, reserve.size(path))
    os.remove(path)
    assert.is_nil(reserve.size(path))
  end)
end)
