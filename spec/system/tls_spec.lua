-- Downloads over TLS from servers with every kind of certificate that is not to
-- be trusted, and from servers and ways that break the protocol: nothing of
-- such a server is taken for an answer, and the message says what was wrong.

local fetch = require "update.native.fetch"
local loop = require "update.native.loop"
local socket = require "socket"

local PATIENCE = 20 -- seconds after which something is broken, not slow
local DAY = 86400
local BODY = ("moult"):rep(20000)

local folder

local function shell(command, ...)
  assert(os.execute(("cd %s && { %s; } >>log 2>&1"):format(folder, command:format(...))), command)
end

local function write(name, text)
  local f <close> = assert(io.open(folder .. "/" .. name, "wb"))
  assert(f:write(text))
end

-- A certificate NAME.crt with its key. `o`: issuer (default "ca"; false: by itself), san, ext (further
-- lines), from, to (seconds since 1970), key (openssl's words), md
local function certificate(name, o)
  local issuer = o.issuer == nil and "ca" or o.issuer
  write(name .. ".ext", ("%s\n%s\n"):format(o.san and "subjectAltName=" .. o.san or "", o.ext or ""))
  shell("openssl req -new -newkey %s -nodes -subj '/CN=%s' -keyout %s.key -out %s.csr",
    o.key or "ec -pkeyopt ec_paramgen_curve:P-256", o.cn or name, name, name)
  shell("openssl ca -batch -notext -config ca.conf -create_serial -md %s -extfile %s.ext -in %s.csr -out %s.crt "
    .. "-startdate %s -enddate %s %s", o.md or "sha256", name, name, name,
    os.date("!%Y%m%d%H%M%SZ", o.from or os.time() - DAY), os.date("!%Y%m%d%H%M%SZ", o.to or os.time() + 30 * DAY),
    issuer and ("-cert %s.crt -keyfile %s.key"):format(issuer, issuer) or ("-selfsign -keyfile %s.key"):format(name))
end

local AUTHORITY = "basicConstraints=critical,CA:TRUE%s\nkeyUsage=critical,keyCertSign,cRLSign"
local ADDRESS = "IP:127.0.0.1,DNS:localhost"
local ENDS = 2000000000 -- a certificate that is valid up to this second

local certificates = {
  { "ca", issuer = false, ext = AUTHORITY:format "", to = ENDS + DAY },
  { "stranger", issuer = false, ext = AUTHORITY:format "" },
  { "good", san = ADDRESS },
  { "selfsigned", issuer = false, san = ADDRESS },
  { "strangers", issuer = "stranger", san = ADDRESS },
  { "expired", san = ADDRESS, from = os.time() - 30 * DAY, to = os.time() - DAY },
  { "early", san = ADDRESS, from = os.time() + DAY },
  { "until", san = ADDRESS, to = ENDS },
  { "othername", san = "DNS:example.com,IP:127.0.0.2" },
  { "wildcard", san = "DNS:*.localhost" },
  { "star", san = "DNS:*" },
  { "addressname", san = "DNS:127.0.0.1" },
  { "nul", san = "DNS:localhost.example.com" },
  { "client", san = ADDRESS, ext = "extendedKeyUsage=clientAuth" },
  { "weak", san = ADDRESS, key = "rsa:1024" },
  { "sha1", san = ADDRESS, md = "sha1" },
  { "middle", ext = AUTHORITY:format ",pathlen:0" },
  { "under", issuer = "middle", san = ADDRESS },
  { "middle2", issuer = "middle", ext = AUTHORITY:format "" },
  { "deep", issuer = "middle2", san = ADDRESS },
  { "noca", ext = "basicConstraints=critical,CA:FALSE" },
  { "forged", issuer = "noca", san = ADDRESS },
  { "old", ext = AUTHORITY:format "", from = os.time() - 30 * DAY, to = os.time() - DAY },
  { "underold", issuer = "old", san = ADDRESS },
  { "narrow", ext = AUTHORITY:format "" .. "\nnameConstraints=critical,permitted;DNS:example.com" },
  { "undernarrow", issuer = "narrow", san = "DNS:localhost" },
  { "critical", san = ADDRESS, ext = "1.2.3.4=critical,ASN1:NULL" },
}

-- Certificate of the server, its further options; host asked for, ca; what is said, nil: all is well.
local cases = {
  { "a certificate that is in order", "good" },
  { "the same by name", "good", host = "localhost" },
  { "TLS 1.2", "good", "-tls1_2" },
  { "TLS 1.3", "good", "-tls1_3" },
  { "a certificate of one's own, trusted", "selfsigned", ca = "selfsigned" },
  { "an authority in between that is sent along", "under", "-cert_chain middle.crt" },
  { "a certificate of one's own", "selfsigned", says = "certificate" },
  { "an authority that nobody trusts", "strangers", says = "certificate" },
  { "the system's authorities", "good", ca = false, says = "certificate" },
  { "another authority", "good", ca = "stranger", says = "certificate" },
  { "a file of authorities that is not there", "good", ca = "none", says = "certificate" },
  { "a file of authorities with none in it", "good", ca = "log", says = "certificate" },
  { "a certificate that has ended", "expired", says = "expired" },
  { "a certificate that has not begun", "early", says = "not yet valid" },
  { "an authority in between that has ended", "underold", "-cert_chain old.crt", says = "expired" },
  { "a certificate for somebody else", "othername", says = "name" },
  { "the same by name, other name", "othername", host = "localhost", says = "name" },
  { "a wildcard below the name", "wildcard", host = "localhost", says = "name" },
  { "a wildcard for everything", "star", host = "localhost", says = "name" },
  { "an address as a name", "addressname", says = "name" },
  { "a longer name", "nul", host = "localhost", says = "name" },
  { "a certificate for clients only", "client", says = "certificate" },
  { "a key of 1024 bits", "weak", "-cipher DEFAULT@SECLEVEL=0", says = "key too weak|certificate" },
  { "a signature by SHA-1", "sha1", "-cipher DEFAULT@SECLEVEL=0", says = "certificate" },
  { "an authority in between that is missing", "under", says = "certificate" },
  { "a longer chain than its authority allows", "deep", "-cert_chain middles.crt", says = "certificate" },
  { "somebody who is no authority", "forged", "-cert_chain noca.crt", says = "certificate" },
  { "an authority for other names", "undernarrow", "-cert_chain narrow.crt", host = "localhost",
    says = "certificate" },
  { "a critical extension that nobody knows", "critical", says = "certificate" },
  { "TLS 1.1", "good", "-tls1_1 -cipher DEFAULT@SECLEVEL=0", says = "SSL|TLS" },
  { "TLS 1.0", "good", "-tls1 -cipher DEFAULT@SECLEVEL=0", says = "SSL|TLS" },
  { "no encryption", "good", "-tls1_2 -cipher NULL@SECLEVEL=0", says = "SSL|TLS" },
  { "nobody's certificate", "good", "-tls1_2 -nocert -cipher aNULL@SECLEVEL=0", says = "SSL|TLS" },
  { "a clock never set, a second before the end", "until", time_floor = ENDS - 1 },
  { "a clock never set, at the end", "until", time_floor = ENDS, says = "expired" },
  { "a clock never set, a second after the end", "until", time_floor = ENDS + 1, says = "expired" },
  { "a clock never set, and a certificate that begins later", "early", time_floor = os.time() - 3650 * DAY },
  { "a clock never set, and nobody's authority", "strangers", time_floor = os.time() - 3650 * DAY,
    says = "certificate" },
}

-- What a server says that speaks no TLS, or stops; `hello`: only after it was greeted.
local liars = {
  { "plain HTTP", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", says = "SSL|TLS|record" },
  { "noise", ("\xa5\x17\x88\x03"):rep(4096), says = "SSL|TLS|record" },
  { "zeros", ("\0"):rep(70000), says = "SSL|TLS|record" },
  { "a refusal", "\x15\x03\x03\x00\x02\x02\x28", hello = true, says = "handshake failure" },
  { "a warning without end", ("\x15\x03\x03\x00\x02\x01\x5a"):rep(3000), hello = true, says = "SSL|TLS" },
  { "a record that is too long", "\x16\x03\x03\xff\xff" .. ("x"):rep(65535), hello = true, says = "SSL|TLS|record" },
  { "half a greeting", "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", hello = true,
    says = "SSL|TLS|closed|reset" },
  { "an end at once", "", says = "SSL|TLS|closed|reset" },
  { "an end after the greeting", "", hello = true, says = "SSL|TLS|closed|reset" },
  { "nothing at all", false, says = "timed out|timeout|deadline|longer" },
}

-- Heads of answers, and the date that counts.
local DATES = {
  dated = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n",
  cached = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\nAge: 0\r\n",
  twice = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n",
  undated = "",
  misdated = "Date: yesterday\r\n",
}
local DATED = 784887151

local function matches_any(text, patterns)
  for pattern in patterns:gmatch "[^|]+" do
    if text:find(pattern, 1, true) then return true end
  end
  return false
end

describe("tls", function()
  local l
  local tried, wrong = 0, 0

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    write("ca.conf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\npolicy=p\n"
      .. "unique_subject=no\ncopy_extensions=none\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=n\n[n]\n")
    write("index", "")
    for _, c in ipairs(certificates) do certificate(c[1], c) end
    shell "cat middle2.crt middle.crt >middles.crt"
    for name, lines in pairs(DATES) do write(name, ("HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n"):format(lines)) end
    write("body", ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#BODY, BODY))
    l = assert(loop.new())
  end)

  teardown(function()
    l:close()
    os.execute("rm -r " .. folder)
    collectgarbage()
    print(("\ntls: %d cases of certificates, servers and ways, %d wrong"):format(tried, wrong))
  end)

  -- A server until the end of the block. @return its port
  local function serve(name, options)
    local pipe = assert(io.popen(("cd %s && echo $$ && exec openssl s_server -accept 127.0.0.1:0 -cert %s.crt "
      .. "-key %s.key -HTTP %s 2>&1"):format(folder, name, name, options or "")))
    local pid, port = pipe:read "n"
    while not port do
      local line = assert(pipe:read "l", "no TLS server")
      port = line:match "^ACCEPT 127%.0%.0%.1:(%d+)"
    end
    return port, setmetatable({}, { __close = function()
      os.execute("kill " .. pid)
      pipe:close()
    end })
  end

  -- What comes from there; `turn` is called in between.
  local function get(url, options, turn)
    local f <close> = assert(fetch.open(l, url, options))
    local parts, till = {}, loop.now() + PATIENCE
    while true do
      local data, message, code = f:read()
      if data then
        parts[#parts + 1] = data
      elseif code ~= "again" then
        return table.concat(parts), message, code, f:date()
      else
        assert(loop.now() < till, "no end to it")
        if turn then turn() end
        l:poll(turn and 5 or 1000)
      end
    end
  end

  local function case(name, body)
    it(name, function()
      tried, wrong = tried + 1, wrong + 1
      body()
      wrong = wrong - 1
    end)
  end

  local function refused(text, message, code, says)
    assert.equal("", text)
    assert.equal("network", code)
    assert.is_true(matches_any(message, says), message)
  end

  for _, c in ipairs(cases) do
    case((c.says and "refuses " or "takes ") .. c[1], function()
      local port, server <close> = serve(c[2], c[3])
      local text, message, code = get(("https://%s:%s/body"):format(c.host or "127.0.0.1", port), {
        ca_file = c.ca ~= false and folder .. "/" .. (c.ca or "ca") .. (c.ca == "log" and "" or ".crt") or nil,
        time_floor = c.time_floor,
      })
      assert(server)
      if c.says then return refused(text, message, code, c.says) end
      assert.equal(BODY, text, message)
      assert.is_nil(code)
    end)
  end

  for _, c in ipairs(liars) do
    case("refuses a server that says " .. c[1], function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local peer, said
      listener:settimeout(0)
      local text, message, code = get(("https://127.0.0.1:%s/body"):format(port), { ca_file = folder .. "/ca.crt",
        deadline = c[2] == false and 1 or 10 }, function()
        peer = peer or listener:accept()
        if not peer or said or c[2] == false then return end
        peer:settimeout(0)
        if c.hello then
          local _, _, part = peer:receive(4096)
          if part == "" then return end
        end
        said = true
        peer:send(c[2])
        peer:shutdown "send"
      end)
      listener:close()
      if peer then peer:close() end
      refused(text, message, code, c.says)
    end)
  end

  it("takes the date of a server whose certificate was verified, and of no other", function()
    local port, server <close> = serve "good"
    for name in pairs(DATES) do
      local _, message, code, date = get(("https://127.0.0.1:%s/%s"):format(port, name),
        { ca_file = folder .. "/ca.crt" })
      assert.same({ nil, nil, name == "dated" and DATED or nil }, { message, code, date }, name)
    end
    assert.is_nil(select(4, get(("https://127.0.0.1:%s/dated"):format(port), { ca_file = folder .. "/stranger.crt" })))
    assert(server)
    local listener = assert(socket.bind("127.0.0.1", 0))
    listener:settimeout(0)
    local peer
    local _, _, code, date = get(("http://127.0.0.1:%d/dated"):format(select(2, listener:getsockname())), {}, function()
      if peer then return end
      peer = listener:accept()
      if peer then peer:send("HTTP/1.1 200 OK\r\n" .. DATES.dated .. "Content-Length: 0\r\n\r\n") end
    end)
    listener:close()
    peer:close()
    assert.same({ nil, nil }, { code, date })
  end)

  -- A way to the server on which something happens to what it sends, from byte `at` on.
  local function way(port, at, change)
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, own = listener:getsockname()
    local near, far, passed, over = nil, nil, 0, false
    listener:settimeout(0)
    local function carry(from, to, edit)
      local data, _, part = from:receive(2048)
      data = data or part
      if data and #data > 0 then to:send(edit and edit(data) or data) end
    end
    return own, function()
      near = near or listener:accept()
      if not near or over then return end
      if not far then
        far = assert(socket.connect("127.0.0.1", port))
        near:settimeout(0)
        far:settimeout(0)
      end
      carry(near, far)
      carry(far, near, function(data)
        local before = passed
        passed = passed + #data
        if before > at or passed <= at then return data end
        local changed = change(data, at - before)
        over = changed == nil or over
        return changed or data:sub(1, at - before)
      end)
      if over then near:close() end
    end, function()
      listener:close()
      if near and not over then near:close() end
      if far then far:close() end
    end
  end

  local ways = {
    { "that cuts in the handshake", 300, function() return nil end, "" },
    { "that changes a byte of the handshake", 300, function(d, i)
      return d:sub(1, i) .. string.char(d:byte(i + 1) ~ 1) .. d:sub(i + 2)
    end, "" },
    { "that cuts in the body", 50000, function() return nil end },
    { "that changes a byte of the body", 50000, function(d, i)
      return d:sub(1, i) .. string.char(d:byte(i + 1) ~ 1) .. d:sub(i + 2)
    end },
    { "that leaves out a byte of the body", 50000, function(d, i) return d:sub(1, i) .. d:sub(i + 2) end },
    { "that says something twice", 50000, function(d) return d .. d end },
  }
  for _, c in ipairs(ways) do
    case("refuses what comes by a way " .. c[1], function()
      local port, server <close> = serve "good"
      local own, turn, close = way(port, c[2], c[3])
      local text, message, code = get(("https://127.0.0.1:%s/body"):format(own), { ca_file = folder .. "/ca.crt",
        deadline = 15 }, turn)
      close()
      assert(server)
      assert.equal("network", code, message)
      assert.equal(text, BODY:sub(1, #text)) -- what came before was right, and is not all
      assert.is_true(#text < #BODY)
      if c[4] then assert.equal(c[4], text) end
    end)
  end
end)
