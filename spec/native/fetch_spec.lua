local faulty = require "spec.support.servers.faulty"
local fetch = require "update.native.fetch"
local loop = require "update.native.loop"

local small = faulty.content(faulty.size)
local AHEAD = 65536 + 16384 -- bytes received at most before somebody asks for them

describe("fetch", function()
  local server, l

  setup(function()
    server = faulty.start()
  end)

  teardown(function()
    server.stop()
    collectgarbage()
  end)

  before_each(function()
    l = assert(loop.new())
  end)

  after_each(function()
    l:close()
  end)

  local function open(path, options)
    return assert(fetch.open(l, server.url .. path, options))
  end

  local function body_of(f, max)
    local parts = {}
    while true do
      local data, message, code = f:read(max)
      if data then
        parts[#parts + 1] = data
      elseif code == "again" then
        assert(l:poll(1000))
      else
        return table.concat(parts), message, code
      end
    end
  end

  -- What the server was asked, with lower-case names.
  local function echo(options, path)
    local f <close> = open(path or "/echo/1", options)
    local text, message = body_of(f)
    assert.is_nil(message)
    assert.equal(200, f:status())
    return text
  end

  it("asks plainly, and says who asks", function()
    local text = echo()
    assert.matches("^GET /echo/1 HTTP/1.1\n", text)
    assert.matches("\nuser%-agent: moult/%d+%.%d+%.%d+\n", text)
    assert.is_nil(text:find "accept%-encoding")
    assert.is_nil(text:find "\nrange")
  end)

  it("connects to no address that is not public, by whatever name, if it must not", function()
    local port = server.url:match ":(%d+)"
    for _, host in ipairs { "127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]" } do
      local f <close> = assert(fetch.open(l, ("http://%s:%s/echo/1"):format(host, port), { public_only = true }))
      local text, message, code = body_of(f)
      assert.same({ "", "refused" }, { text, code }, host)
      assert.matches("its address is not public$", message)
    end
    assert.matches("^GET", echo { public_only = false })
  end)

  it("sends ranges, validators, headers, methods and bodies", function()
    local text = echo { range = { 5, 10 }, if_range = '"tag"', headers = { ["X-One"] = "1", ["X-Two"] = "" } }
    assert.matches("\nrange: bytes=5%-14\n", text)
    assert.matches('\nif%-range: "tag"\n', text)
    assert.matches("\nx%-one: 1\n", text)
    assert.matches("\nrange: bytes=7%-\n", echo { range = { 7 } })
    assert.is_nil(echo({ if_range = '"tag"' }):find "if%-range")
    text = echo { body = "a\0b", headers = { ["Content-Type"] = "text/plain" } }
    assert.matches("^POST ", text)
    assert.matches("\ncontent%-type: text/plain\n", text)
    assert.matches("\n\na\0b$", text)
    assert.is_nil(text:find "\nexpect")
    assert.matches("^PUT .*\n\nbody$", echo { method = "PUT", body = "body" })
    assert.matches("^POST .*content%-length: 0\n", echo { method = "POST" })
    assert.matches("^DELETE ", echo { method = "DELETE" })
  end)

  it("tells status, headers, sizes and progress", function()
    local f <close> = open("/good/1", { range = { 1000, 5000 } })
    assert.is_nil(f:status())
    assert.is_nil(f:header "etag")
    assert.is_nil(f:total())
    assert.same({ 0 }, { f:progress() })
    assert.is_true(body_of(f) == small:sub(1001, 6000))
    assert.equal(206, f:status())
    assert.equal('"one"', f:header "etag")
    assert.equal("5000", f:header "CONTENT-LENGTH")
    assert.is_nil(f:header "x-none")
    assert.equal(faulty.size, f:total())
    assert.same({ 5000, 5000 }, { f:progress() })
    assert.equal(server.url .. "/good/1", f:url())
    assert.is_false(f:read())
  end)

  it("answers HEAD with a size and no body", function()
    local f <close> = open("/head/1", { method = "HEAD" })
    assert.equal("", body_of(f))
    assert.equal(200, f:status())
    assert.equal(faulty.size, f:total())
  end)

  it("gives the body of any status", function()
    local f <close> = open "/status/1?503"
    assert.equal('{"code":"twenty"}', body_of(f))
    assert.equal(503, f:status())
    local moved <close> = open "/redirect/1?/good/1"
    assert.equal("moved", body_of(moved))
    assert.equal(302, moved:status())
    assert.equal("/good/1", moved:header "location")
  end)

  it("decodes nothing", function()
    local f <close> = open "/gzip/1"
    assert.is_true(body_of(f) == small)
    assert.equal("gzip", f:header "content-encoding")
  end)

  it("keeps a method over 307 and becomes GET over 303 and 302", function()
    local options = { max_redirects = 3, body = "body" }
    assert.matches("^POST .*\n\nbody$", echo(options, "/redirect_as/1?307,/echo/1"))
    assert.matches("^POST .*\n\nbody$", echo(options, "/redirect_as/1?308,/echo/1"))
    assert.matches("^GET .*\n\n$", echo(options, "/redirect_as/1?302,/echo/1"))
    assert.matches("^GET .*\n\n$", echo(options, "/redirect_as/1?303,/echo/1"))
  end)

  it("keeps a range over redirects, and headers only within their origin", function()
    local options = { max_redirects = 3, headers = { Authorization = "secret" }, range = { 1, 2 } }
    local text = echo(options, "/redirect/1?/echo/2")
    assert.matches("\nauthorization: secret\n", text)
    assert.matches("\nrange: bytes=1%-2\n", text)
    text = echo(options, "/redirect/1?" .. server.other .. "/echo/3")
    assert.is_nil(text:find "secret")
    assert.matches("\nrange: bytes=1%-2\n", text)
    -- Once gone, they stay gone, even when it leads back.
    text = echo(options, "/redirect/1?" .. server.other .. "/redirect/2?" .. server.url .. "/echo/4")
    assert.is_nil(text:find "secret")
    local f <close> = open("/redirect/1?" .. server.other .. "/good/1", options)
    body_of(f)
    assert.equal(server.other .. "/good/1", f:url())
  end)

  it("stands still while nobody reads", function()
    local f <close> = open "/endless/1"
    for _ = 1, 50 do
      assert(l:poll(2))
    end
    assert.equal(200, f:status())
    assert.is_true(f:received() <= AHEAD)
    local text = ""
    while #text < 900000 do
      local data, message, code = f:read(100000)
      assert(data or code == "again", message)
      text = text .. (data or "")
      if not data then
        l:poll(1000)
      end
      assert.is_true(f:received() - #text <= AHEAD)
    end
    assert.is_true(text:sub(1, 900003) == small:rep(4):sub(1, #text))
  end)

  it("lets two transfers share one loop", function()
    local a <close> = open "/good/1"
    local b <close> = open "/chunked/1"
    local texts = { [a] = "", [b] = "" }
    local open_ones = 2
    while open_ones > 0 do
      local waiting = 0
      for f, text in pairs(texts) do
        local data, message, code = f:read(30000)
        if data then
          texts[f] = text .. data
        elseif data == false then
          assert.is_true(text == small)
          texts[f] = nil
          open_ones = open_ones - 1
        else
          assert(code == "again", message)
          waiting = waiting + 1
        end
      end
      if waiting == open_ones then
        assert(l:poll(1000))
      end
    end
  end)

  it("wakes a task that waits for the head only", function()
    local f <close> = open "/good/1"
    local polls = 0
    while not f:status() do
      assert(l:poll(10000))
      polls = polls + 1
    end
    assert.is_true(polls < 20)
  end)

  it("outlives its loop's handle", function()
    local f <close> = open "/good/1"
    local data, _, code = f:read(1000)
    while code == "again" do
      assert(l:poll(1000))
      data, _, code = f:read(1000)
    end
    l:close()
    assert.equal(1000, #data)
    assert.is_truthy(f:read(1000))
  end)

  it("can be closed at any moment, twice, and not used then", function()
    for turns = 0, 10 do
      local f = open "/good/1"
      for _ = 1, turns do
        f:read(1000)
        l:poll(10)
      end
      f:close()
      f:close()
      assert.error_matches(function() f:read() end, "closed transfer")
    end
    for _ = 1, 20 do
      open "/good/1" -- left to the collector
    end
    collectgarbage()
  end)

  it("takes no proxy from the environment", function()
    if os.getenv "MOULT_VALGRIND" then return pending("under valgrind a program cannot start itself") end
    local path = os.tmpname()
    local f = assert(io.open(path, "w"))
    f:write(([[
      local loop, fetch = require "update.native.loop".new(), require "update.native.fetch"
      local f = assert(fetch.open(loop, %q))
      repeat
        local data, message, code = f:read()
        if code == "again" then loop:poll(1000) elseif data == nil then print(message) end
      until code ~= "again" and not data
      print(f:status())
    ]]):format(server.url .. "/good/1"))
    f:close()
    -- The shell's parent is this very program.
    local pipe = io.popen("http_proxy=http://127.0.0.2:1 ALL_PROXY=http://127.0.0.2:1 exec /proc/$PPID/exe " .. path)
    assert.equal("200", pipe:read "l")
    pipe:close()
    os.remove(path)
  end)

  it("uses the given proxy for every host", function()
    local f <close> = assert(fetch.open(l, "http://nowhere.invalid/echo/1", { proxy = server.url }))
    assert.matches("^GET http://nowhere.invalid/echo/1 HTTP/1.1\n", body_of(f))
    local none <close> = open("/good/1", { proxy = "http://127.0.0.2:1" })
    local _, message, code = body_of(none)
    assert.equal("network", code)
    assert.matches("connect", message)
  end)

  it("shows no password of a proxy that it cannot read", function()
    for _, proxy in ipairs { "http://user:secret@127.0.0.1:70000", "user:secret@127.0.0.1:x", "foo://user:secret@h" } do
      local f <close> = assert(fetch.open(l, server.url .. "/good/1", { proxy = proxy }))
      local _, message, code = body_of(f)
      assert.equal("network", code)
      assert.is_nil(message:find("secret", 1, true), message)
    end
  end)

  local bad = {
    { "another scheme", "ftp://127.0.0.1/", nil, "not an http or https URL" },
    { "a file", "file:///etc/passwd", nil, "not an http or https URL" },
    { "no scheme", "127.0.0.1/x", nil, "" },
    { "no host", "http://", nil, "" },
    { "a space", "http://127.0.0.1/a b", nil, "space or control character" },
    { "an end of line", "http://127.0.0.1/\r\nX: y", nil, "space or control character" },
    { "a method of two words", "http://127.0.0.1/", { method = "GET x" }, "method" },
    { "a header of two lines", "http://127.0.0.1/", { headers = { X = "a\r\nY: b" } }, "header" },
    { "a validator of two lines", "http://127.0.0.1/", { if_range = "a\nb", range = { 0 } }, "If%-Range" },
    { "a range beyond 63 bits", "http://127.0.0.1/", { range = { math.maxinteger, 2 } }, "below 2%^63" },
  }
  for _, case in ipairs(bad) do
    it("refuses " .. case[1], function()
      local f, message, code = fetch.open(l, case[2], case[3])
      assert.is_nil(f)
      assert.equal("usage", code)
      assert.matches(case[4], message)
    end)
  end

  it("raises on options of the wrong kind", function()
    local url = server.url .. "/good/1"
    for wrong, says in pairs {
      [{ range = 5 }] = "range", [{ range = {} }] = "offset", [{ range = { -1 } }] = "offset",
      [{ range = { 0, 0 } }] = "length", [{ range = { 0, 1.5 } }] = "length", [{ headers = "x" }] = "headers",
      [{ headers = { "x" } }] = "headers", [{ headers = { x = 1 } }] = "headers", [{ proxy = 1 }] = "proxy",
      [{ deadline = -1 }] = "deadline", [{ deadline = 1 << 40 }] = "too large", [{ body = {} }] = "body",
    } do
      assert.error_matches(function() fetch.open(l, url, wrong) end, says)
    end
    local f <close> = open "/good/1"
    assert.error_matches(function() f:read(0) end, "between 1 byte")
    assert.error_matches(function() f:read(1 << 30) end, "between 1 byte")
    l:close()
    assert.error_matches(function() fetch.open(l, url) end, "closed")
  end)
end)

describe("fetch over TLS", function()
  local folder, pid, pipe, url, l

  local function shell(command)
    return (assert(os.execute(command .. " >/dev/null 2>&1")))
  end

  local function answer(name, text)
    local f <close> = assert(io.open(folder .. "/" .. name, "wb"))
    assert(f:write(text))
  end

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    shell("mkdir " .. folder)
    shell(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
      .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s/cert"):format(folder, folder))
    answer("hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    answer("down", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?secret\r\nConnection: close\r\n\r\n")
    answer("same", "HTTP/1.1 302 Found\r\nLocation: /hello\r\nConnection: close\r\n\r\n")
    pipe = assert(io.popen(("cd %s && echo $$ && exec "
      .. "openssl s_server -accept 127.0.0.1:0 -cert cert -key key -HTTP 2>&1"):format(folder)))
    pid = assert(pipe:read("n"))
    repeat
      local line = assert(pipe:read "l", "no TLS server")
      url = line:match "^ACCEPT (127%.0%.0%.1:%d+)"
    until url
    url = "https://" .. url .. "/"
    l = assert(loop.new())
  end)

  teardown(function()
    l:close()
    os.execute("kill " .. pid)
    pipe:close()
    shell("rm -r " .. folder)
    collectgarbage()
  end)

  local function get(where, options)
    local f <close> = assert(fetch.open(l, where, options))
    local text = ""
    while true do
      local data, message, code = f:read()
      if data then
        text = text .. data
      elseif code ~= "again" then
        return text, message, code
      else
        l:poll(1000)
      end
    end
  end

  it("trusts the certificates that it is told, and no others", function()
    assert.equal("hello", get(url .. "hello", { ca_file = folder .. "/cert" }))
    local _, message, code = get(url .. "hello")
    assert.equal("network", code)
    assert.matches("certificate", message)
    _, message, code = get(url .. "hello", { ca_file = folder .. "/none" })
    assert.equal("network", code)
    assert.matches("certificate", message)
  end)

  it("checks certificates by the known lower bound when the clock was never set", function()
    local day = 86400
    local function at(time, ca, host)
      return get((host and url:gsub("127.0.0.1", host) or url) .. "hello",
        { ca_file = folder .. "/" .. (ca or "cert"), time_floor = time })
    end
    -- The certificate is valid from now on for two days.
    assert.equal("hello", at(os.time() - 3650 * day)) -- it may well have begun since
    assert.equal("hello", at(os.time() + day))
    assert.equal("hello", at(os.time() + 2 * day - 60))
    for _, time in ipairs { os.time() + 2 * day + 60, 2 ^ 31 | 0, (2 ^ 32 | 0) + 1 } do
      local _, message, code = at(time) -- ended for certain
      assert.equal("network", code)
      assert.matches("expired", message)
    end
    -- Everything else is checked as ever.
    local _, message, code = at(os.time() - 3650 * day, "none")
    assert.equal("network", code)
    assert.matches("certificate", message)
    _, message, code = at(os.time() - 3650 * day, nil, "localhost")
    assert.equal("network", code)
    assert.matches("name", message)
  end)

  it("checks the name in the certificate", function()
    local _, message, code = get(url:gsub("127.0.0.1", "localhost") .. "hello", { ca_file = folder .. "/cert" })
    assert.equal("network", code)
    assert.matches("name", message)
  end)

  it("follows no redirect out of TLS", function()
    local options = { ca_file = folder .. "/cert", max_redirects = 3 }
    assert.equal("hello", get(url .. "same", options))
    local _, message, code = get(url .. "down", options)
    assert.equal("refused", code)
    assert.matches("redirected from https to http://127.0.0.1:1/$", message)
  end)
end)
