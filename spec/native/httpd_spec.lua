local httpd = require "update.native.httpd"
local folder = require "update.native.folder"
local loop = require "update.native.loop"
local raw = require "spec.support.raw_http"

local SIZE = 1000
local CONTENT = ("0123456789"):rep(SIZE // 10)

describe("httpd", function()
  local server, waiting, dir, events, handle

  local function step()
    local watch = { fd = server:fd(), read = true }
    local timeout = server:timeout()
    assert(waiting:poll(timeout >= 0 and math.min(timeout, 1) or 1, { watch }))
    assert(server:run())
    local request = server:next()
    while request do
      handle(request)
      request = server:next()
    end
    local event = server:finished()
    while event do
      events[#events + 1] = event
      event = server:finished()
    end
  end

  local function get(target, headers, method)
    return raw.get(step, server:address(), target, headers, method)
  end

  local function path(name)
    return dir .. "/" .. name
  end

  local function write(name, content)
    local file = assert(io.open(path(name), "wb"))
    file:write(content)
    file:close()
    return path(name)
  end

  local function open(options)
    if server then
      server:close()
    end
    server = assert(httpd.open("127.0.0.1:0", options))
  end

  setup(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
    waiting = assert(loop.new())
  end)

  teardown(function()
    waiting:close()
    os.execute("rm -r " .. dir)
    collectgarbage()
  end)

  before_each(function()
    events = {}
    write("file", CONTENT)
    open()
    function handle(request)
      assert(server:reply_file(request.id, path("file")))
    end
  end)

  after_each(function()
    server:close()
  end)

  it("shows a path without control characters and invalid UTF-8", function()
    function handle(request) assert(server:reply(request.id, 404)) end
    for _, odd in ipairs { "%c2%9b", "%e2%80%ae", "%e2%80%a8", "%ff" } do
      get("/a" .. odd .. "b")
      for _ = 1, 1000 do
        if #events > 0 then break end
        step()
      end
      assert.equal("/a?b", table.remove(events).path)
    end
  end)

  describe("answers Range", function()
    -- text, status, first byte, number of bytes
    local cases = {
      { nil,                                200, 0,   SIZE },
      { "bytes=0-",                         206, 0,   SIZE },
      { "bytes=5-",                         206, 5,   SIZE - 5 },
      { "bytes=0-0",                        206, 0,   1 },
      { "bytes=5-9",                        206, 5,   5 },
      { "bytes=999-",                       206, 999, 1 },
      { "bytes=0-999",                      206, 0,   SIZE },
      { "bytes=0-1000",                     206, 0,   SIZE }, -- one past the last byte
      { "bytes=990-99999999999999999999999", 206, 990, 10 },
      { "bytes=-5",                         206, 995, 5 },
      { "bytes=-1000",                      206, 0,   SIZE },
      { "bytes=-1001",                      206, 0,   SIZE },
      { "bytes=-99999999999999999999999",   206, 0,   SIZE },
      { "BYTES= 5-9 ",                      206, 5,   5 },
      { "bytes=1000-",                      416 },
      { "bytes=1000-1000",                  416 },
      { "bytes=18446744073709551615-",      416 },
      { "bytes=99999999999999999999999-",   416 },
      { "bytes=-0",                         416 },
      { "bytes=5-4",                        200, 0,   SIZE },
      { "bytes=0-4,6-9",                    200, 0,   SIZE },
      { "bytes=-",                          200, 0,   SIZE },
      { "bytes=",                           200, 0,   SIZE },
      { "bytes",                            200, 0,   SIZE },
      { "bytes=a-b",                        200, 0,   SIZE },
      { "bytes=5",                          200, 0,   SIZE },
      { "bytes=5-9x",                       200, 0,   SIZE },
      { "bytes=+5-9",                       200, 0,   SIZE },
      { "lines=0-4",                        200, 0,   SIZE },
    }
    for _, case in ipairs(cases) do
      local text, status, first, count = table.unpack(case, 1, 4)
      it(("%s with %d"):format(text or "absent", status), function()
        local answer = get("/f", { Range = text })
        assert.equal(status, answer.status)
        assert.equal("bytes", answer.headers["accept-ranges"])
        assert.is_truthy(answer.headers.etag)
        if status == 416 then
          assert.equal("bytes */1000", answer.headers["content-range"])
          assert.equal("", answer.body)
          return
        end
        assert.equal(CONTENT:sub(first + 1, first + count), answer.body)
        assert.equal(status == 206 and ("bytes %d-%d/1000"):format(first, first + count - 1) or nil,
          answer.headers["content-range"])
        assert.same({ status, count, true }, { events[1].status, events[1].bytes, events[1].complete })
      end)
    end

    it("of an empty file", function()
      write("file", "")
      assert.same({ 416, "bytes */0" }, { get("/f", { Range = "bytes=0-" }).status,
        get("/f", { Range = "bytes=0-" }).headers["content-range"] })
      assert.same({ 200, "" }, { get("/f").status, get("/f").body })
    end)

    it("only of GET", function()
      local answer = get("/f", { Range = "bytes=5-9" }, "HEAD")
      assert.same({ 200, "1000", nil }, { answer.status, answer.headers["content-length"],
        answer.headers["content-range"] })
      assert.equal("", answer.body)
      assert.equal(0, events[1].bytes)
    end)
  end)

  describe("answers conditions", function()
    local tag

    before_each(function()
      tag = get("/f").headers.etag
      assert.matches('^"[^"]+"$', tag) -- strong
    end)

    it("by honouring a Range when If-Range has the tag", function()
      assert.equal(206, get("/f", { Range = "bytes=5-9", ["If-Range"] = tag }).status)
    end)

    for _, other in ipairs { '"other"', "W/%s", "Sun, 06 Nov 1994 08:49:37 GMT", "", "%s, %s", '"' } do
      it(("whole when If-Range is %s"):format(other), function()
        local answer = get("/f", { Range = "bytes=5-9", ["If-Range"] = other:gsub("%%s", tag) })
        assert.same({ 200, CONTENT }, { answer.status, answer.body })
      end)
    end

    for _, list in ipairs { "%s", "W/%s", '"a", %s', ' , "a",W/"b" ,%s', "*" } do
      it(("with 304 when If-None-Match is %s"):format(list), function()
        local answer = get("/f", { ["If-None-Match"] = list:gsub("%%s", tag) })
        assert.same({ 304, tag, "" }, { answer.status, answer.headers.etag, answer.body })
      end)
    end

    for _, list in ipairs { '"a"', "a", "", '"', 'W/"', "*x" } do
      it(("with the file when If-None-Match is %s"):format(list), function()
        assert.equal(200, get("/f", { ["If-None-Match"] = list }).status)
      end)
    end

    it("with another tag once the content changed", function()
      write("file", CONTENT .. "more")
      assert.are_not.equal(tag, get("/f").headers.etag)
      assert.equal(200, get("/f", { Range = "bytes=5-9", ["If-Range"] = tag }).status)
    end)

    it("by a tag that it is given", function()
      function handle(request)
        assert(server:reply_file(request.id, path("file"), nil, "mine"))
      end
      assert.equal('"mine"', get("/f").headers.etag)
      assert.equal(304, get("/f", { ["If-None-Match"] = '"mine"' }).status)
    end)
  end)

  describe("hands out", function()
    local seen

    before_each(function()
      function handle(request)
        seen = request
        server:reply(request.id, 200, { ["X-Seen"] = "yes" }, "fine")
      end
    end)

    it("method, path, query, headers, client and body", function()
      local client = raw.connect(server:address())
      client:send("POST /a%20b/c%2Bd?x=1%2526&y&=z&x=2&k=a+b&bad=%zz%&nul=%00&&u=%e6%96%b0 HTTP/1.1\r\nHost: depot\r\n"
        .. "User-Agent: spec\r\nX-Other: secret\r\nContent-Length: 5\r\n\r\nhello")
      raw.pump(step, { client }, function() return client:answer() end)
      assert.same({ "POST", "/a b/c+d", "127.0.0.1", "hello" }, { seen.method, seen.path, seen.client, seen.body })
      assert.equal("x=1%2526&y&=z&x=2&k=a+b&bad=%zz%&nul=%00&&u=%e6%96%b0", seen.raw_query)
      assert.same({ x = "1%26", y = "", [""] = "z", k = "a+b", bad = "%zz%", nul = "%00", u = "新" }, seen.query)
      assert.same({ host = "depot", ["user-agent"] = "spec" }, seen.headers)
      assert.equal("yes", client:answer().headers["x-seen"])
      client:close()
    end)

    it("requests of one connection in their order, with rising ids", function()
      local client = raw.connect(server:address())
      client:send(("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"):rep(3))
      local ids = {}
      local answer = handle
      function handle(request)
        ids[#ids + 1] = request.id
        answer(request)
      end
      raw.pump(step, { client }, function() return #ids == 3 and select(2, client.received:gsub("fine", "")) == 3 end)
      assert.is_true(ids[1] < ids[2] and ids[2] < ids[3])
      client:close()
    end)

    it("the path behind a proxy's absolute target", function()
      get("http://other.host/a?b=c")
      assert.same({ "/a", "c" }, { seen.path, seen.query.b })
    end)

    it("a target with blanks, which the vendor's client may send", function()
      get("/up?firmware_name=MY METER_Luat")
      assert.equal("MY METER_Luat", seen.query.firmware_name)
    end)
  end)

  describe("refuses", function()
    before_each(function()
      function handle()
        error("nothing of this is to be handed out")
      end
    end)

    local cases = {
      { "bytes that are no text",       "\0\1\2\3\255\254\r\n\r\n",                                     400 },
      { "a TLS hello",                  "\22\3\1\2\0\1\0\1\252\3\3",                                    400 },
      { "a line that is no request",    "hello\r\n",                                                    400 },
      { "a method without a target",    "GET\r\n\r\n",                                                  400 },
      { "a request without a version",  "GET /\r\n\r\n",                                                400 },
      { "an unknown version",           "GET / HTTP/9.9\r\n\r\n",                                       505 },
      { "a NUL in the target",          "GET /\0x HTTP/1.0\r\n\r\n",                                    400 },
      { "a header without a colon",     "GET / HTTP/1.1\r\nHost\r\n\r\n",                               400 },
      { "a NUL in a header",            "GET / HTTP/1.0\r\nA\0B: x\r\n\r\n",                            400 },
      { "an endless method",            ("A"):rep(40000),                                               400 },
      { "an endless target",            "GET /" .. ("a"):rep(40000),                                    414 },
      { "endless headers",              "GET / HTTP/1.1\r\n" .. ("X: y\r\n"):rep(5000) .. "\r\n",       431 },
      { "a length that is no number",   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",      400 },
      { "a negative length",            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",     400 },
      { "two lengths",                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        .. "Content-Length: 2\r\n\r\nab", 400 },
      { "two hosts",                    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",           400 },
      { "a body beyond the limit",      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",  413 },
      { "a huge body",     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999999\r\n\r\n", 413 },
      { "a body of unknown length",     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411 },
      { "a path upwards",               "GET /a/../b HTTP/1.0\r\n\r\n",                                 400 },
      { "an encoded path upwards",      "GET /%2e%2e/b HTTP/1.0\r\n\r\n",                               400 },
      { "a path upwards by %2f",        "GET /a%2f..%2fb HTTP/1.0\r\n\r\n",                             400 },
      { "a path of a dot",              "GET /. HTTP/1.0\r\n\r\n",                                      400 },
      { "a control character",          "GET /a%0ab HTTP/1.0\r\n\r\n",                                  400 },
      { "an encoded NUL",               "GET /a%00b HTTP/1.0\r\n\r\n",                                  400 },
      { "a bad escape in the path",     "GET /a%zz HTTP/1.0\r\n\r\n",                                   400 },
      { "a target that is no path",     "GET a HTTP/1.0\r\n\r\n",                                       400 },
      { "a proxy's target without one", "GET http:// HTTP/1.0\r\n\r\n",                                 400 },
      { "the asterisk",                 "OPTIONS * HTTP/1.0\r\n\r\n",                                   400 },
    }
    for _, case in ipairs(cases) do
      it(("%s with %d"):format(case[1], case[3]), function()
        local client = raw.connect(server:address())
        client:send(case[2])
        raw.pump(step, { client }, function() return client.closed end)
        assert.matches(("^HTTP/1%%.[01] %d [^\r\n]+\r\n"):format(case[3]), client.received)
        client:close()
      end)
    end

    it("a request that drips in, with 408", function()
      open { timeout = 1 }
      local client = raw.connect(server:address())
      local socket = require "socket"
      local next_byte = 0
      client:send("GET / HTTP/1.1\r\nX: ")
      raw.pump(function()
        step()
        if socket.gettime() > next_byte then
          client:send("y")
          next_byte = socket.gettime() + 0.1
        end
      end, { client }, function() return client.closed end)
      assert.matches("^HTTP/1.1 408 ", client.received)
      client:close()
    end)

    it("nothing when the bytes of a request are cut anywhere", function()
      local request = "GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\n\r\n"
      for length = 0, #request - 1 do
        local client = raw.connect(server:address())
        client:send(request:sub(1, length))
        raw.pump(step, { client }, function() return client.unsent == "" end)
        client:close()
      end
      function handle(whole)
        server:reply(whole.id, 200, nil, whole.path)
      end
      assert.equal("/still there", get("/still%20there").body)
    end)
  end)

  describe("serves many", function()
    it("clients at once, each its own range", function()
      local clients, done = {}, 0
      write("file", CONTENT:rep(300))
      for i = 1, 200 do
        clients[i] = raw.connect(server:address())
        clients[i]:send(("GET /f HTTP/1.0\r\nRange: bytes=%d-\r\nConnection: close\r\n\r\n"):format(i * 1000))
      end
      raw.pump(step, clients, function()
        done = 0
        for _, client in ipairs(clients) do
          done = done + (client.closed and 1 or 0)
        end
        return done == #clients and #events == #clients
      end)
      for i, client in ipairs(clients) do
        local answer = client:answer()
        assert.equal(300000 - i * 1000, #answer.body)
        assert.equal(CONTENT:rep(300 - i), answer.body)
        client:close()
      end
    end)

    it("others while one does not read", function()
      local large = CONTENT:rep(20000)
      write("file", large)
      local slow = raw.connect(server:address())
      slow.reading = false
      slow:send("GET /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      raw.pump(step, { slow }, function() return slow.unsent == "" end)
      for _ = 1, 3 do
        assert.equal(206, get("/f", { Range = "bytes=-10" }).status)
      end
      slow.reading = true
      raw.pump(step, { slow }, function() return slow.closed end)
      assert.is_true(slow:answer().body == large)
      slow:close()
    end)

    it("without the system's memory for those who do not read", function()
      write("file", CONTENT:rep(20000))
      local client = raw.connect(server:address())
      client:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return #client.received > 0 end)
      for _ = 1, 200 do step() end
      local port, waiting_bytes = ("%04X"):format(server:address():match ":(%d+)$"), nil
      for line in io.lines "/proc/net/tcp" do
        local state, queue = line:match("^ *%d+: %x+:" .. port .. " %x+:%x+ (%x%x) (%x+):")
        if state == "01" then waiting_bytes = tonumber(queue, 16) end
      end
      assert.is_true(waiting_bytes < 1048576, ("%s bytes"):format(waiting_bytes))
      client:close()
    end)

    it("and stays well when one breaks off", function()
      write("file", CONTENT:rep(20000))
      local client = raw.connect(server:address())
      client:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return #client.received > 100000 end)
      client:close()
      raw.pump(step, {}, function() return #events == 1 end)
      assert.is_false(events[1].complete)
      assert.is_true(events[1].bytes > 0 and events[1].bytes < SIZE * 20000)
    end)

    it("and drops who stops reading", function()
      open { timeout = 1 }
      write("file", CONTENT:rep(20000))
      local client = raw.connect(server:address())
      client.reading = false
      client:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return #events == 1 end)
      assert.is_false(events[1].complete)
      client:close()
    end)

    it("and breaks off a file that was cut short meanwhile", function()
      write("file", CONTENT:rep(20000))
      local client = raw.connect(server:address())
      client.reading = false
      client:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return client.unsent == "" end)
      for _ = 1, 20 do
        step()
      end
      write("file", "")
      client.reading = true
      raw.pump(step, { client }, function() return client.closed end)
      assert.is_nil(client:answer())
      raw.pump(step, {}, function() return #events == 1 end)
      assert.is_false(events[1].complete)
      client:close()
    end)

  end)

  describe("keeps to its limits", function()
    local clients

    before_each(function() clients = {} end)

    after_each(function()
      for _, client in ipairs(clients) do client:close() end
    end)

    local function take_all(request)
      local ok, message, code = server:reply_file(request.id, path(request.path:sub(2)))
      if not ok then
        assert.equal("busy", code)
        server:reply(request.id, 503, { ["Retry-After"] = tostring(server:retry_after(request.id)) }, message)
      end
    end

    local function ask(target, from)
      local client = raw.connect(server:address(), from)
      clients[#clients + 1] = client
      return client:send(("GET %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(target))
    end

    -- A client that has begun to get a large file, and reads no more; the answer of who got another.
    local function download(from)
      local client = ask("/large", from)
      raw.pump(step, { client }, function() return #client.received > 0 end)
      client.reading = false
      local status = client.received:match("^HTTP/1.1 (%d+)")
      return status == "200" or client:answer()
    end

    -- The answer to who begins nothing.
    local function query(from)
      local client = ask("/file", from)
      raw.pump(step, { client }, function() return client:answer() end)
      return client:answer()
    end

    before_each(function()
      write("large", CONTENT:rep(20000))
      handle = take_all
    end)

    it("by an answer, and a line that says which", function()
      open { connections = 40 }
      handle = function(request) assert(server:reply(request.id, 200, nil, "hello")) end
      for i = 1, 4 do
        for _ = 1, 10 do
          local client = ask("/file", "127.0.0." .. i)
          raw.pump(step, { client }, function() return client:answer() end)
          assert.equal(200, client:answer().status)
        end
      end
      events = {}
      local answer = query("127.0.0.9")
      assert.equal(503, answer.status)
      local after = tonumber(answer.headers["retry-after"])
      assert.is_true(after >= 20 and after <= 40)
      raw.pump(step, clients, function() return clients[41].closed and #events == 1 end)
      assert.same({ 503, "all 40 connections are taken" }, { events[1].status, events[1].note })
      for i = 1, 10 do clients[i]:close() end
      raw.pump(step, {}, function() return query("127.0.0.9").status == 200 end)
    end)

    it("with some of them for queries", function()
      open { connections = 40 }
      for i = 1, 38 do assert.is_true(download("127.0.0." .. i % 4 + 1)) end
      local answer = download("127.0.0.9")
      assert.equal(503, answer.status)
      assert.equal("38 downloads are under way, the rest of 40 connections is for queries", answer.body)
      clients[39]:close()
      handle = function(request) assert(server:reply(request.id, 404)) end
      assert.equal(404, query("127.0.0.9").status)
    end)

    it("and each address to its share, once most are taken", function()
      open { connections = 40 }
      for _ = 1, 31 do assert.is_true(download()) end
      local answer = download()
      assert.equal(503, answer.status)
      assert.equal("most of 40 connections are taken, and this address has its share, 10", answer.body)
      for _ = 1, 6 do assert.is_true(download "127.0.0.2") end
      -- The last ones are for others, also when they ask for nothing long.
      local why = query().body:match '"error":"(.*)"'
      assert.equal("most connections are taken, and this address has its share, 10", why)
      assert.is_true(download "127.0.0.2")
    end)

    it("and the last ones are had while somebody fills all that he can", function()
      open { connections = 40 }
      handle = function(request) assert(server:reply(request.id, 200, nil, "hello")) end
      for i = 1, 100 do
        clients[i] = raw.connect(server:address()):send "GET /file HTTP/1.1\r\nHost:" -- and never ends it
      end
      local away = 0
      raw.pump(step, clients, function()
        away = 0
        for _, client in ipairs(clients) do
          if client.closed then away = away + (client:answer().status == 503 and 1 or 0) end
        end
        return away == 62 -- all but those of 38 connections
      end)
      assert.equal(200, query("127.0.0.2").status)
    end)

    it("but a proxy, behind which there are many", function()
      open { connections = 40, proxies = { "127.0.0.1", "2001:db8::1" } }
      for _ = 1, 38 do assert.is_true(download()) end
      assert.equal(40, server:connections())
      local _, message, code = httpd.open("127.0.0.1:0", { proxies = { "a.example" } })
      assert.same({ "usage", "http server: proxy 'a.example' must be a numeric address, or there are too many" },
        { code, message })
    end)
  end)

  describe("answers later", function()
    it("while others come and go", function()
      local held
      function handle(request)
        if request.path == "/held" then
          held = request.id
        else
          server:reply(request.id, 200, nil, "other")
        end
      end
      local client = raw.connect(server:address())
      client:send("GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      raw.pump(step, { client }, function() return held end)
      assert.equal("other", get("/x").body)
      assert.equal("", client.received)
      server:reply(held, 200, nil, "at last")
      raw.pump(step, { client }, function() return client.closed end)
      assert.equal("at last", client:answer().body)
      client:close()
    end)

    it("even when the client is gone", function()
      local held
      function handle(request)
        held = request.id
      end
      local client = raw.connect(server:address())
      client:send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return held end)
      client:close()
      server:reply(held, 200, nil, ("x"):rep(100000))
      raw.pump(step, {}, function() return #events == 1 end)
      assert.equal(held, events[1].id)
    end)

    it("otherwise when the file is missing, and only once", function()
      local why, code
      function handle(request)
        local ok
        ok, why, code = server:reply_file(request.id, path("absent"))
        assert.is_nil(ok)
        server:reply(request.id, 404, { ["Content-Type"] = "text/plain" }, "gone")
        assert.has_error(function() server:reply(request.id, 200) end)
        assert.has_error(function() server:reply_file(request.id, path("file")) end)
      end
      local answer = get("/f")
      assert.same({ 404, "gone", "text/plain" }, { answer.status, answer.body, answer.headers["content-type"] })
      assert.matches("absent", why, 1, true)
      assert.equal("missing", code)
    end)

    it("and wants to run at once when it has an answer", function()
      local held
      function handle(request)
        held = request.id
      end
      local client = raw.connect(server:address())
      client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return held end)
      assert.are_not.equal(0, server:timeout())
      server:reply(held, 200)
      assert.equal(0, server:timeout())
      client:close()
    end)

    it("and closes files that are under way when it closes", function()
      local function descriptors()
        collectgarbage() -- sockets of earlier specs
        return #assert(folder.list("/proc/self/fd"))
      end
      server:close()
      local before = descriptors()
      open()
      write("file", CONTENT:rep(20000))
      local clients = {}
      for i = 1, 5 do
        clients[i] = raw.connect(server:address())
        clients[i]:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      end
      raw.pump(step, clients, function()
        for _, client in ipairs(clients) do
          if #client.received == 0 then
            return false
          end
        end
        return true
      end)
      server:close()
      for _, client in ipairs(clients) do
        client:close()
      end
      assert.equal(before, descriptors())
    end)

    it("and closes with requests unanswered", function()
      local held = 0
      function handle()
        held = held + 1
      end
      local clients = {}
      for i = 1, 3 do
        clients[i] = raw.connect(server:address())
        clients[i]:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      end
      raw.pump(step, clients, function() return held == 3 end)
      server:close()
      for _, client in ipairs(clients) do
        raw.pump(function() end, { client }, function() return client.closed end)
        client:close()
      end
      server:close()
      assert.has_error(function() server:run() end, "attempt to use a closed server")
    end)
  end)

  it("does not serve a folder or a fifo as a file", function()
    assert(os.execute(("mkfifo %s %s"):format(path("fifo"), "2>/dev/null")))
    for _, name in ipairs { "", "fifo" } do
      local code
      function handle(request)
        code = select(3, server:reply_file(request.id, path(name)))
        server:reply(request.id, 404)
      end
      assert.equal(404, get("/f").status)
      assert.equal("missing", code)
    end
  end)

  it("refuses a header that would end the line", function()
    function handle(request)
      assert.has_error(function() server:reply(request.id, 200, { A = "b\r\nC: d" }) end)
      server:reply(request.id, 200)
    end
    assert.is_nil(get("/f").headers.c)
  end)

  it("refuses an invalid status and wrong types", function()
    assert.has_error(function() server:reply(1, 99) end)
    assert.has_error(function() server:reply(1, 600) end)
    assert.has_error(function() server:reply(-1, 200) end)
    assert.has_error(function() server:reply(1, 200, { A = {} }) end)
    assert.has_error(function() server:reply(1, 200) end, "request 1 is not waiting for an answer")
  end)

  describe("listens", function()
    local malformed = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", ("a"):rep(2000) }
    for _, text in ipairs(malformed) do
      it(("not on %q"):format(text:sub(1, 20)), function()
        local got, message, code = httpd.open(text)
        assert.is_nil(got)
        assert.matches("listen address", message, 1, true)
        assert.equal("usage", code)
      end)
    end

    it("not on an address that is in use", function()
      local got, message, code = httpd.open(server:address())
      assert.is_nil(got)
      assert.matches(server:address(), message, 1, true)
      assert.equal("network", code)
    end)

    it("on every address and says which port it got", function()
      local other <close> = assert(httpd.open(":0"))
      assert.matches(":%d+$", other:address())
    end)
  end)

  describe("with a certificate", function()
    local pair = {}

    local function text_of(name)
      local file <close> = assert(io.open(path(name), "rb"))
      return file:read "a"
    end

    setup(function()
      for _, name in ipairs { "one", "two" } do
        assert(os.execute(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
          .. "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.crt >/dev/null 2>&1")
          :format(path(name), path(name))))
      end
      pair = { cert = text_of "one.crt", key = text_of "one.key" }
    end)

    -- What curl says while the server is driven: its format's output, then its exit code.
    local function curl(options)
      write("said", "")
      assert(os.execute(("{ curl -s -o '%s' %s 'https://%s/f'; echo \" $?\"; } >'%s' 2>&1 &"):format(path "got",
        options, server:address(), path "said")))
      local said
      raw.pump(step, {}, function()
        said = text_of "said"
        return said:find "\n$"
      end)
      return said
    end

    it("serves HTTPS, whole and in ranges", function()
      write("file", CONTENT:rep(3000))
      open(pair)
      assert.equal("200 0\n", curl("-w '%{http_code}' --cacert " .. path "one.crt"))
      assert.equal(CONTENT:rep(3000), text_of "got")
      assert.equal("206 0\n", curl("-w '%{http_code}' -r 5-9 --cacert " .. path "one.crt"))
      assert.equal("56789", text_of "got")
      assert.same({ true, 3000 * SIZE, true, 5 },
        { events[1].complete, events[1].bytes, events[2].complete, events[2].bytes })
    end)

    it("is refused by who does not trust it", function()
      open(pair)
      assert.equal("000 60\n", curl("-w '%{http_code}' --cacert " .. path "two.crt"))
    end)

    it("does not talk to who speaks plainly", function()
      open(pair)
      local client = raw.connect(server:address())
      client:send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(step, { client }, function() return client.closed end)
      assert.is_nil(client.received:find("HTTP", 1, true))
      client:close()
    end)

    it("drops a client that never ends the handshake", function()
      pair.timeout = 1
      open(pair)
      pair.timeout = nil
      local client = raw.connect(server:address())
      client:send "\22\3\1\2\0\1\0"
      raw.pump(step, { client }, function() return client.closed end)
      client:close()
    end)

    it("is not opened with a certificate and key that do not match", function()
      local cases = {
        { { cert = pair.cert }, "go together" },
        { { key = pair.key }, "go together" },
        { { cert = "x", key = pair.key }, "certificate must be PEM" },
        { { cert = pair.cert, key = "x" }, "key must be PEM and not encrypted" },
        { { cert = pair.cert, key = text_of "two.key" }, "does not belong" },
      }
      for _, case in ipairs(cases) do
        local got, message, code = httpd.open("127.0.0.1:0", case[1])
        assert.same({ nil, "usage" }, { got, code })
        assert.matches(case[2], message, 1, true)
      end
    end)
  end)
end)

describe("folder", function()
  it("lists files with size and time, without hidden ones", function()
    local dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir -p %s/sub && printf abc > %s/a && touch %s/.b && ln -s nowhere %s/c"):format(dir, dir,
      dir, dir)))
    local found = {}
    for _, entry in ipairs(assert(folder.list(dir))) do
      found[entry.name] = entry
    end
    assert.same({ 3, true }, { found.a.size, found.a.regular })
    assert.is_true(math.type(found.a.changed) == "integer" and found.a.changed > 0)
    assert.is_false(found.sub.regular)
    assert.is_false(found.c.regular) -- leads nowhere
    assert.is_nil(found[".b"])
    os.execute("rm -r " .. dir)
    assert.equal("missing", select(3, folder.list(dir)))
    local total, free = folder.space "/"
    assert.is_true(total > free and free > 0)
    assert.equal("missing", select(3, folder.space(dir)))
  end)
end)
