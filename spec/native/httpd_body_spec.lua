-- Bodies that are written to a file as they come, and answers that are written bit by bit.

local folders = require "spec.support.folder"
local httpd = require "update.native.httpd"
local loop = require "update.native.loop"
local raw = require "spec.support.raw_http"

describe("httpd", function()
  local folder = folders.new()
  local server, waiting, events, handle, dir

  local function step()
    local timeout = server:timeout()
    assert(waiting:poll(timeout >= 0 and math.min(timeout, 1) or 1, { { fd = server:fd(), read = true } }))
    assert(server:run())
    for request in server.next, server do handle(request) end
    for event in server.finished, server do events[#events + 1] = event end
  end

  local function open(options)
    options.early = "/up/"
    server = assert(httpd.open("127.0.0.1:0", options))
  end

  before_each(function()
    dir, events = folder.make(), {}
    waiting = assert(loop.new())
  end)

  after_each(function()
    server:close()
    waiting:close()
    folder.remove()
  end)

  describe("receives a body", function()
    local heads, path

    before_each(function()
      heads, path = {}, dir .. "/body"
      open { body_max = 10 }
      function handle(request)
        if not request.early then return server:reply(request.id, 200, nil, request.fault or "done") end
        heads[#heads + 1] = request.expected
        if request.path == "/up/no" then return server:reply(request.id, 401, { Connection = "close" }, "no") end
        assert(server:receive(request.id, request.path ~= "/up/memory" and path or nil,
          math.tointeger(tonumber(request.headers["upload-offset"] or 0))))
      end
    end)

    local function put(target, body, headers)
      local client = raw.connect(server:address())
      client:send(("PUT %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s"):format(target, headers or "", #body,
        body))
      raw.pump(step, { client }, function() return client:answer() or client.closed end)
      client:close()
      return client:answer()
    end

    it("into a file, over the limit for others, with 0600", function()
      local text = ("0123456789"):rep(100000)
      assert.equal("done", put("/up/a", text).body)
      assert.same({ #text }, heads)
      assert.equal(text, folder.read "body")
      local pipe <close> = io.popen("stat -c %a " .. path)
      assert.equal("600", pipe:read())
      assert.equal(413, put("/other", text).status)
    end)

    it("from an offset on, as after a break", function()
      put("/up/a", "hello world")
      put("/up/a", "there", "Upload-Offset: 6\r\n")
      assert.equal("hello there", folder.read "body")
    end)

    it("only after the head was agreed to", function()
      local client = raw.connect(server:address())
      client:send "PUT /up/no HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
      raw.pump(step, { client }, function() return client:answer() end)
      assert.equal(401, client:answer().status)
      assert.is_false(folder.exists "body")
      client:close()
    end)

    it("of nothing, and into memory with the limit", function()
      assert.equal("done", put("/up/a", "").body)
      assert.equal("", folder.read "body")
      assert.equal("done", put("/up/memory", "short").body)
      assert.is_nil(put("/up/memory", "longer than ten"))
    end)

    it("as far as it came, if the client leaves", function()
      local client = raw.connect(server:address())
      client:send "PUT /up/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"
      raw.pump(step, { client }, function() return folder.read "body" == "half" end)
      client:close()
      raw.pump(step, {}, function() return #events > 0 end)
      assert.is_false(events[1].complete)
      assert.equal("half", folder.read "body")
    end)

    it("and says when the file cannot be written", function()
      path = "/dev/full"
      assert.equal("no space is left", put("/up/a", "text").body)
      path = dir .. "/missing/body"
      local message
      function handle(request)
        local ok, why, code = server:receive(request.id, path)
        assert.same({ nil, "write" }, { ok, code })
        message = why
        server:reply(request.id, 500, { Connection = "close" })
      end
      assert.equal(500, put("/up/a", "text").status)
      assert.matches("No such file", message)
    end)

    it("unless it was asked for twice, or is no such request", function()
      function handle(request)
        if not request.early then
          assert.has_error(function() server:receive(request.id, path) end)
          return server:reply(request.id, 200)
        end
        server:receive(request.id, path)
        assert.has_error(function() server:receive(request.id, path) end)
        assert.has_error(function() server:reply(request.id, 200) end)
      end
      assert.equal(200, put("/up/a", "text").status)
    end)
  end)

  describe("streams", function()
    local id

    before_each(function()
      id = nil
      open {}
      function handle(request)
        id = request.id
        assert(server:reply_stream(id, 200, { ["Content-Type"] = "text/event-stream", ["Set-Cookie"] = { "a", "b" } }))
      end
    end)

    local function connect()
      local client = raw.connect(server:address())
      client:send "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
      raw.pump(step, { client }, function() return client.received:find("\r\n\r\n", 1, true) end)
      return client
    end

    it("what is pushed, when it is pushed, until it ends", function()
      local client = connect()
      assert.matches("Set%-Cookie: a\r\nSet%-Cookie: b\r\n", client.received)
      for _, text in ipairs { "one", "two" } do
        assert(server:push(id, text))
        raw.pump(step, { client }, function() return client.received:find(text, 1, true) end)
      end
      assert(server:end_stream(id))
      raw.pump(step, { client }, function() return client.received:find("\r\n0\r\n", 1, true) end)
      client:close()
      raw.pump(step, {}, function() return #events == 1 end)
      assert.same({ nil, "missing" }, { server:push(id, "late"), select(3, server:push(id, "late")) })
    end)

    it("notices at the next push that the client has left", function()
      local client = connect()
      client:close()
      raw.pump(step, {}, function()
        local ok, _, code = server:push(id, "x")
        assert.is_true(ok or code == "missing")
        return #events == 1
      end)
      assert.is_false(events[1].complete)
    end)

    it("drops a client that reads too slowly", function()
      local client = connect()
      client.reading = false
      local code
      raw.pump(step, { client }, function()
        local ok, _, word = server:push(id, ("x"):rep(30000))
        code = word
        return not ok
      end)
      assert.equal("busy", code)
      client.reading = true
      raw.pump(step, { client }, function() return client.closed end)
    end)

    it("is closed while clients wait", function()
      local a, b = connect(), connect()
      server:close()
      raw.pump(function() end, { a, b }, function() return a.closed and b.closed end)
    end)
  end)
end)
