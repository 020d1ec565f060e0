local channel = require "update.native.channel"
local control = require "update.control"
local json = require "update.native.json"
local native_loop = require "update.native.loop"
local scheduler = require "update.scheduler"

describe("update.control", function()
  local path, loop, tasks, server, lines, left, failed

  before_each(function()
    path, lines, left, failed = os.tmpname(), {}, 0, nil
    os.remove(path)
    loop = assert(native_loop.new())
    tasks = scheduler.new { loop = loop, now = native_loop.now, on_error = function(_, trace) failed = trace end }
    server = control.serve {
      listener = assert(channel.listen(path)), json = json, tasks = tasks,
      log = function(line) lines[#lines + 1] = line end,
      on_leave = function() left = left + 1 end,
      handlers = {
        echo = function(request) return { text = request.text } end,
        no = function() return nil, "not today", "busy" end,
        no_at_all = function() return false end,
        boom = function() error("boom") end,
        slow = function() tasks:wait(0.05) return "slow" end,
        watch = function(_, peer) peer.watching = true return true end,
        shout = function() server:broadcast { event = "progress", done = 1 } return true end,
      },
    }
  end)

  after_each(function()
    for peer in pairs(server.peers) do peer:close() end
    server.listener:close()
    loop:close()
    collectgarbage()
  end)

  -- Run fn(client) in a task to its end.
  local function with_client(fn)
    tasks:spawn("test", function()
      local client = control.client { channel = assert(channel.connect(path)), json = json, tasks = tasks }
      local ok, trace = xpcall(fn, debug.traceback, client)
      client:close()
      failed = failed or not ok and trace or nil
      tasks:stop()
    end)
    tasks:spawn("limit", function() tasks:wait(10) failed = "takes too long" tasks:stop() end)
    tasks:run()
    assert.is_nil(failed)
  end

  it("answers with what the handler gives", function()
    with_client(function(client)
      assert.same({ text = "hi" }, client:call("echo", { text = "hi" }))
      assert.is_false(client:call("no_at_all"))
    end)
  end)

  it("hands events to who follows, until told to stop", function()
    with_client(function(client)
      local seen = {}
      tasks:spawn("shouting", function()
        tasks:wait(0.02)
        for i = 1, 3 do server:broadcast { event = "progress", done = i } end
      end)
      assert.is_true(client:follow(function(event)
        seen[#seen + 1] = event.done
        return event.done == 2
      end))
      assert.same({ 1, 2 }, seen)
    end)
  end)

  it("tells who follows that the agent went away", function()
    with_client(function(client)
      tasks:spawn("ending", function()
        tasks:wait(0.02)
        for peer in pairs(server.peers) do peer:close() end
      end)
      local ok, message, code = client:follow(function() end)
      assert.same({ nil, "the agent went away", "network" }, { ok, message, code })
    end)
  end)

  it("carries a failure over", function()
    with_client(function(client)
      assert.same({ nil, "not today", "busy" }, { client:call("no") })
    end)
  end)

  it("calls a handler's error internal, and logs its traceback", function()
    with_client(function(client)
      assert.equal("internal", select(3, client:call("boom")))
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
    end)
    assert.matches("boom.*traceback", lines[1])
  end)

  it("names a verb that it does not know", function()
    with_client(function(client)
      local _, message, code = client:call("frobnicate")
      assert.matches("frobnicate", message)
      assert.equal("usage", code)
    end)
  end)

  it("tells events to those who watch, and only to them", function()
    with_client(function(client)
      local events = {}
      local function on(event) events[#events + 1] = event end
      assert(client:call("shout", nil, on))
      assert.same({}, events)
      assert(client:call("watch", nil, on))
      assert(client:call("shout", nil, on))
      assert(client:call("echo", nil, on))
      assert.same({ { event = "progress", done = 1 } }, events)
    end)
  end)

  it("answers others while one request takes its time", function()
    with_client(function(client)
      local other = control.client { channel = assert(channel.connect(path)), json = json, tasks = tasks }
      local order = {}
      tasks:spawn("other", function()
        table.insert(order, (assert(other:call("slow"))))
      end)
      tasks:turn()
      table.insert(order, assert(client:call("echo", { text = "quick" })).text)
      while #order < 2 do tasks:wait(0.01) end
      other:close()
      assert.same({ "quick", "slow" }, order)
    end)
  end)

  local garbage = { "", "{", "[1]", "null", '{"verb":7}', '{"verb":"echo","verb":"no"}', "\1\2\3", ("x"):rep(60000) }
  for i, line in ipairs(garbage) do
    it("answers garbage with usage and goes on: " .. i, function()
      with_client(function(client)
        assert(client.channel:send(line))
        local got, _, code
        repeat
          got, _, code = client.channel:receive()
          if code == "again" then tasks:watch { { fd = client.channel:fd(), read = true } } end
        until got or code ~= "again"
        assert.equal("usage", json.decode(got).code)
        assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
      end)
    end)
  end

  it("forgets a peer that goes, and what it started goes on", function()
    with_client(function(client)
      local quitter = assert(channel.connect(path))
      assert(quitter:send(json.encode { verb = "slow", id = 1 }))
      tasks:wait(0.02)
      quitter:close()
      while left == 0 do tasks:wait(0.01) end
      tasks:wait(0.06)
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
    end)
    assert.same({}, lines)
  end)

  it("takes a limited number of connections", function()
    with_client(function(client)
      assert(client:call("echo"))
      local others = {}
      for i = 1, 20 do
        others[i] = assert(channel.connect(path))
        tasks:wait(0.002)
      end
      tasks:wait(0.05)
      local refused = 0
      for _, other in ipairs(others) do
        local line = other:receive()
        if line and json.decode(line).code == "busy" then refused = refused + 1 end
        other:close()
      end
      assert.equal(5, refused)
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
    end)
  end)

  -- Ask for `count` answers of 60 kB at once, read later; how many came whole.
  local function much(count)
    server.handlers.much = function() return ("x"):rep(60000) end
    local got = 0
    with_client(function(client)
      for id = 1, count do assert(client.channel:send(json.encode { verb = "much", id = id })) end
      tasks:wait(0.2)
      repeat
        local line, _, code = client.channel:receive()
        if line then got = got + 1 end
        if code == "again" then tasks:watch { { fd = client.channel:fd(), read = true } } end
      until got == count or (code and code ~= "again")
    end)
    return got
  end

  it("keeps what a socket does not hold for a peer that takes its time", function()
    assert.equal(6, much(6))
    assert.same({}, lines)
  end)

  it("drops a peer that does not read", function()
    assert.is_true(much(60) < 60)
    assert.matches("^control: a peer is dropped", lines[1])
  end)

  it("says that the agent went away", function()
    with_client(function(client)
      assert(client:call("echo"))
      tasks:spawn("end", function()
        for peer in pairs(server.peers) do peer:close() end
      end)
      assert.equal("network", select(3, client:call("slow")))
    end)
  end)
end)
