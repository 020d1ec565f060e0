-- What a device's script may do to the device, and what it may not.

local world = require "spec.support.world"

local lines = world.lines

describe("the script of a device", function()
  local new = world.kept(after_each)

  local function gone(pid)
    local file = io.open(("/proc/%s/stat"):format(pid))
    local state = file and file:read("a"):match "%) (%a)" or "Z" -- whoever waits for it may take its time
    if file then file:close() end
    return state == "Z"
  end

  it("leaves no process behind, not one in a session of its own either", function()
    local w = new { body = [[
      os.execute("setsid sh -c 'echo $$ >>" .. require("update.native.host").cwd .. "/daemons; exec sleep 1000' "
        .. ">/dev/null 2>&1 </dev/null &")
      sys.taskInit(function() sys.wait(500) if not io.open("stay") then sys.restart("wanted") end end)]] }
    w:run()
    w:wait("two starts", function() return #lines(w:read("daemons") or "", "%d+") >= 2 end)
    local first = lines(w:read("daemons"), "%d+")[1]
    assert.is_true(gone(first))
    w:write("stay", "")
    -- Nobody tells them that their supervisor was killed: the next one finds them.
    w:stop("device", "KILL")
    w:run()
    w:wait_log("device", "left by a script whose supervisor was killed")
    w:stop("device")
    for _, pid in ipairs(lines(w:read("daemons"), "%d+")) do assert.is_true(gone(pid)) end
  end)

  -- A user who is not us, or why that cannot be tried here.
  local function other_user(command)
    return ("su nobody -s /bin/sh -c '%s'"):format(command)
  end

  local function missing()
    local host = require "update.native.host"
    if not os.execute "test $(id -u) = 0" then return "only root can run the script as another user" end
    local needs = ("test -r %s/update/config/init.lua -a -x %s"):format(host.lua_dir, host.program)
    if not os.execute(other_user(needs) .. " 2>/dev/null") then
      return "this program does not lie where the user nobody can read it"
    end
  end

  local SECRET = "s3cr3t-of-the-cloud"
  local USER = [[script = { user = "nobody" },]]

  -- A device whose script runs as nobody and says what it finds.
  local function device_of_nobody(o)
    local w = new(o)
    assert(w:shell "chmod 711 . && chmod 600 config.lua")
    return w
  end

  it("runs as the user that the configuration names, and works", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER, body = [[
      local function read(path) local f = io.open(path, "rb") return f and f:read "a" or "closed" end
      local id = read "/proc/self/status"
      print("ids " .. id:match "Uid:%s*([%d%s]-)\n" .. "/" .. id:match "Gid:%s*([%d%s]-)\n")
      print("env " .. os.getenv "USER" .. " " .. os.getenv "HOME")
      local state = require("update.native.host").control:match "(.*)/control"
      for _, name in ipairs { "journal.0", "journal.1", "history", "lock", "../config.lua" } do
        print("file " .. name .. " " .. #read(state .. "/" .. name) .. " " .. read(state .. "/" .. name):sub(1, 6))
      end
      print("own " .. (read(state .. "/script/current/main.lua"):match "PROJECT" or "closed"))
      print("made " .. tostring(io.open(state .. "/mine", "w")) .. tostring(io.open(state .. "/script/mine", "w")))
      -- All of this process's memory; what is sought stands nowhere as it is written here.
      local planted, secret, found = ("x"):rep(9) .. "planted", 0, 0
      local maps, memory = read "/proc/self/maps", assert(io.open("/proc/self/mem", "rb"))
      for from, to in maps:gmatch "(%x+)%-(%x+) r" do
        local at, size = tonumber(from, 16), tonumber(to, 16) - tonumber(from, 16)
        local text = size < 1 << 26 and memory:seek("set", at) and memory:read(size) or ""
        if text:find "s[3]cr3t%-of%-the%-cloud" then secret = secret + 1 end
        if text:find "xxxxxxxx[x]planted" then found = found + 1 end
      end
      print("secret in " .. secret .. ", planted in " .. (found > 0 and "some" or "none") .. #planted)
      sys.taskInit(function() print("agent says " .. tostring(update.status().phase)) end)]] }
    w:configure(USER .. [[ cloud = { kind = "tencent", product = "p", host = "127.0.0.1", port = 9, secret = "]]
      .. SECRET .. [[" },]], { heartbeat = 60 }) -- all of its memory is looked through in one go
    w:run()
    w:wait_log("device", "agent says idle")
    local log = w:read "device.log"
    local uid = w:shell "id -u nobody >uid" and w:read("uid"):match "%d+"
    assert.matches(("ids %s%%s+%s%%s+%s%%s+%s/"):format(uid, uid, uid, uid), log)
    assert.matches("env nobody ", log, 1, true)
    for _, name in ipairs { "journal.0", "journal.1", "history", "lock", "../config.lua" } do
      assert.matches("file " .. name .. " 6 closed", log, 1, true)
    end
    assert.matches("own PROJECT", log, 1, true)
    assert.matches("made nilnil", log, 1, true)
    assert.matches("secret in 0, planted in some", log, 1, true)
    assert(w:shell "test $(stat -c %a state) = 711 && test $(stat -c %U state/control) = nobody")
    assert.equal(0, (w:moult "status"))
  end)

  it("reads what it is given, whatever the umask of whoever starts the device, and has that umask", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER }
    local body = 'print("umask " .. io.popen("umask"):read "l") ' .. world.TICK
    w:shell "rm -rf state" -- provisioned with that umask, too
    w:pack { version = "1.0.0", sequence = 1, body = body }
    assert(w:shell(("umask 077; MOULT_CONFIG=config.lua '%s' provision p1.upd -q"):format(
      require("update.native.host").program)))
    w.under = [[sh -c 'umask 077; exec "$0" "$@"']]
    w:run()
    w:wait_log("device", "umask 0077\n.*working 1.0.0")
    assert.equal(4, (w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = body })))
    w:wait_log("device", "umask 0077\n.*working 1.0.1")
    w:moult "confirm"
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert(w:shell "test $(stat -c %a state/script/2/main.lua) = 644 && test $(stat -c %a state/journal.0) = 600")
  end)

  it("continues its updates as that user", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER }
    w:run()
    w:wait_log("device", "working 1.0.0")
    local code, _, err = w:moult("install -q", w:pack { version = "1.0.1", sequence = 2, body = world.TICK
      .. 'sys.taskInit(function() sys.wait(300) print("confirmed " .. tostring(update.confirm())) end)' })
    assert.equal(4, code, err)
    w:wait_log("device", "confirmed true")
    w:wait_status { phase = "idle", release = "1.0.1" }
  end)

  it("takes a hotfix, which is tested as that user", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER .. "hotfix_time = 12," }
    local package = w:pack_fix { sequence = 5, lua = { ["clock.lua"] = "return 7" }, test = [[return function()
      return require "clock" == 7 and not io.open "../../ledger.0" and os.execute "test $(id -un) = nobody" end]] }
    w:run()
    w:wait_log("device", "working 1.0.0")
    local code, _, err = w:moult("install -q", package)
    assert.equal(0, code, err)
    assert.equal("fresh", w:status().hotfixes[1].state)
  end)

  it("is refused verbs that are not the script's, and others are told who may ask", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER, body = [[
      sys.taskInit(function()
        print("install", update.ask("install", { source = "/etc/passwd" }))
        print("apply", update.apply { cloud = "x", source = "/etc/passwd" })
        print("history", #update.ask "history")
      end)]] }
    w:run()
    w:wait_log("device", "install%s+nil%s+user %d+ may not ask for install: only root[^\n]*refused")
    w:wait_log("device", "apply%s+nil%s+user %d+ may install from a URL, but not from a path")
    w:wait_log("device", "history%s+%d")
    -- The same user, but not below the script.
    local program = require("update.native.host").program
    assert(w:shell "chmod 644 config.lua")
    for _, verb in ipairs { "status", "watch", "rollback", "history", "doctor" } do
      w:shell(other_user(("cd %s; %s %s -c config.lua"):format(w.dir, program, verb)) .. " >out.txt 2>&1")
      local said = w:read "out.txt"
      assert.matches("only root and the user that runs the agent may", said, 1, true)
      assert.matches("refused", verb == "doctor" and "refused" or said, 1, true)
      assert.not_matches("provision", said)
      assert.not_matches("no agent is running", said)
    end
    w:shell(other_user(("cd %s; %s provision p1.upd -c config.lua"):format(w.dir, program)) .. " >out.txt 2>&1")
    assert.matches("only root and the user that runs the agent may", w:read "out.txt", 1, true)
  end)

  it("is not started as an unknown user, nor by another user", function()
    local w = new { fields = [[script = { user = "no-such-user" },]] }
    local code, _, err = w:moult "run"
    assert.equal(2, code)
    assert.matches("script.user: this system has no user no%-such%-user", err)
    local _, out = w:moult "doctor"
    assert.matches("fail  script     this system has no user no%-such%-user", out)
  end)

  it("is checked by doctor: it can read what it needs and nothing else", function()
    if missing() then return pending(missing()) end
    local w = device_of_nobody { fields = USER .. 'policy = "mine.lua",' }
    assert(w:shell "chmod 700 state && echo 'return {}' >mine.lua && chmod 644 mine.lua")
    local _, out = w:moult "doctor"
    assert.matches("fail  script     user nobody cannot read .*main.lua\n.*chmod o%+x", out)
    w:run() -- corrects the state
    w:wait_log("device", "working 1.0.0")
    _, out = w:moult "doctor"
    assert.matches("fail  script     user nobody has access to %S+mine.lua\n", out)
    assert(w:shell "chmod 600 mine.lua")
    _, out = w:moult "doctor"
    assert.matches("ok    script     runs as user nobody, without access to records, secrets and keys", out)
  end)
end)
