-- `moult depot DIR --admin`: a process of its own beside the depot.

local admin_child = require "depot.api.child"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local options = require "depot.api.options"
local verb = require "spec.support.verb"

local PATIENCE = 20 -- seconds

describe("moult depot --admin", function()
  local folder, depot = folders.new(), nil

  local function log() return folder.read "log" or "" end

  local function wait(what, done)
    local till = natives.loop.now() + PATIENCE
    local loop <close> = natives.loop.new()
    while true do
      local result = done()
      if result then return result end
      assert(natives.loop.now() < till, "nothing came of " .. what .. "; the log: " .. log())
      loop:poll(20)
    end
  end

  local function start(words)
    depot = assert(natives.command.start { "sh", "-c",
      ("exec /proc/%d/exe depot %s --listen 127.0.0.1:0 %s >%s 2>&1"):format(
        assert(io.open("/proc/self/stat")):read "n", folder.dir, words, folder.path "log") })
  end

  -- The number of the admin server's process, or nil.
  local function admin_pid()
    local pipe <close> = io.popen(("pgrep -f 'depot admi[n] %s '"):format(folder.dir))
    return pipe:read "n"
  end

  before_each(function() folder.make "keys" end)
  after_each(function()
    if depot then depot:close() end
    depot = nil
    wait("the end of the admin server", function() return not admin_pid() end)
    folder.remove()
  end)

  it("serves the API, begins anew when killed, and ends with the depot", function()
    start "--admin 127.0.0.1:0"
    local address = wait("the address", function() return log():match "admin on http://(%S+)" end)
    assert.matches("there are no users yet", wait("the hint", function() return log():match "there are[^\n]*" end))
    local first = admin_pid()
    depot:hang_up() -- files are read again, here and there
    local out = verb.good("depot", { "user", "add", folder.dir, "ann" }, { role = "admin" })
    assert.matches("http://" .. address:gsub("%.", "%%.") .. "/once%?token=", out)
    local pid = admin_pid()
    assert.equal(first, pid)
    -- One that fails at once is a mistake of whoever started it; this one has run for a while.
    wait("three seconds", function() return natives.loop.now() % 1 and
      os.execute(("test $(ps -o etimes= -p %d) -gt 4"):format(pid)) end)
    assert(os.execute("kill -9 " .. pid))
    wait("another one", function() return select(2, log():gsub("admin on http", "")) == 2 end)
    assert.not_equal(pid, admin_pid())
    depot:close()
    wait("its end", function() return not admin_pid() end)
  end)

  it("is told what webhooks may do", function()
    start(("--admin 127.0.0.1:0 --webhook-private --webhook-ca %s"):format(folder.path "ca.crt"))
    wait("the address", function() return log():match "admin on http://(%S+)" end)
    local file <close> = assert(io.open(("/proc/%d/cmdline"):format(admin_pid())))
    local words = file:read("a"):gsub("%z", " ")
    assert.is_truthy(words:find("--webhook-private", 1, true))
    assert.is_truthy(words:find("--webhook-ca " .. folder.path "ca.crt", 1, true))
  end)

  it("does not start without the admin server that was asked for", function()
    start "--admin 192.0.2.1:1 --trusted-proxy 192.0.2.2"
    wait("the end", function() return depot:poll() end)
    assert.matches("the admin server did not start", log())
  end)
end)

describe("an admin server that ended", function()
  it("is started anew in pauses, and what prevents it is told once", function()
    local now, starts, noted, status, broken = 0, 0, {}, nil, false
    local child = assert(admin_child.start({
      loop = { now = function() return now end },
      command = { start = function()
        starts = starts + 1
        if broken then return nil, "fork: no memory", "refused" end
        return { poll = function() return status end, close = function() end }, 0
      end },
      channel = { from_fd = function() return { send = function() return true end, close = function() end } end },
    }, "dir", { admin = "127.0.0.1:0" }, function(text) noted[#noted + 1] = text end))
    now = 4
    assert(child:step())
    status, broken = 9, true
    assert(child:step())
    starts, noted = 0, {}
    for _, at in ipairs { 5.5, 5.6, 7.6 } do
      now = at
      assert(child:step())
    end
    assert.equal(2, starts)
    assert.same({ "admin: the server cannot be started, it is tried again: fork: no memory" }, noted)
    now, status, broken = 13, nil, false
    assert(child:step())
    assert.equal(3, starts)
  end)
end)

describe("the admin server asks for TLS where others can listen", function()
  for listen, code in pairs { ["0.0.0.0:8081"] = "refused", ["192.0.2.1:8081"] = "refused", ["[::]:8081"] = "refused",
    [":8081"] = "refused", ["8081"] = "usage", ["127.0.0.1:x"] = "usage" } do
    it("at " .. listen, function()
      local set, _, word = options.check { admin = listen }
      assert.same({ nil, code }, { set, word })
    end)
  end

  it("but not on this machine, or behind a proxy", function()
    for _, listen in ipairs { "127.0.0.1:8081", "[::1]:8081", "localhost:8081" } do
      assert.equal(listen, assert(options.check { admin = listen }).listen)
    end
    assert(options.check { admin = "0.0.0.0:8081", ["trusted-proxy"] = { "192.0.2.7" } })
  end)

  it("and refuses addresses that are none", function()
    for _, opts in ipairs { { ["admin-url"] = { "depot.example" } }, { ["admin-url"] = { "http://a/b" } },
      { ["admin-url"] = { "http://u@a" } }, { ["trusted-proxy"] = { "proxy" } }, { ["admin-cert"] = "a.pem" } } do
      opts.admin = "127.0.0.1:8081"
      assert.equal("usage", (select(3, options.check(opts))))
    end
  end)
end)
