-- What time it is, on a real device: a server whose certificate was verified
-- vouches for the clock, and no release does.

local world = require "spec.support.world"

describe("time", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = world.new()
    w:shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt "
      .. "-subj /CN=x -days 30 -addext subjectAltName=IP:127.0.0.1 2>/dev/null")
    w:configure 'ca_file = "ca.crt",'
    w:pack { sequence = 1, version = "1.0.0" }
    assert.equal(0, (w:moult "provision p1.upd -q"))
  end)
  after_each(function() w:close() end)

  -- A server over TLS that answers `file` with the package at `path`, and a date.
  local function serve(file, path, date)
    local body = w:read(path)
    w:write(file, ("HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s"):format(
      os.date("!%a, %d %b %Y %H:%M:%S GMT", date), #body, body))
    local pipe = assert(io.popen(("cd %s && echo $$ && exec openssl s_server -accept 127.0.0.1:0 -cert ca.crt "
      .. "-key ca.key -HTTP 2>&1"):format(w:path ".")))
    local pid, port = pipe:read "n"
    while not port do port = assert(pipe:read "l", "no TLS server"):match "^ACCEPT 127%.0%.0%.1:(%d+)" end
    return ("https://127.0.0.1:%s/%s"):format(port, file), setmetatable({}, { __close = function()
      os.execute("kill " .. pid)
      pipe:close()
    end })
  end

  it("is trusted when such a server agrees, and a release of the year 2100 changes nothing", function()
    w:pack { sequence = 2, version = "1.0.1", manifest = "issued = 4102444800," }
    w:pack { sequence = 3, version = "1.0.2", manifest = ("not_after = %d,"):format(os.time() + 86400) }
    w:run()
    local url, server <close> = serve("served", "p2.upd", os.time())
    assert.equal(4, (w:moult("install", url, "-q")))
    assert(server)
    assert.is_true(w:status().time.trusted)
    w:wait_status { release = "1.0.1", phase = "idle" }
    assert.is_true(w:status().time.trusted)
    assert.is_true(math.abs(w:status().time.now - os.time()) < 3600)
    assert.equal(0, (w:moult "explain p3.upd"))
  end)

  it("is not vouched for by one that disagrees", function()
    w:pack { sequence = 2, version = "1.0.1" }
    local url, server <close> = serve("served", "p2.upd", os.time() - 86400)
    w:run()
    local before = w:status().time.trusted -- by the kernel, perhaps
    assert.equal(4, (w:moult("install", url, "-q")))
    assert(server)
    assert.equal(before, w:status().time.trusted)
  end)
end)
