local natives = require "update.natives"

describe("update.native.password", function()
  local loop

  setup(function() loop = assert(natives.loop.new()) end)
  teardown(function()
    loop:close()
    collectgarbage()
  end)

  local function hash(text, salt)
    local p <close> = assert(natives.password.start(text, salt))
    while true do
      local hex, message, code = p:result()
      if hex then return hex end
      assert(code == "again", message)
      loop:poll(1000, { { fd = p:fd(), read = true } })
    end
  end

  it("computes scrypt with N = 2^15, r = 8, p = 1", function()
    -- Computed by hashlib.scrypt of Python.
    assert.equal(
      "f72cbc204bdcfc3ff5b115d8508aec1566ff0ef3f658388601a3933078ef7ac8", hash("pleaseletmein", "SodiumChloride"))
  end)

  it("takes any bytes, and empty ones", function()
    assert.not_equal(hash("", "salt"), hash("\255", "salt"))
  end)

  it("ends what still computes when it is closed", function()
    local p = assert(natives.password.start("a", "salt"))
    p:close()
    p:close()
    assert.has_error(function() p:result() end, "attempt to use a closed password")
  end)

  it("computes several at once", function()
    local a <close> = assert(natives.password.start("a", "salt"))
    local b <close> = assert(natives.password.start("b", "salt"))
    local first, second
    repeat
      loop:poll(1000, { { fd = a:fd(), read = not first }, { fd = b:fd(), read = not second } })
      first, second = first or a:result(), second or b:result()
    until first and second
    assert.not_equal(first, second)
    assert.equal(first, hash("a", "salt"))
  end)
end)
