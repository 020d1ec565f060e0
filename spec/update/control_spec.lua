local channel = require "update.native.channel"
local control = require "update.control"
local json = require "update.native.json"
local native_loop = require "update.native.loop"
local scheduler = require "update.scheduler"

describe("update.control", function()
  local path, loop, tasks, server, lines, left, failed, script

  before_each(function()
    path, lines, left, failed, script = os.tmpname(), {}, 0, nil, nil
    os.remove(path)
    loop = assert(native_loop.new())
    tasks = scheduler.new { loop = loop, now = native_loop.now, on_error = function(_, trace) failed = trace end }
    server = control.serve {
      listener = assert(channel.listen(path)), json = json, tasks = tasks,
      log = function(line) lines[#lines + 1] = line end,
      on_leave = function() left = left + 1 end,
      printable = require("update.native.printable").text, descends = channel.descends,
      script = function() return script end,
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

  it("answers with the handler's result", function()
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
      assert.same({ nil, "the agent went away", "busy" }, { ok, message, code })
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
    it("answers garbage with usage and continues: " .. i, function()
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

  it("forgets a peer that disconnects, while its request continues", function()
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

  -- Connections, one after the other; `first` is sent on each.
  local function connect(count, first)
    local list = {}
    for i = 1, count do
      list[i] = assert(channel.connect(path))
      if first then assert(list[i]:send(json.encode(first))) end
      tasks:wait(0.002)
    end
    tasks:wait(0.05)
    return list
  end

  -- How many were sent away as busy; closes all.
  local function sent_away(list)
    local count, last = 0, nil
    for i, one in ipairs(list) do
      local line = one:receive()
      if line and json.decode(line).code == "busy" then count, last = count + 1, i end
      one:close()
    end
    return count, last
  end

  it("keeps a limited number of connections, and those that wait for nothing make way", function()
    with_client(function(client)
      local idle = connect(20)
      assert.equal("busy", select(3, client:call("echo"))) -- it was the first
      local new = control.client { channel = assert(channel.connect(path)), json = json, tasks = tasks }
      assert.same({ text = "in" }, new:call("echo", { text = "in" }))
      new:close()
      local away, last = sent_away(idle)
      assert.same({ 5, 5 }, { away, last })
    end)
  end)

  it("takes many that come at once, and goes on", function()
    with_client(function(client)
      local many = {}
      for i = 1, 60 do many[i] = assert(channel.connect(path)) end
      tasks:wait(0.05)
      for _, one in ipairs(many) do one:close() end
      local new = control.client { channel = assert(channel.connect(path)), json = json, tasks = tasks }
      assert.same({ text = "in" }, new:call("echo", { text = "in" }))
      new:close()
      client:close()
    end)
  end)

  it("keeps a connection that waits for an answer", function()
    server.handlers.hang = function() tasks:wait(1000) return true end
    with_client(function(client)
      local waiting = connect(15, { verb = "hang", id = 1 })
      client:close()
      local more = connect(3, { verb = "hang", id = 1 })
      assert.same({ 2, 3 }, { sent_away(more) })
      assert.equal(0, sent_away(waiting))
    end)
  end)

  it("lets watchers make way last", function()
    with_client(function(client)
      assert(client:call "watch")
      local idle = connect(20)
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
      assert.equal(5, sent_away(idle))
    end)
  end)

  it("keeps two connections for those that the script has not started", function()
    script = 1
    server.descends = function() return true end
    with_client(function(client)
      local children = connect(20)
      assert.equal(7, sent_away(children)) -- the client is one of them, too
      children = connect(20)
      server.descends = function() return false end
      local others = connect(2)
      assert.equal(0, (sent_away(others)))
      sent_away(children)
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
    end)
  end)

  it("does not read on while many requests of a peer are open", function()
    local open, most = 0, 0
    server.handlers.slow_one = function()
      open = open + 1
      most = math.max(most, open)
      tasks:wait(0.001)
      open = open - 1
    end
    with_client(function(client)
      local sent = 0
      repeat
        local ok, _, code = client.channel:send('{"verb":"slow_one"}')
        if ok then sent = sent + 1 elseif code == "busy" then
          tasks:watch { { fd = client.channel:fd(), write = true } }
          client.channel:flush()
        end
      until sent == 5000
      assert.same({ text = "after" }, client:call("echo", { text = "after" }))
    end)
    assert.is_true(most > 1 and most <= 32, most)
  end)

  it("does not read on while its answers are not read, and lets others speak", function()
    local served = 0
    server.handlers.count = function() served = served + 1 return ("x"):rep(1000) end
    with_client(function(client)
      local flood = assert(channel.connect(path))
      for _ = 1, 200 do
        local ok = true
        while ok do ok = flood:send('{"id":1,"verb":"count"}') end
        tasks:wait(0.001)
        assert.same({ text = "me" }, client:call("echo", { text = "me" }))
      end
      local before = served
      tasks:wait(0.05)
      assert.equal(before, served) -- it stands still
      assert.is_true(served < 2000, served)
      flood:close()
    end)
    assert.same({}, lines)
  end)

  it("drops who leaves most unread when all together is too much", function()
    server.handlers.much = function() return ("x"):rep(60000) end
    with_client(function(client)
      local greedy = {}
      for i = 1, 12 do
        greedy[i] = assert(channel.connect(path))
        for id = 1, 6 do assert(greedy[i]:send(json.encode { verb = "much", id = id })) end
      end
      tasks:wait(0.3)
      local total = 0
      for peer in pairs(server.peers) do total = total + peer.channel:queued() end
      assert.is_true(total <= 1048576, total)
      assert.same({ text = "alive" }, client:call("echo", { text = "alive" }))
      for _, one in ipairs(greedy) do one:close() end
    end)
    assert.matches("bytes of answers are not read", lines[1])
  end)

  it("asks for an id that can be told again", function()
    with_client(function(client)
      assert(client.channel:send('{"id":{"a":[1]},"verb":"echo"}'))
      local object = client:receive()
      assert.same({ false, "usage" }, { object.ok, object.code })
    end)
  end)

  -- The server takes the client for somebody else.
  local function as(who)
    server.listener = { fd = function(self) return self.real:fd() end, real = server.listener,
      close = function(self) self.real:close() end,
      accept = function(self)
        local one, message, code = self.real:accept()
        if not one then return nil, message, code end
        return setmetatable({ peer = function() return who end, close = function() one:close() end }, {
          __index = function(_, name) return function(_, ...) return one[name](one, ...) end end })
      end }
  end

  it("tells a stranger who may", function()
    as { pid = 1, uid = 65534 }
    server.group = "meters"
    with_client(function(client)
      local _, message, code = client:call("echo")
      assert.equal("user 65534 may not ask the agent: only root, the user that runs the agent and, for some, members "
        .. "of the group meters may", message)
      assert.equal("refused", code)
      assert.same({}, server.peers)
    end)
  end)

  it("waits a moment to hear who the script is", function()
    as { pid = 77, uid = 65534, named = true }
    server.handlers.status = function() return "fine" end
    tasks:spawn("the supervisor", function() tasks:wait(0.3) script = 77 end)
    with_client(function(client)
      assert.equal("fine", client:call "status")
      assert.equal("usage", select(3, client:call "install")) -- no such verb here
      server.handlers.install = function() return true end
      local _, message, code = client:call "install"
      assert.equal("refused", code)
      assert.matches("may not ask for install", message, 1, true)
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

  it("keeps bytes that the socket does not take for a slow peer", function()
    assert.equal(6, much(6))
    assert.same({}, lines)
  end)

  it("drops a peer that asks for more than it reads", function()
    assert.is_true(much(30) < 30)
    assert.matches("^control: a connection is closed", lines[1])
  end)

  it("says that the agent went away", function()
    with_client(function(client)
      assert(client:call("echo"))
      tasks:spawn("end", function()
        for peer in pairs(server.peers) do peer:close() end
      end)
      assert.equal("busy", select(3, client:call("slow")))
    end)
  end)
end)
