local channel = require "update.native.channel"

local LINE_MAX = 65535 -- bytes, without the end of line

describe("channel", function()
  local path, listener, here, there

  local function code_of(_, _, code) return code end

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    listener = assert(channel.listen(path))
    here = assert(channel.connect(path))
    there = assert(listener:accept())
  end)

  after_each(function()
    here:close()
    there:close()
    listener:close()
    collectgarbage()
  end)

  it("carries lines both ways, empty ones and zero bytes too", function()
    for _, line in ipairs { "beat", "", "a\0b", ("x"):rep(LINE_MAX) } do
      assert.is_true(here:send(line))
      local got = there:receive()
      while not got do
        here:flush()
        got = there:receive()
      end
      assert.equal(line, got)
      assert.is_true(there:send "ok")
      assert.equal("ok", here:receive())
    end
    assert.equal("again", code_of(there:receive()))
    assert.equal("again", code_of(listener:accept()))
  end)

  it("returns the bytes that were sent before the end, then the end", function()
    here:send "last"
    here:close()
    assert.equal("last", there:receive())
    assert.equal("nothing", code_of(there:receive()))
    assert.equal("nothing", code_of(there:receive()))
  end)

  it("listens at a path that is too long for a socket address", function()
    local folder = os.tmpname()
    os.remove(folder)
    folder = folder .. ("x"):rep(150)
    assert(os.execute("mkdir " .. folder))
    finally(function() os.execute("rm -rf " .. folder) end)
    assert.equal("nothing", select(3, channel.connect(folder .. "/control")))
    local far = assert(channel.listen(folder .. "/control"))
    local one = assert(channel.connect(folder .. "/control"))
    local other = assert(far:accept())
    assert(one:send("hello"))
    assert.equal("hello", other:receive())
    assert.equal("busy", select(3, channel.listen(folder .. "/control")))
    one:close()
    other:close()
    far:close()
    assert.equal("nothing", select(3, channel.connect(folder .. "/control")))
    assert.is_true(os.execute("rmdir " .. folder))
    assert.equal("nothing", select(3, channel.connect(folder .. "/control")))
  end)

  it("refuses lines that are too long or two", function()
    assert.equal("usage", code_of(here:send(("x"):rep(LINE_MAX + 1))))
    assert.equal("usage", code_of(here:send "a\nb"))
    assert.equal("again", code_of(there:receive()))
  end)

  it("queues lines that the peer does not read, up to a limit, and loses none", function()
    local line, sent = ("y"):rep(1000), 0
    local ok, code, _ = true, nil, nil
    while ok do
      ok, _, code = here:send(sent .. " " .. line)
      sent = sent + (ok and 1 or 0)
    end
    assert.equal("busy", code)
    assert.is_true(here:wants_write())
    assert.equal("again", code_of(here:flush()))
    for i = 0, sent - 1 do
      local got = there:receive()
      if not got then
        here:flush()
        got = there:receive()
      end
      assert.equal(i .. " " .. line, got)
    end
    assert.is_true(here:flush())
    assert.is_false(here:wants_write())
    assert.equal("again", code_of(there:receive()))
  end)

  it("tells the sender that the peer is gone", function()
    there:close()
    assert.equal("network", code_of(here:send "x"))
    assert.equal("nothing", code_of(here:receive()))
  end)

  it("listens with mode 0600 and replaces only a stale socket", function()
    local mode = io.popen("stat -c %a " .. path):read "l"
    assert.equal("600", mode)
    local second, message, code = channel.listen(path)
    assert.is_nil(second)
    assert.equal("busy", code)
    assert.matches(path, message, 1, true)
    listener:close()
    assert.is_nil(io.open(path))
    assert.equal("nothing", code_of(channel.connect(path)))
    listener = assert(channel.listen(path))
  end)

  it("touches no file that is not a socket", function()
    local other = os.tmpname()
    local l, _, code = channel.listen(other)
    assert.is_nil(l)
    assert.equal("write", code)
    assert.is_truthy(os.remove(other))
    assert.equal("usage", code_of(channel.listen("/tmp/" .. ("p"):rep(200))))
    assert.equal("write", code_of(channel.listen "/nowhere/at/all"))
    assert.equal("nothing", code_of(channel.connect "/nowhere/at/all"))
  end)

  it("refuses a descriptor that is not a socket, and raises on invalid arguments", function()
    assert.equal("usage", code_of(channel.from_fd(0xffff)))
    assert.error_matches(function() channel.from_fd(-1) end, "not a descriptor")
    assert.error_matches(function() channel.connect() end, "string expected")
    here:close()
    assert.error_matches(function() here:send "x" end, "closed channel")
    assert.error_matches(function() here:receive() end, "closed channel")
  end)
end)
