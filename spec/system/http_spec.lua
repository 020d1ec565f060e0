-- Packages behind a web server that lies, cuts and stalls: what was read
-- before is right, the code word and the message say what was wrong.

local faulty = require "spec.support.servers.faulty"
local fetch = require "update.native.fetch"
local loop = require "update.native.loop"
local minisign = require "update.native.minisign"
local package_native = require "update.native.package"
local source = require "update.native.source"

local small, large = faulty.content(faulty.size), faulty.content(faulty.large)
local AHEAD = 65536 + 16384 -- bytes received at most before somebody asks for them

describe("http", function()
  local server, l, reporter
  local key, tried, wrong = 0, 0, 0

  setup(function()
    server = faulty.start()
    reporter = assert(loop.new())
  end)

  -- Connections of its own for each case: one that a lie has spoilt must not
  -- answer in another.
  before_each(function()
    l = assert(loop.new())
  end)

  after_each(function()
    l:close()
  end)

  teardown(function()
    reporter:close()
    server.stop()
    collectgarbage()
    print(("\nhttp: %d faulty-server cases, %d wrong"):format(tried, wrong))
  end)

  -- A place of its own for each test, so that the server counts anew.
  local function place(name, query, suffix)
    key = key + 1
    local path = ("/%s/%d%s"):format(name, key, suffix or "")
    return server.url .. path .. (query and "?" .. query or ""), path
  end

  -- What the server was asked at a path: {connection, range, if_range} each.
  local function asked(path)
    local f <close> = assert(fetch.open(reporter, server.url .. "/log/0?" .. path))
    local text = ""
    while true do
      local data, why, code = f:read()
      if data == false then
        break
      elseif data then
        text = text .. data
      else
        assert(code == "again", why)
        reporter:poll(1000)
      end
    end
    local result = {}
    for connection, range, if_range in text:gmatch("(%d+) (%S+) ([^\n]+)") do
      result[#result + 1] = { connection = connection, range = range, if_range = if_range }
    end
    return result
  end

  local function pull(s, offset, max)
    while true do
      local data, message, code = s:read(offset, max)
      if code ~= "again" then
        return data, message, code
      end
      l:poll(1000)
    end
  end

  -- All that can be read from `offset` on; message and code when that ends in a failure.
  local function drain(s, offset, max)
    local parts = {}
    while true do
      local data, message, code = pull(s, offset, max)
      if not data then
        return table.concat(parts), message, code
      end
      offset = offset + #data
      parts[#parts + 1] = data
    end
  end

  local function open(url, options)
    return assert(source.http(l, url, options))
  end

  -- One numbered case of the closing line; a failure inside is counted and raised.
  local function case(name, body)
    it(name, function()
      tried = tried + 1
      wrong = wrong + 1
      body()
      wrong = wrong - 1
    end)
  end

  local quick = { low_speed_time = 1, low_speed_limit = 100 }
  local impatient = { deadline = 1 }

  -- Case of the server, query, options, offset, code word, message fragment.
  local failures = {
    { "a body that is cut", "cut", code = "network", says = "transfer closed with 200001 bytes remaining" },
    { "a body that stalls", "stall", options = quick, code = "network", says = "too slow" },
    { "a server that never answers", "stall_before_head", options = impatient, code = "network", says = "timed out" },
    { "a body in drips", "drip", options = quick, code = "network", says = "too slow" },
    { "a head in drips", "drip_head", options = impatient, code = "network", says = "timed out" },
    { "206 at the wrong offset", "wrong_offset", code = "corrupt",
      says = "the server sent bytes from 1, not from 0" },
    { "206 without Content-Range", "no_content_range", code = "corrupt", says = "without a usable Content%-Range" },
    { "206 in another unit", "wrong_unit", code = "corrupt", says = "without a usable Content%-Range" },
    { "a range that runs backwards", "backward_range", code = "corrupt", says = "without a usable Content%-Range" },
    { "a range past the total", "range_past_total", code = "corrupt", says = "without a usable Content%-Range" },
    { "a range beyond 64 bits", "overflowing_range", code = "corrupt", says = "without a usable Content%-Range" },
    { "a range with a tail", "range_with_tail", code = "corrupt", says = "without a usable Content%-Range" },
    { "two Content-Range headers", "two_ranges", code = "corrupt", says = "without a usable Content%-Range" },
    { "multipart/byteranges", "multipart", code = "corrupt", says = "without a usable Content%-Range" },
    { "a range longer than asked for", "more_than_asked", code = "corrupt", says = "requested were 4194304" },
    { "Content-Length against Content-Range", "length_contradicts_range", code = "corrupt", says = "contradict" },
    { "a chunked range that is short", "chunked_range_short", code = "network",
      says = "ended after 295001 of 300001" },
    { "a chunked range that is long", "chunked_range_long", code = "corrupt",
      says = "more than the announced 300001" },
    { "an unframed range that is short", "unframed_range_short", code = "network",
      says = "ended after 295001 of 300001" },
    { "an unframed range that is long", "unframed_range_long", code = "corrupt",
      says = "more than the announced 300001" },
    { "chunks with a broken size", "chunked_broken", code = "network", says = "" },
    { "chunks that are cut", "chunked_cut", code = "network", says = "" },
    { "a Content-Length that is too long", "long_length", code = "network",
      says = "transfer closed with 99999 bytes" },
    { "a Content-Length below 0", "negative_length", code = "network", says = "Content%-Length" },
    { "a Content-Length in words", "wordy_length", code = "network", says = "Content%-Length" },
    { "a body without end", "endless", options = { max_body = 1000000 }, content = small:rep(4), code = "corrupt",
      says = "more than 1000000 bytes" },
    { "an entity tag that changes", "tag_changes", content = large, code = "corrupt",
      says = 'entity tag was "one" and is "two"' },
    { "an object that changes, sent whole", "tag_changes_whole", content = large, code = "corrupt",
      says = "entity tag was" },
    { "a date that changes", "date_changes", content = large, code = "corrupt",
      says = "its date was Sat.*and is Fri" },
    { "a total that changes", "total_changes", content = large, code = "corrupt",
      says = "its size was 4494305 and is 4494306" },
    { "a size that changes, sent whole", "size_changes_whole", content = large, code = "corrupt",
      says = "its size was 4494305" },
    -- When a read ends just where the object does, what follows is never looked at, and all is well.
    { "a body without end for the second range", "endless_later", content = large, code = "corrupt",
      says = "more than its 4494305", or_whole = true },
    { "an object that goes in the middle", "gone_later", content = large, code = "missing", says = "HTTP 404" },
    { "an encoding nobody asked for", "gzip", code = "corrupt", says = "Content%-Encoding gzip" },
    { "redirects for ever", "redirect_forever", options = { max_redirects = 5 }, code = "network",
      says = "more than 5 redirects" },
    { "a redirect to a file", "redirect", "file:///etc/passwd", options = { max_redirects = 5 }, code = "refused",
      says = "redirected to file:///etc/passwd, which is neither http nor https" },
    { "a redirect to another scheme", "redirect", "gopher://127.0.0.1/x", options = { max_redirects = 5 },
      code = "refused", says = "neither http nor https" },
    { "a redirect to nonsense", "redirect", "http://%zz:port/", options = { max_redirects = 5 }, code = "refused",
      says = "unreadable address" },
    { "a redirect without a place", "redirect_nowhere", options = { max_redirects = 5 }, code = "refused",
      says = "HTTP 302" },
    { "a redirect when none is allowed", "redirect", "/good/0", code = "refused", says = "HTTP 302" },
    { "404", "status", "404", code = "missing", says = "HTTP 404" },
    { "410", "status", "410", code = "missing", says = "HTTP 410" },
    { "403", "status", "403", code = "expired", says = "HTTP 403" },
    { "401", "status", "401", code = "expired", says = "HTTP 401" },
    { "204", "status", "204", code = "network", says = "HTTP 204" },
    { "408", "status", "408", code = "network", says = "HTTP 408" },
    { "425", "status", "425", code = "network", says = "HTTP 425" },
    { "429", "status", "429", code = "network", says = "HTTP 429" },
    { "500", "status", "500", code = "network", says = "HTTP 500" },
    { "503", "status", "503", code = "network", says = "HTTP 503" },
    { "400", "status", "400", code = "refused", says = "HTTP 400" },
    { "a body without end behind 404", "status_large", code = "missing", says = "HTTP 404" },
    { "403 whose body is cut", "status_cut", code = "expired", says = "HTTP 403" },
    { "416 that lies", "unsatisfiable", "300001", code = "corrupt",
      says = "has 300001 bytes, yet refuses those from 0" },
    { "416 without a size", "unsatisfiable", "", code = "corrupt", says = "no size given" },
    { "headers without end", "header_bomb", code = "network", says = "longer than 65536 bytes" },
    { "a header without end", "header_line_bomb", code = "network", says = "" },
    { "interim answers without end", "interim_bomb", code = "network", says = "longer than 65536 bytes" },
    { "a zero byte in a header", "zero_in_header", code = "network", says = "" },
    { "a status line without a status", "bad_status_line", code = "network", says = "" },
    { "another protocol", "not_http", code = "network", says = "HTTP/0.9" },
    { "a head that is cut", "head_cut", code = "network", says = "" },
    { "a server that hangs up", "hang_up", code = "network", says = "Empty reply" },
  }
  for _, f in ipairs(failures) do
    case("tells of " .. f[1], function()
      local url = place(f[2], f[3])
      local s <close> = open(url, f.options)
      local text, message, code = drain(s, 0)
      if f.or_whole and not code then
        return assert.is_true(text == f.content)
      end
      assert.equal(f.code, code)
      assert.matches(f.says, message)
      assert.matches("^http://127%.0%.0%.1:%d+/" .. f[2], message)
      assert.is_nil(message:find("?", 1, true))
      assert.is_true(text == (f.content or small):sub(1, #text))
      if f.content == large then
        assert.is_true(#text >= 4194304)
      end
      assert.is_true(s:received() >= #text)
    end)
  end

  -- Case of the server, what comes of it, and how many requests that takes.
  local successes = {
    { "right answers", "good", small, 1 },
    { "two ranges", "large", large, 2 },
    { "a server that ignores ranges", "large_ignores_range", large, 1 },
    { "ranges shorter than asked for", "short_ranges", small, 31 },
    { "a connection closed between ranges", "close_after", large, 2 },
    { "a connection lost between ranges", "hang_up_after", large },
    { "chunks of unknown number", "chunked", small, 1 },
    { "a body that ends with its connection", "unframed", small, 1 },
    { "a server that never says the total", "unknown_total", large, 3 },
    { "a transfer encoding nobody asked for, undecoded", "transfer_gzip", small, 1 },
    { "HTTP/1.0", "old_http", small, 1 },
    { "interim answers with headers of their own", "interim", small, 1 },
    { "an object without validators", "no_validators", large, 2 },
    { "a weak entity tag", "weak_tag", large, 2 },
    { "an empty object", "empty", "", 1 },
    { "an archive labelled as encoded", "archive", small, 1, ".tar.gz" },
    { "a Content-Length that is too short, as far as it goes", "short_length", small:sub(1, 1000), 1 },
  }
  for _, f in ipairs(successes) do
    case("takes " .. f[1], function()
      for _, max in ipairs { 65536, 262144, 1000 } do
        l:close()
        l = assert(loop.new())
        local url, path = place(f[2], nil, f[5])
        local s <close> = open(url)
        local text, message = drain(s, 0, max)
        assert.is_nil(message)
        assert.is_true(text == f[3])
        assert.equal(#text, s:size())
        assert.equal(#text, s:received())
        assert.equal(f[4] or #asked(path), #asked(path))
        assert.is_false(pull(s, #text))
      end
    end)
  end

  case("asks for ranges of 4 MiB, on one connection, if nothing changed", function()
    local url, path = place "large"
    local s <close> = open(url)
    assert.is_true(drain(s, 0, 262144) == large)
    local log = asked(path)
    assert.equal("bytes=0-4194303", log[1].range)
    assert.equal("-", log[1].if_range)
    assert.equal("bytes=4194304-4494304", log[2].range)
    assert.equal('"one"', log[2].if_range)
    assert.equal(log[1].connection, log[2].connection)
  end)

  case("takes a date as validator when it is old enough, and never a weak tag", function()
    local url, path = place "date_changes"
    local s <close> = open(url)
    drain(s, 0)
    assert.equal("Sat, 21 Nov 2026 06:00:00 GMT", asked(path)[2].if_range)
    url, path = place "weak_tag"
    local weak <close> = open(url)
    drain(weak, 0)
    assert.equal("Sat, 21 Nov 2026 06:00:00 GMT", asked(path)[2].if_range)
  end)

  case("skips to the offset when a server ignores ranges, and counts what that cost", function()
    for _, offset in ipairs { 1, 4096, 123457, faulty.size - 1 } do
      local s <close> = open((place "ignores_range"))
      assert.is_true(drain(s, offset, 10000) == small:sub(offset + 1))
      assert.equal(faulty.size, s:received())
    end
  end)

  case("ends at an offset behind the end, asked or not", function()
    local s <close> = open((place("unsatisfiable", "300001")))
    assert.is_false(pull(s, 300001))
    assert.equal(300001, s:size())
    local whole <close> = open((place "ignores_range"))
    assert.is_false(pull(whole, 300001))
    assert.equal(300001, whole:size())
    local good, path = place "good"
    local known <close> = open(good)
    assert(pull(known, 0))
    assert.is_false(pull(known, 300001))
    assert.is_false(pull(known, 1 << 40))
    assert.equal(1, #asked(path))
  end)

  case("reads at any offset, backwards and forwards", function()
    local url, path = place "large"
    local s <close> = open(url)
    for _, offset in ipairs { 0, 4000000, 100, 4494304, 4194303, 4194304, 1000, 2000 } do
      assert.is_true(pull(s, offset, 100) == large:sub(offset + 1, offset + 100))
    end
    assert.equal(7, #asked(path)) -- the last is a short gap and costs none
  end)

  case("asks for no more than is wanted", function()
    local url, path = place "large"
    local s <close> = open(url)
    s:want(1000, 5000)
    local text, offset = "", 1000
    while offset < 6000 do
      local data = assert(pull(s, offset, 6000 - offset))
      text, offset = text .. data, offset + #data
    end
    assert.is_true(text == large:sub(1001, 6000))
    assert.equal(5000, s:received())
    local log = asked(path)
    assert.equal(1, #log)
    assert.equal("bytes=1000-5999", log[1].range)
  end)

  case("hands over the body and the place of an answer that is no object", function()
    local s <close> = open((place("status", "400")))
    assert.is_nil(s:answer())
    pull(s, 0, 3)
    assert.same({ status = 400, body = '{"code":"twenty"}' }, s:answer())
    local moved <close> = open((place("redirect", "/good/0?x=1")))
    pull(moved, 0)
    assert.same({ status = 302, body = "moved", location = "/good/0?x=1" }, moved:answer())
    local endless <close> = open((place "status_large"))
    pull(endless, 0)
    assert.equal(65536, #endless:answer().body)
    local good <close> = open((place "good"))
    pull(good, 0)
    assert.same({ status = 206 }, good:answer())
  end)

  case("tells when the server wants to be asked again", function()
    local said = { ["120"] = 120, ["0"] = false, ["soon"] = false, ["-5"] = false, ["1.5"] = false,
      ["99999999999999999999"] = false, -- of no use, as if nothing had been said
      ["Sun,+22+Nov+2026+06:10:00+GMT"] = 600, ["Sun,+22+Nov+2026+05:00:00+GMT"] = false } -- beside its own Date
    for text, seconds in pairs(said) do
      local s <close> = open((place("later", text)))
      assert.equal("network", select(3, pull(s, 0)))
      assert.equal(seconds or nil, s:answer().retry_after, text)
    end
  end)

  case("names the proxy that wants a password, and not the one it was given", function()
    local proxy = server.url:gsub("//", "//user:secret@")
    for _, way in ipairs { "http://nowhere.invalid/login/1", "https://nowhere.invalid/login/1",
      "http://nowhere.invalid/old_login/1" } do
      local s <close> = open(way, { proxy = proxy })
      local _, message, code = pull(s, 0)
      assert.equal("network", code)
      assert.matches("the proxy " .. server.url .. "/ requires a user and a password", message, 1, true)
      assert.is_nil(message:find("secret", 1, true))
      assert.is_nil(s:answer())
    end
  end)

  case("takes a login that the server wants for the server's", function()
    local s <close> = open((place("old_login", "1")))
    assert.equal("expired", select(3, pull(s, 0)))
    assert.equal(401, s:answer().status)
  end)

  case("follows redirects, relative ones too, for each range", function()
    local _, path = place "large"
    local s <close> = open((place("redirect", path)), { max_redirects = 1 })
    assert.is_true(drain(s, 0) == large)
    assert.equal(2, #asked(path))
    local limited <close> = open((place("redirect", "/redirect/x?/good/0")), { max_redirects = 1 })
    local _, message, code = pull(limited, 0)
    assert.equal("network", code)
    assert.matches("more than 1 redirects", message)
  end)

  case("cuts a redirect's own body short", function()
    local s <close> = open((place("redirect_with_endless_body", "/good/1")), { max_redirects = 1 })
    assert.is_true(drain(s, 0) == small)
  end)

  case("stays within a prefix", function()
    local prefix = server.url .. "/good"
    for to, code in pairs {
      ["/good/2"] = "", ["/good?x"] = "", ["/good"] = "", ["/goods/2"] = "refused", ["/other/../good/2"] = "",
      ["/good/../cut/2"] = "refused", ["/good/%2e%2e/cut/2"] = "refused", ["/good/..%2fcut"] = "refused",
      [server.other .. "/good/2"] = "refused",
      ["http://user@" .. server.url:sub(8) .. "/good/2"] = "refused",
      [server.url .. "@127.0.0.2/good"] = "refused",
    } do
      local s <close> = open((place("redirect", to)), { max_redirects = 1, redirect_prefix = prefix })
      local _, message, got = pull(s, 0)
      assert.equal(code, got or "", to)
      if got then
        assert.matches("outside the trusted prefix", message, nil, nil, to)
      end
    end
  end)

  case("says nothing of users, passwords and queries", function()
    local url = place("redirect", "http://me:secret1@127.0.0.2:1/x?token=secret2")
    local s <close> = open(url:gsub("//", "//you:secret3@", 1), { max_redirects = 1 })
    local _, message, code = pull(s, 0)
    assert.equal("network", code)
    assert.matches("127.0.0.2:1/x: ", message, 1, true)
    assert.is_nil(message:find "secret")
    local f, why, usage = fetch.open(l, "ftp://you:secret@host/path?secret")
    assert.is_nil(f)
    assert.equal("usage", usage)
    assert.is_nil(why:find "secret")
    assert.matches("ftp://host/path: not an http or https URL", why, 1, true)
  end)

  case("tells of a server that is not there", function()
    local s <close> = open "http://127.0.0.2:1/"
    local _, message, code = pull(s, 0)
    assert.equal("network", code)
    assert.matches("connect", message)
  end)

  describe("after an interruption", function()
    -- A device that keeps whole blocks only. Returns what it has, what it cost
    -- and how often it was interrupted.
    local function install(block, next_source, stop_at)
      local have, received, interruptions, content = {}, 0, 0, 0
      local s = next_source(1)
      local partial = ""
      while true do
        local data, _, code = pull(s, content + #partial, block - #partial)
        local ended = stop_at and data and stop_at(s, content + #partial + #data)
        partial = partial .. (data or "")
        if #partial == block or data == false then
          have[#have + 1] = partial
          content, partial = content + #partial, ""
        end
        if data == false then
          received = received + s:received()
          s:close()
          return table.concat(have), received, interruptions
        end
        if data == nil or ended then
          assert(ended or code == "network", code)
          received = received + s:received()
          s:close()
          interruptions = interruptions + 1
          partial = ""
          s = next_source(interruptions + 1)
        end
      end
    end

    for _, block in ipairs { 65536, 262144 } do
      case(("goes on at the last whole block of %d bytes; each cut costs less than one"):format(block), function()
        local cuts = { 1, 65535, 65536, 65537, 262143, 262144, 262145, 300000, 700001, 0, 1000000, 262144 }
        local text, received, interruptions = install(block, function(n)
          return open((place("cut_after", cuts[n] or 10000000)))
        end)
        assert.is_true(text == large)
        assert.equal(#cuts, interruptions)
        assert.is_true(received < #large + interruptions * block)
        assert.is_true(received >= #large)
      end)
    end

    case("costs at most a block and what came ahead when the reader goes away at any time", function()
      local block = 262144
      local goes = { 1, 100000, 262144, 262145, 500000, 524288, 800001, 1500000, 2621440, 4000000, 4194304, 4400000 }
      local text, received, interruptions = install(block, function()
        return open((place "large"))
      end, function(_, offset)
        if goes[1] and offset >= goes[1] then
          return table.remove(goes, 1)
        end
      end)
      assert.is_true(text == large)
      assert.equal(12, interruptions)
      assert.is_true(received <= #large + interruptions * (block + AHEAD))
    end)

    for _, name in ipairs { "portal", "untyped_portal" } do
      case("takes a login page for no verdict on the package: " .. name, function()
        local stem = os.tmpname()
        assert(minisign.keygen(stem))
        local s <close> = open((place(name)))
        local p <close> = assert(package_native.open(s, stem .. ".pub"))
        for _, suffix in ipairs { "", ".key", ".pub" } do os.remove(stem .. suffix) end
        local ok, message, code
        repeat
          ok, message, code = p:step()
          if code == "again" then l:poll(1000) end
        until code ~= "again"
        assert.same({ nil, "network" }, { ok, code })
        assert.matches("a web page, not a package", message, 1, true)
      end)
    end

    case("goes on with the same source", function()
      local s <close> = open((place("cut_after", 100000)))
      local text, times = "", 0
      repeat
        local more, _, code = drain(s, #text)
        text, times = text .. more, times + 1
        assert(code == nil or code == "network")
      until code == nil
      assert.is_true(text == large)
      assert.equal(45, times)
      assert.equal(#large, s:received())
    end)
  end)
end)
