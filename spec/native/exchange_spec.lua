local brokers = require "spec.support.broker"
local dial = require "update.native.dial"
local exchange = require "update.native.exchange"
local loops = require "update.native.loop"

local function world()
  local loop, server = assert(loops.new()), assert(exchange.open "127.0.0.1:0")
  return { loop = loop, server = server, port = tonumber(server:address():match ":(%d+)$") }
end

local function close(w)
  w.server:close()
  w.loop:close()
end

-- Turn until fn gives something, a hundred times a tenth of a second at most.
local function turn(w, fd, fn)
  for _ = 1, 100 do
    local a, b, c = fn()
    if a ~= nil or c and c ~= "again" then return a, b, c end
    local watches = { { fd = w.server:fd(), read = true } }
    if fd then watches[2] = { fd = fd, read = true } end
    assert(w.loop:poll(100, watches))
  end
  error "nothing happened"
end

local function connect(w)
  local d = assert(dial.open(w.loop, "127.0.0.1", w.port, { connect_timeout = 5 }))
  assert(turn(w, nil, function() return d:step() end))
  return d
end

describe("update.native.exchange", function()
  it("hears a question, gives one answer and closes", function()
    local w = world()
    local d = connect(w)
    assert.equal(8, d:send "question")
    local id, question = turn(w, nil, function() return w.server:next() end)
    assert.equal("question", question)
    w.server:answer(id, "answer")
    assert.equal("answer", turn(w, d:fd(), function() return d:receive() end))
    assert.is_false(turn(w, d:fd(), function() return d:receive() end))
    d:close()
    close(w)
  end)

  it("gives a question that comes in pieces from its begin", function()
    local w = world()
    local d = connect(w)
    d:send "que"
    local _, first = turn(w, nil, function() return w.server:next() end)
    d:send "stion"
    local _, second = turn(w, nil, function() return w.server:next() end)
    assert.same({ "que", "question" }, { first, second })
    d:close()
    close(w)
  end)

  it("closes a connection that says too much", function()
    local w = world()
    local d = connect(w)
    d:send(("x"):rep(257))
    -- Some of it may come first.
    local ended = turn(w, d:fd(), function()
      w.server:next()
      local got, message, code = d:receive()
      if code == "network" then return false end
      return got, message, code
    end)
    assert.is_false(ended)
    d:close()
    close(w)
  end)

  it("lets nobody out who comes after many that say nothing", function()
    local w, silent = world(), {}
    for i = 1, 70 do
      silent[i] = connect(w)
      w.server:next()
    end
    local d = connect(w)
    d:send "question"
    local id, question = turn(w, nil, function() return w.server:next() end)
    assert.equal("question", question)
    w.server:answer(id, "answer")
    assert.equal("answer", turn(w, d:fd(), function() return d:receive() end))
    for _, other in ipairs(silent) do other:close() end
    d:close()
    close(w)
  end)

  it("takes TLS and plain text on one port", function()
    local broker = brokers.start { tls = true }
    finally(function() broker:close() end)
    local function text(name)
      local file <close> = assert(io.open(broker:file(name)))
      return file:read "a"
    end
    local w = { loop = assert(loops.new()),
      server = assert(exchange.open("127.0.0.1:0", text "server.crt", text "server.key")) }
    w.port = tonumber(w.server:address():match ":(%d+)$")
    for _, options in ipairs { { tls = true, ca_file = broker:file "ca.crt" }, {} } do
      options.connect_timeout = 5
      local d = assert(dial.open(w.loop, "127.0.0.1", w.port, options))
      assert(turn(w, nil, function()
        w.server:next() -- takes the client's part of the handshake
        return d:step()
      end))
      d:send "question"
      local id, question = turn(w, nil, function() return w.server:next() end)
      assert.equal("question", question)
      w.server:answer(id, "answer")
      assert.equal("answer", turn(w, d:fd(), function() return d:receive() end))
      d:close()
    end
    local other, message, code = exchange.open("127.0.0.1:0", text "server.crt", text "ca.crt")
    assert.same({ nil, "usage" }, { other, code })
    assert.match("private key", message)
    assert.match("certificate", select(2, exchange.open("127.0.0.1:0", "none", "none")))
    close(w)
  end)

  it("says why it cannot listen", function()
    local server, message, code = exchange.open "127.0.0.1"
    assert.is_nil(server)
    assert.match("HOST:PORT", message)
    assert.equal("usage", code)
  end)
end)

describe("update.native.dial", function()
  it("says that nobody listens", function()
    local w = world()
    local port = w.port
    w.server:close()
    local d = assert(dial.open(w.loop, "127.0.0.1", port, { connect_timeout = 5 }))
    local ok, message, code
    repeat
      ok, message, code = d:step()
      w.loop:poll(100)
    until code ~= "again"
    assert.is_nil(ok)
    assert.match("127.0.0.1:" .. port, message, 1, true)
    assert.equal("network", code)
    d:close()
    w.loop:close()
    collectgarbage()
  end)

  it("refuses an invalid host", function()
    local loop <close> = assert(loops.new())
    local d, message, code = dial.open(loop, "a b", 1)
    assert.is_nil(d)
    assert.match("no address of a server", message)
    assert.equal("usage", code)
  end)
end)
