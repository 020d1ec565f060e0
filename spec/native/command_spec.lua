local command = require "update.native.command"

describe("command", function()
  local function ended(c)
    while true do
      local status, why, code = c:poll()
      if code ~= "again" then return status, why, code end
      os.execute "sleep 0.02"
    end
  end

  it("tells how a program ended, as often as asked", function()
    local c <close> = assert(command.start { "sh", "-c", "exit 7" })
    assert.equal(7, ended(c))
    assert.equal(7, c:poll())
    local s <close> = assert(command.start { "sh", "-c", "kill -TERM $$" })
    assert.equal(128 + 15, ended(s))
  end)

  it("hangs up", function()
    local name = os.tmpname()
    local c <close> = assert(command.start { "sh", "-c", 'trap "exit 3" HUP; echo >"$1"; while :; do sleep 0.01; done',
      "sh", name })
    repeat
      local f <close> = assert(io.open(name))
    until f:read "a" ~= ""
    os.remove(name)
    c:hang_up()
    assert.equal(3, ended(c))
    c:hang_up() -- nobody is there any more
  end)

  it("hands words over as they are", function()
    local name = os.tmpname()
    local c <close> = assert(command.start { "sh", "-c", 'printf %s "$1" >"$2"', "sh", "a b;$(c)", name })
    assert.equal(0, ended(c))
    local f <close> = assert(io.open(name))
    assert.equal("a b;$(c)", f:read "a")
    os.remove(name)
  end)

  it("may have a socket as standard input, whose other end we have", function()
    local channel = require "update.native.channel"
    local c <close>, fd = assert(command.start({ "sh", "-c", "read -r line && exit ${#line}" }, true))
    local lines = assert(channel.from_fd(fd))
    assert.equal("again", select(3, c:poll()))
    assert(lines:send "four")
    assert.equal(4, ended(c))
    assert.equal("nothing", select(3, lines:receive()))
    lines:close()
    local none, _, code = command.start({ "/nowhere/at-all" }, true)
    assert.same({ nil, "write" }, { none, code })
  end)

  it("reads nothing, and kills what it started with its group", function()
    local name = os.tmpname()
    local c = assert(command.start { "sh", "-c", "cat; sleep 1000 & echo $! >" .. name .. "; wait" })
    local pid
    repeat
      os.execute "sleep 0.02"
      local f = assert(io.open(name))
      pid = f:read "n"
      f:close()
    until pid
    assert.equal("again", select(3, c:poll()))
    c:close()
    c:close()
    local f
    repeat
      f = io.open(("/proc/%d/stat"):format(pid))
      local state = f and f:read("a"):match "%) (%a)"
      if f then f:close() end
    until not f or state == "Z"
    assert.has_error(function() c:poll() end, "attempt to use a closed command")
    os.remove(name)
  end)

  it("says that there is no such program", function()
    local c, message, code = command.start { "/nowhere/program" }
    assert.same({ nil, "/nowhere/program: No such file or directory", "write" }, { c, message, code })
    assert.has_error(function() command.start {} end)
    assert.has_error(function() command.start { 1, {} } end)
  end)
end)
