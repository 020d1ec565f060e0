-- Requests that nobody means well, each by name, against the real admin server: what it answers, and that it goes on.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"

local NUL, BAD, LONG = "\0", "\xff\xfe", ("x"):rep(3000)
local HEX = ids.of { cloud = "aliyun", product = "pk", device = "dev1" }

describe("a hostile request", function()
  local folder, w, token, host, session = folders.new(), nil, nil, nil, nil
  local count = 0

  setup(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end
    w.api.answers.limits.try = function() end
    token = w:user("ann", { [""] = "admin" })
    session = w:log_in("ann", "correct horse battery")
    host = w.api:address()
  end)
  teardown(function() w:close() end)

  -- The server answers `wanted` (or closes: "closed"), says nothing that controls a terminal, and serves the next one.
  local function case(name, wanted, bytes)
    count = count + 1
    it(("%d: %s"):format(count, name), function()
      local answer = w:raw(type(bytes) == "function" and bytes() or bytes)
      assert.equal(wanted, answer and answer.status or "closed", answer and answer.body)
      if answer then assert.is_nil(answer.body:gsub("\r?\n", ""):find "[%z\1-\31\127]", answer.body) end
      local event = w.requests[#w.requests]
      assert.is_nil(event and event.note and event.note:find("traceback", 1, true), event and event.note)
      assert.equal(200, w:ask("GET", "/me", { token = token }).status)
    end)
  end

  local function get(path, headers)
    return function()
      return ("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n%s\r\n"):format(path,
        host, token, headers or "")
    end
  end

  local function send(method, path, body, headers)
    return function()
      return ("%s /api/v1%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        .. "Connection: close\r\nContent-Length: %d\r\n%s\r\n%s"):format(method, path, host, token, #body,
        headers or "",
        body)
    end
  end

  local function raw(text) return function() return (text:gsub("HOST", host):gsub("TOKEN", token)) end end

  local REST = "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n"

  -- The first line.
  for _, row in ipairs {
    { "a method in lower case", 405, "get /api/v1/me HTTP/1.1" },
    { "a method that nobody knows", 405, "BREW /api/v1/me HTTP/1.1" },
    { "TRACE", 405, "TRACE /api/v1/me HTTP/1.1" },
    { "CONNECT", 400, "CONNECT 10.0.0.1:22 HTTP/1.1" },
    { "OPTIONS of everything", 400, "OPTIONS * HTTP/1.1" },
    { "no version", 400, "GET /api/v1/me" },
    { "a version of letters", 400, "GET /api/v1/me HTTP/x.y" },
    { "HTTP/3.0", 505, "GET /api/v1/me HTTP/3.0" },
    { "an absolute address elsewhere, which Host overrules", 200, "GET http://evil.example/api/v1/me HTTP/1.1" },
    { "a path without a slash", 400, "GET api/v1/me HTTP/1.1" },
    { "a path of dots", 400, "GET /api/v1/../../etc/passwd HTTP/1.1" },
    { "a path of encoded dots", 400, "GET /api/v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1" },
    { "two slashes", 404, "GET /api/v1//me HTTP/1.1" },
    { "a slash at the end", 404, "GET /api/v1/me/ HTTP/1.1" },
    { "a byte zero in the path", 400, "GET /api/v1/me%00 HTTP/1.1" },
    { "half an escape", 400, "GET /api/v1/me%4 HTTP/1.1" },
    { "an escape of no digits", 400, "GET /api/v1/me%zz HTTP/1.1" },
    { "bytes that are no text", 404, "GET /api/v1/" .. BAD .. " HTTP/1.1" },
    { "a long path", 404, "GET /api/v1/" .. LONG .. " HTTP/1.1" },
    { "a path longer than the buffer", 414, "GET /api/v1/" .. ("y"):rep(40000) .. " HTTP/1.1" },
    { "a thousand parts", 404, "GET /api/v1" .. ("/a"):rep(1000) .. " HTTP/1.1" },
    { "only the prefix", 404, "GET /api/v1 HTTP/1.1" },
    { "another prefix", 404, "GET /api/v2/me HTTP/1.1" },
    { "a backslash", 404, "GET /api/v1\\me HTTP/1.1" },
    { "a fragment", 404, "GET /api/v1/me#x HTTP/1.1" },
    { "a semicolon", 404, "GET /api/v1/me;admin=1 HTTP/1.1" },
  } do case("first line: " .. row[1], row[2], raw(row[3] .. "\r\n" .. REST .. "\r\n")) end

  -- Headers.
  for _, row in ipairs {
    { "no Host", 421, "GET /api/v1/me HTTP/1.1\r\nConnection: close\r\n\r\n" },
    { "an empty Host", 421, "GET /api/v1/me HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n" },
    { "a foreign Host", 421, "GET /api/v1/me HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n" },
    { "a Host with a user", 421, "GET /api/v1/me HTTP/1.1\r\nHost: a@HOST\r\nConnection: close\r\n\r\n" },
    { "a Host with a path", 421, "GET /api/v1/me HTTP/1.1\r\nHost: HOST/x\r\nConnection: close\r\n\r\n" },
    { "a byte zero in Host", 401, "GET /api/v1/me HTTP/1.1\r\nHost: HOST" .. NUL .. "\r\nConnection: close\r\n\r\n" },
    { "a header without a colon", 400, "GET /api/v1/me HTTP/1.1\r\n" .. REST .. "nonsense\r\n\r\n" },
    { "a header without a name", 200, "GET /api/v1/me HTTP/1.1\r\n" .. REST .. ": x\r\n\r\n" },
    { "a thousand headers", 431, "GET /api/v1/me HTTP/1.1\r\n" .. REST .. ("X-A: b\r\n"):rep(4000) .. "\r\n" },
    { "a header of 40 KB", 431, "GET /api/v1/me HTTP/1.1\r\n" .. REST .. "X-A: " .. ("z"):rep(40000) .. "\r\n\r\n" },
    { "two lengths", 400, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" },
    { "a negative length", 400, "POST /api/v1/session HTTP/1.1\r\n" .. REST .. "Content-Length: -1\r\n\r\n" },
    { "a length of letters", 400, "POST /api/v1/session HTTP/1.1\r\n" .. REST .. "Content-Length: two\r\n\r\n" },
    { "a length of 2^64", 413, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Content-Length: 18446744073709551616\r\n\r\n" },
    { "a length beyond the limit", 413, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Content-Length: 99999999\r\n\r\n" },
    { "a length and chunks", 411, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    { "an encoding that nobody knows", 411, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Transfer-Encoding: gzip\r\n\r\n" },
    { "a chunk of letters", 411, "POST /api/v1/session HTTP/1.1\r\n" .. REST
      .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n" },
    { "a websocket", 200, "GET /api/v1/me HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n"
      .. "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" },
    { "another body behind a GET", 200, "GET /api/v1/me HTTP/1.1\r\n" .. REST .. "Content-Length: 2\r\n\r\n{}" },
  } do case("headers: " .. row[1], row[2], raw(row[3])) end

  -- Who asks.
  for _, row in ipairs {
    { "no scheme", "TOKEN" }, { "Basic", "Basic YW5uOmFubg==" }, { "an empty token", "Bearer " },
    { "no token", "Bearer" }, { "a token too short", "Bearer moult_1" }, { "a token of SQL", "Bearer ' OR 1=1 --" },
    { "a token with a tail", "Bearer TOKEN0" }, { "two tokens", "Bearer TOKEN, Bearer TOKEN" },
    { "a token with a byte more", "Bearer TOKEN\xff" }, { "a long token", "Bearer moult_" .. ("a"):rep(5000) },
    { "a hash for a token", "Bearer moult_" .. ("0"):rep(64) }, { "Digest", "Digest username=\"ann\"" },
  } do
    case("token: " .. row[1], 401, raw("GET /api/v1/me HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAuthorization: "
      .. row[2] .. "\r\n\r\n"))
  end
  for _, row in ipairs {
    { "empty", "" }, { "of another name", "sid=1" }, { "without a value", "moult" }, { "of SQL", "moult=' OR 1=1" },
    { "of a long value", "moult=" .. ("a"):rep(5000) }, { "of separators", ";;;==;=;" },
    { "of bytes", "moult=" .. BAD }, { "of a guess", "moult=" .. ("0"):rep(64) },
    { "of a thousand", ("moult=1;"):rep(1000), 431 }, { "of a hundred", ("moult=1;"):rep(100) },
    { "in quotes", 'moult="1"' },
  } do
    case("cookie: " .. row[1], row[3] or 401,
    raw("GET /api/v1/me HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nCookie: "
      .. row[2] .. "\r\n\r\n"))
  end

  -- A session that another page would use.
  for _, row in ipairs {
    { "a foreign origin", "http://evil.example" }, { "the origin null", "null" },
    { "an origin of two", "ORIGIN, ORIGIN" },
    { "an origin that begins like ours", "ORIGIN.evil.example" },
    { "an origin that ends like ours", "http://evil-HOST" },
    { "an empty origin", "" }, { "an origin of another scheme", "https://HOST" },
  } do
    case("other page: " .. row[1], 403, function()
      local origin = row[2]:gsub("ORIGIN", "http://" .. host):gsub("HOST", host)
      return ("POST /api/v1/undo/1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nCookie: %s\r\nX-CSRF-Token: %s\r\n"
        .. "Origin: %s\r\nContent-Length: 0\r\n\r\n"):format(host, session.cookie, session.csrf, origin)
    end)
  end
  for _, row in ipairs { { "none", "" }, { "wrong", "X-CSRF-Token: " .. ("0"):rep(64) .. "\r\n" },
    { "empty", "X-CSRF-Token:\r\n" }, { "of bytes", "X-CSRF-Token: " .. BAD .. "\r\n" } } do
    case("other page: the session's token is " .. row[1], 403, function()
      return ("DELETE /api/v1/session HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nCookie: %s\r\nOrigin: http://%s\r\n"
        .. "%s\r\n"):format(host, session.cookie, host, row[2])
    end)
  end

  -- Bodies.
  local GROUP = ("/products/%s/groups"):format(natives.digest.sha256 "pk")
  for _, row in ipairs {
    { "no JSON", "nonsense" }, { "half an object", '{"name":' }, { "an array", '["name"]' }, { "a text", '"name"' },
    { "a number", "1" }, { "null", "null" }, { "two objects", '{"name":"a"}{"name":"b"}' },
    { "a comma too many", '{"name":"a",}' }, { "quotes that are none", "{'name':'a'}" },
    { "a comment", '{"name":"a"/*x*/}' }, { "a byte zero", '{"name":"a\0"}' },
    { "an escaped zero", '{"name":"a\\u0000"}' },
    { "bytes that are no text", '{"name":"' .. BAD .. '"}' }, { "half a pair", '{"name":"\\ud800"}' },
    { "a thousand braces", ('{"a":'):rep(1000) .. "1" .. ("}"):rep(1000) },
    { "ten thousand brackets", ("["):rep(10000) }, { "a name twice", '{"name":"a","name":"b/c"}' },
    { "an unknown name", '{"name":"a","admin":true}' }, { "a name of bytes", '{"' .. BAD .. '":1}' },
    { "a name like a method", '{"name":"a","__index":"x"}' }, { "a number for a text", '{"name":1}' },
    { "null for a text", '{"name":null}' }, { "an object for a text", '{"name":{}}' },
    { "an empty object", "{}" }, { "a number too large", '{"name":1e999}' }, { "not a number", '{"name":NaN}' },
    { "a text for a list", '{"name":"a","names":7}' }, { "a list in a list", '{"name":"a","names":[["b"]]}' },
    { "an object for a list", '{"name":"a","names":{"x":"b"}}' },
    { "a cloud that is none", '{"name":"a","cloud":"moon"}' },
    { "a name with a space", '{"name":"a b"}' }, { "a name with a slash", '{"name":"../x"}' },
    { "a name that is too long", '{"name":"' .. ("a"):rep(33) .. '"}' }, { "an empty name", '{"name":""}' },
    { "a name of markup", '{"name":"<script>"}' }, { "a name of SQL", [[{"name":"'; DROP TABLE device; --"}]] },
  } do case("body: " .. row[1], 400, send("POST", GROUP, row[2])) end
  case("body: of another kind", 400, send("POST", GROUP, "name=a", "X: y\r\n"))
  case("body: as a form", 400, raw(("POST /api/v1%s HTTP/1.1\r\n"):format(GROUP) .. REST
    .. "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nname=a"))
  case("body: beyond a megabyte", 413, raw(("POST /api/v1%s HTTP/1.1\r\n"):format(GROUP) .. REST
    .. "Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n"))

  -- Arguments of a query.
  local DEVICES = ("/api/v1/products/%s/devices"):format(natives.digest.sha256 "pk")
  for _, row in ipairs {
    { "a limit of zero", "limit=0" }, { "a limit below zero", "limit=-1" }, { "a limit of letters", "limit=ten" },
    { "a limit of 2^63", "limit=9223372036854775808" }, { "half a limit", "limit=1.5" },
    { "a limit in hex", "limit=0x10" },
    { "an empty limit", "limit=" }, { "a limit with a space", "limit=+1" }, { "a cursor of letters", "cursor=zz" },
    { "half a cursor", "cursor=abc" }, { "a cursor of SQL", "cursor=1%20OR%201" },
    { "a long cursor", "cursor=" .. LONG },
    { "an unknown name", "colour=red" }, { "a filter of no field", "filter=:x" },
    { "a filter of an odd field", "filter=a:b" },
    { "half a filter", "filter=state" }, { "a filter with an open quote", "filter=name:%22x" },
    { "a filter of minus", "filter=-" }, { "a filter of SQL", "filter=name%3D%27%20OR%201=1" },
    { "a filter that compares texts", "filter=name%3Ca" }, { "a filter of an odd age", "filter=heard%3C7y" },
    { "a filter of an odd number", "filter=core%3Cx" }, { "a long filter", "filter=" .. LONG },
    { "a byte zero in a filter", "filter=name:a%00b" }, { "a filter of bytes", "filter=name:%ff%fe" },
    { "a filter of eighty terms", "filter=" .. ("state:failed%20"):rep(80) },
  } do case("query: " .. row[1], 400, get(DEVICES .. "?" .. row[2])) end
  for _, row in ipairs {
    { "a name of bytes", "%ff=1", 400 }, { "only separators", "&&&", 200 }, { "half an escape", "limit=%", 400 },
    { "a limit twice", "limit=1&limit=0", 200 }, { "an empty filter", "filter=", 200 },
    { "a filter that begins anywhere", "filter=name:*x*", 200 }, { "a filter of markup", "filter=name:%3Cb%3E", 200 },
  } do case("query: " .. row[1], row[3], get(DEVICES .. "?" .. row[2])) end

  -- Ids of objects.
  for _, path in ipairs
  { "/devices/x", "/devices/" .. HEX .. "00", "/devices/" .. HEX:sub(1, -2), "/devices/" .. HEX:upper(),
    "/devices/%27", "/devices/00", "/devices/0000", "/rollouts/0", "/rollouts/-1", "/rollouts/1e3", "/rollouts/0x1",
    "/rollouts/99999999999999999999", "/rollouts/1%27", "/groups/0", "/groups/x", "/hotfixes/x",
    "/hotfixes/99999999999999",
    "/products/x", "/packages/x/file", "/tasks/x", "/tasks/%ff", "/uploads/x", "/users/nobody", "/users/a%20b" } do
    case("id: " .. path, 404, get("/api/v1" .. path))
  end
  for _, path in ipairs { "/releases/..", "/releases/%2e%2e", "/products/%00", "/users/%00", "/uploads/..%2f..%2fx",
    "/packages/..%2fdepot.db/file" } do
    case("id: " .. path, 400, get("/api/v1" .. path))
  end

  -- Uploads.
  for _, row in ipairs {
    { "no size", '{"name":"a"}', 400 }, { "a size of zero", '{"name":"a","size":0}', 400 },
    { "a size below zero", '{"name":"a","size":-1}', 400 }, { "half a byte", '{"name":"a","size":1.5}', 400 },
    { "a size of 2^63", '{"name":"a","size":9223372036854775808}', 400 },
    { "a disk full", '{"name":"a","size":1099511627776}', 507 }, { "a long name", '{"name":"' .. ("a"):rep(256)
      .. '","size":1}', 400 },
  } do case("upload: " .. row[1], row[3], send("POST", "/uploads", row[2])) end

  for _, row in ipairs {
    { "an upload that is not there", "/uploads/00000000000000000000000000000000", "Upload-Offset: 0", 404 },
    { "an upload named like a file", "/uploads/depot.db", "Upload-Offset: 0", 404 },
    { "bytes for a device", "/devices/" .. HEX, "Upload-Offset: 0", 405 },
  } do case("upload: " .. row[1], row[4], send("PUT", row[2], "x", row[3] .. "\r\n")) end
  for _, offset in ipairs { "-1", "1", "x", "0x0", "0.0", "99999999999999999999", "" } do
    case("upload: the offset " .. offset, 409, function()
      local row =
      { id = ("%032x"):format(count + #w.requests), account = w.store:account "ann".id, name = "a", size = 10,
        made = 1, ends = (os.time() + 60) * 1000 }
      assert(w.store:add_upload(row))
      return send("PUT", "/uploads/" .. row.id, "x", ("Upload-Offset: %s\r\n"):format(offset))()
    end)
  end

  -- Log-in.
  for _, row in ipairs {
    { "no name", '{"password":"correct horse battery"}', 400 }, { "no password", '{"name":"ann"}', 400 },
    { "a long password", '{"name":"ann","password":"' .. ("a"):rep(257) .. '"}', 400 },
    { "a list of passwords", '{"name":"ann","password":["a","b"]}', 400 },
    { "a name of SQL", [[{"name":"' OR 1=1 --","password":"correct horse battery"}]], 401 },
    { "a password with a byte zero", '{"name":"ann","password":"correct\\u0000horse"}', 400 },
    { "a wrong password", '{"name":"ann","password":"correct horse batterx"}', 401 },
    { "a link of nothing", '{"token":"","password":"correct horse battery"}', 401, "/session/once" },
    { "a link that is a hash", '{"token":"' .. ("0"):rep(64) .. '","password":"correct horse battery"}', 401,
      "/session/once" },
  } do
    case("log-in: " .. row[1], row[3], function()
      return ("POST /api/v1%s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nContent-Type: application/json\r\n"
        .. "Connection: close\r\nContent-Length: %d\r\n\r\n%s"):format(row[4] or "/session", host, host, #row[2],
        row[2])
    end)
  end

  it("are two hundred", function() assert.is_true(count >= 200, count) end)
end)
