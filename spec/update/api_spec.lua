-- The script's side against an agent of our own on a real socket; both run as
-- tasks of one scheduler, so nothing here depends on timing.

local channel = require "update.native.channel"
local json = require "update.native.json"
local luat_sys = require "update.script.sys"
local native_loop = require "update.native.loop"
local scheduler = require "update.scheduler"
local surface = require "update.script.api"

describe("update", function()
  local loop, tasks, sys, update, errors, log, globals
  local path, listener, peers, heard, answers

  -- Reads what one connection says; `answers` says what to reply to a verb.
  local function serve(peer)
    peers[#peers + 1] = peer
    while true do
      local line, _, code = peer:receive()
      if line then
        local request = json.decode(line)
        heard[#heard + 1] = request
        local answer = answers[request.verb]
        if type(answer) == "function" then answer = answer(request, peer) end
        if answer and request.id then
          answer.id = request.id
          peer:send(json.encode(answer))
        end
      elseif code == "again" then
        tasks:watch { { fd = peer:fd(), read = true } }
      else
        return
      end
    end
  end

  local function listen()
    listener = assert(channel.listen(path))
    tasks:spawn("agent", function()
      while listener do
        local peer = listener:accept()
        if peer then
          tasks:spawn("peer", serve, peer)
        else
          tasks:watch({ { fd = listener:fd(), read = true } }, 0.05)
        end
      end
    end)
  end

  local function leave()
    listener:close()
    listener = nil
    for _, peer in ipairs(peers) do peer:close() end
    peers = {}
  end

  local function tell(event)
    for _, peer in ipairs(peers) do peer:send(json.encode(event)) end
  end

  local function verbs()
    local list = {}
    for _, request in ipairs(heard) do
      if request.verb ~= "watch" and request.verb ~= "globals" then list[#list + 1] = request.verb end
    end
    return list
  end

  -- Let everything run until `done` says so; a spec that never gets there fails.
  local function settle(done)
    local till = loop.now() + 20
    tasks:block(function()
      while not done() do
        assert(loop.now() < till, "it never happened")
        tasks:wait(0.005)
      end
    end)
  end

  local function make(connect)
    return surface.new {
      sys = sys, tasks = tasks, json = json, connect = connect, globals = function() return globals end,
      log = function(line) log[#log + 1] = line end,
    }
  end

  before_each(function()
    errors, log, peers, heard, answers, globals = {}, {}, {}, {}, {}, { PROJECT = "METER", VERSION = "1.0.0" }
    loop = native_loop
    local real = assert(native_loop.new())
    tasks = scheduler.new {
      loop = real, now = native_loop.now,
      on_error = function(name, trace) errors[#errors + 1] = name .. ": " .. trace end,
    }
    sys = luat_sys.new(tasks)
    path = os.tmpname()
    os.remove(path)
    update = make(function() return channel.connect(path) end)
    listen()
  end)

  after_each(function()
    tasks:stop()
    if listener then leave() end
    collectgarbage()
  end)

  it("says nil and why without an agent, and calls nobody back", function()
    local called = false
    local alone = make(nil)
    for _, call in ipairs {
      function() return alone.check() end, function() return alone.confirm() end, function() return alone.status() end,
      function() return alone.rollback("x") end, function() return alone.apply({}) end,
      function() return alone.request(function() called = true end) end,
      function() return alone.setup { facts = function() end } end,
      function() return alone.on("done", function() end) end,
    } do
      local result, message, code = call()
      assert.same({ nil, "nothing" }, { result, code })
      assert.matches("no agent here", message, 1, true)
    end
    alone.introduce()
    alone.report("x")
    assert.is_false(called)
  end)

  it("begins with watching and the script's globals", function()
    globals.PRODUCT_KEY = "k-123"
    update.introduce()
    settle(function() return #heard == 2 end)
    assert.same({
      { verb = "watch", hotfix = false },
      { verb = "globals", project = "METER", version = "1.0.0", product_key = "k-123" },
    }, heard)
  end)

  it("waits in a task and outside of one, and hands results and failures on", function()
    answers.status = { ok = true, result = { phase = "idle", release = "1.0.0" } }
    answers.confirm = { ok = false, message = "no release is on trial", code = "nothing" }
    assert.same({ phase = "idle", release = "1.0.0" }, update.status())
    local got
    sys.taskInit(function() got = table.pack(update.confirm()) end)
    settle(function() return got end)
    assert.same({ nil, "no release is on trial", "nothing", n = 3 }, got)
  end)

  it("keeps calls of several tasks apart, in any order of answers", function()
    local first
    answers.status = function(request, peer)
      if not first then
        first = request
        return nil
      end
      peer:send(json.encode { id = request.id, ok = true, result = "second" })
      peer:send(json.encode { id = first.id, ok = true, result = "first" })
    end
    local got = {}
    sys.taskInit(function() got[1] = update.status() end)
    sys.taskInit(function() got[2] = update.status() end)
    settle(function() return got[1] and got[2] end)
    assert.same({ "first", "second" }, got)
  end)

  it("passes offer and reason on", function()
    answers.apply = { ok = true, result = { release = "1.0.1" } }
    answers.rollback = { ok = true, result = true }
    assert.same({ release = "1.0.1" }, update.apply { offer = { cloud = "luat" }, decision = {} })
    assert.is_true(update.rollback("too slow"))
    assert.same({ cloud = "luat" }, heard[3].offer)
    assert.equal("too slow", heard[4].reason)
  end)

  it("says that the agent went away during a call, and is there for its successor", function()
    local met
    answers.status = function() met = true end
    local got
    sys.taskInit(function() got = table.pack(update.status()) end)
    settle(function() return met end)
    leave()
    settle(function() return got end)
    assert.same({ nil, "network" }, { got[1], got[3] })
    listen()
    answers.status = { ok = true, result = "new" }
    assert.equal("new", update.status())
  end)

  it("waits for an agent that is just being started", function()
    leave()
    local got
    answers.status = { ok = true, result = "late" }
    sys.taskInit(function() got = update.status() end)
    sys.wait(20)
    listen()
    settle(function() return got end)
    assert.equal("late", got)
  end)

  describe("request", function()
    local said

    before_each(function() said = {} end)

    local function callback(ready) said[#said + 1] = ready end

    it("calls back with the agent's final answer", function()
      answers.request = { ok = true, result = true }
      assert.is_true(update.request(callback, "http://h/x", 5000.7, true))
      settle(function() return #said == 1 end)
      local request = heard[3]
      assert.same({ true, "http://h/x", 5000, true },
        { request.callback, request.url, request.period, request.redirect })
      assert.same({ true }, said)
    end)

    it("says false for nothing, refused and failed", function()
      answers.request = { ok = true, result = false }
      update.request(callback)
      settle(function() return #said == 1 end)
      answers.request = { ok = false, message = "why", code = "usage" }
      update.request()
      settle(function() return #said == 2 end)
      assert.same({ false, false }, said)
      assert.matches("why (usage)", log[1], 1, true)
    end)

    it("leaves the restart to the agent without a callback", function()
      answers.request = { ok = true, result = true }
      update.request()
      settle(function() return #heard == 3 end)
      assert.is_false(heard[3].callback)
    end)

    it("keeps its arguments, redirect too", function()
      answers.request = { ok = true, result = false }
      update.request(callback, "http://h/x", 1000, true)
      settle(function() return #said == 1 end)
      update.request(nil, nil, nil, false)
      settle(function() return #said == 2 end)
      local request = heard[4]
      assert.same({ true, "http://h/x", 1000, true },
        { request.callback, request.url, request.period, request.redirect })
    end)

    it("calls back once when it is called again meanwhile", function()
      local ids = {}
      answers.request = function(request, peer)
        ids[#ids + 1] = request.id
        if #ids < 2 then return end
        for _, id in ipairs(ids) do peer:send(json.encode { id = id, ok = true, result = true }) end
      end
      update.request(callback)
      update.request(callback)
      settle(function() return #said > 0 end)
      sys.wait(30)
      assert.same({ true }, said)
    end)

    it("calls back for later rounds of a period", function()
      answers.request = { ok = true, result = false }
      update.request(callback, nil, 1000)
      settle(function() return #said == 1 end)
      tell { event = "request", ok = true }
      settle(function() return #said == 2 end)
      assert.same({ false, true }, said)
    end)

    it("is told to the next agent when the one that was asked went away", function()
      update.request(callback)
      settle(function() return #heard == 3 end)
      leave()
      answers.request = { ok = true, result = true }
      listen()
      settle(function() return #said == 1 end)
      assert.same({ "request", "request" }, verbs())
    end)

    it("with a period is told to the next agent even when a round was over", function()
      answers.request = { ok = true, result = false }
      update.request(callback, nil, 1000)
      settle(function() return #said == 1 end)
      leave()
      listen()
      settle(function() return #said == 2 end)
      assert.same({ "request", "request" }, verbs())
      assert.equal(1000, heard[#heard].period)
    end)

    it("refuses arguments of the wrong kind", function()
      assert.has_error(function() update.request("x") end)
      assert.has_error(function() update.request(nil, 5) end)
      assert.has_error(function() update.request(nil, nil, "1") end)
    end)
  end)

  describe("events", function()
    it("reach their functions, in tasks that may wait", function()
      local said = {}
      for _, name in ipairs { "offer", "progress", "state", "done", "error" } do
        update.on(name, function(a, b)
          sys.wait(1)
          said[name] = { a, b }
        end)
      end
      settle(function() return #heard == 2 end)
      tell { event = "offer", offer = { release = "1.0.1" }, action = "install" }
      tell { event = "progress", part = "script", done = 1, total = 2 }
      tell { event = "state", phase = "armed" }
      tell { event = "done", release = "1.0.1", sequence = 18 }
      tell { event = "error", message = "why", code = "network" }
      settle(function() return said.error end)
      assert.same({ { release = "1.0.1" }, "install" }, said.offer)
      assert.same({ 1, 2 }, { said.progress[1].done, said.progress[1].total })
      assert.same({ "armed" }, said.state)
      assert.equal(18, said.done[1].sequence)
      assert.same({ "why", "network" }, said.error)
    end)

    it("of Luat's names are published", function()
      local said
      sys.subscribe("LIB_UPDATE_OTA_DOWNLOAD_END", function(ok) said = { ok } end)
      update.introduce()
      settle(function() return #heard == 2 end)
      tell { event = "publish", message = { "LIB_UPDATE_OTA_DOWNLOAD_END", false } }
      settle(function() return said end)
      assert.same({ false }, said)
    end)

    it("that are unknown or garbage change nothing", function()
      answers.status = { ok = true, result = 1 }
      update.introduce()
      settle(function() return #heard == 2 end)
      tell { event = "from the future" }
      for _, peer in ipairs(peers) do peer:send("garbage") peer:send("[1]") peer:send('{"id":77,"ok":true}') end
      assert.equal(1, update.status())
      assert.same({}, errors)
    end)

    it("refuse an unknown name", function()
      assert.has_error(function() update.on("dnoe", print) end)
      assert.has_error(function() update.on("done", 1) end)
    end)
  end)

  describe("facts", function()
    local function ask(id)
      answers.facts = { ok = true, result = true } -- the agent's answer to an answer
      settle(function() return #peers == 1 and #heard >= 2 end)
      tell { event = "facts", id = id }
      settle(function() return heard[#heard].verb == "facts" end)
      return heard[#heard]
    end

    it("are what the function of setup returns", function()
      update.setup { facts = function() return { battery = 80, metered = true } end }
      assert.same({ verb = "facts", id = 5, facts = { battery = 80, metered = true } }, ask(5))
    end)

    it("are empty without a function", function()
      update.introduce()
      assert.same({}, ask(1).facts)
    end)

    local broken = {
      { "fails",                  function() error("no sensor") end,       "no sensor" },
      { "returns no table",       function() return 80 end,                "not a table" },
      { "returns what no JSON is", function() return { f = print } end,    "cannot be sent" },
    }
    for _, case in ipairs(broken) do
      local name, fn, fragment = table.unpack(case)
      it("are empty when the function " .. name .. ", which is an error", function()
        update.setup { facts = fn }
        assert.same({}, ask(1).facts)
        assert.matches(fragment, errors[1], 1, true)
      end)
    end

    it("need a function, and setup knows nothing else", function()
      assert.has_error(function() update.setup { facts = 1 } end)
      assert.has_error(function() update.setup { cloud = "luat" } end)
      assert.has_error(function() update.setup() end)
    end)
  end)

  it("reports errors of the script, cut and not without end", function()
    leave()
    for _ = 1, 100 do update.report(("x"):rep(10000)) end
    listen()
    settle(function() return #verbs() >= 32 end)
    sys.wait(20)
    assert.equal(32, #verbs())
    assert.equal(4000, #heard[#heard].message)
  end)
end)
