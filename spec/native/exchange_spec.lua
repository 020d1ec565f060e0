local brokers = require "spec.support.broker"
local files = require "spec.support.files"
local dial = require "update.native.dial"
local exchange = require "update.native.exchange"
local host = require "update.native.host"
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

  -- Without a terminal OpenSSL asks on standard input.
  it("asks nobody for the password of a key or a certificate", function()
    local dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir %s"):format(dir)))
    finally(function() os.execute("rm -r " .. dir) end)
    files.output_of(("(cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout plain -out cert -days 9 -subj /CN=x"
      .. " && openssl pkey -in plain -aes256 -passout pass:secret -out key"
      .. " && sed 's/^-*BEGIN.*/&\\nProc-Type: 4,ENCRYPTED\\nDEK-Info: AES-256-CBC,%s\\n/' cert > locked)")
      :format(dir, ("0"):rep(32)))
    files.write(dir .. "/ask.lua", ([[
      local function text(name) return io.open("%s/" .. name):read "a" end
      for _, pair in ipairs { { "cert", "key" }, { "locked", "plain" } } do
        local _, message = require "update.native.exchange".open("127.0.0.1:0", text(pair[1]), text(pair[2]))
        print(message)
        _, message = require "update.native.httpd".open("127.0.0.1:0", { cert = text(pair[1]), key = text(pair[2]) })
        print(message)
      end]]):format(dir))
    assert.equal("TLS: the private key cannot be read, is encrypted, or belongs to another certificate\n"
      .. "http server: the key must be PEM and not encrypted\n"
      .. "TLS: the certificate cannot be read, or is encrypted\n"
      .. "http server: the certificate must be PEM and not encrypted\n",
      (files.output_of(("printf 'secret\\nsecret\\n' | setsid '%s' %s/ask.lua"):format(host.program, dir))))
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
    assert.match("not the address of a server", message)
    assert.equal("usage", code)
  end)
end)
