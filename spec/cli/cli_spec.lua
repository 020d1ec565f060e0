-- The command line on a device, with the real program.

local world = require "spec.support.world"

describe("moult", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local json = require "update.native.json"

  describe("without a device", function()
    local w

    setup(function() w = world.new() end)
    teardown(function() w:close() end)

    it("lists its verbs", function()
      local code, out = w:moult "help"
      assert.equal(0, code)
      for _, verb in ipairs { "run", "settle", "provision", "check", "install", "confirm", "rollback", "status",
        "watch", "history", "explain", "doctor", "keygen", "pack", "sign", "verify", "info", "delta", "depot",
        "help" } do
        assert.truthy(out:find("\n  " .. verb .. " ", 1, true), verb)
      end
      assert.equal(out, (select(2, w:moult "--help")))
    end)

    it("shows each verb with its usage and an example, two ways", function()
      for _, verb in ipairs(require("cli").names()) do
        local code, out, err = w:moult("help " .. verb)
        assert.same({ 0, "" }, { code, err })
        assert.matches("^usage: moult " .. verb, out)
        assert.truthy(out:find("\nexample:\n  moult " .. verb, 1, true), verb)
        assert.equal(out, (select(2, w:moult(verb .. " --help"))), verb)
      end
    end)

    it("fails when its output does not arrive, and is content when nobody wants it", function()
      local program = require("update.native.host").program
      for _, words in ipairs { "help", "--help", "help status", "status --help", "doctor untrusted" } do
        local _, _, code = w:shell(("%s %s >/dev/full 2>err.txt"):format(program, words))
        assert.equal(17, code, words)
        assert.matches("standard output: No space left on device %(write%)\n$", w:read "err.txt")
        _, _, code = w:shell(("%s %s >&- 2>err.txt"):format(program, words))
        assert.same({ 0, "" }, { code, w:read "err.txt" }, words)
      end
    end)

    it("takes no file of its own for a standard one that is closed", function()
      w:write("fds.lua", [[os.execute "for n in 0 1 2; do readlink /proc/$PPID/fd/$n; done >fds.txt"]])
      w:shell(require("update.native.host").program .. " ./fds.lua <&- >&- 2>&-")
      assert.equal(("/dev/null\n"):rep(3), w:read "fds.txt")
    end)

    local wrong = {
      { "",                         2, "usage: moult VERB" },
      { "stats",                    2, 'moult: unknown verb "stats" %(did you mean status%?%)' },
      { "frobnicate",               2, 'moult: unknown verb "frobnicate"; `moult help` lists them' },
      { "delta a b",                2, "moult delta: needs %-o OUT, the file to write" },
      { "-v status",                2, "moult: options come after the verb; found %-v before it" },
      { "status --jsno",            2, "moult status: unknown option %-%-jsno; did you mean %-%-json%?" },
      { "status extra",             2, "moult status: too many arguments; usage: moult status" },
      { "install",                  2, "moult install: too few arguments; usage: moult install PKG" },
      { "help stats",               2, "moult help: unknown verb" },
      { "run --frobnicate",         2, "moult run: unknown option" },
      { "status -c none.lua",       2, "moult status: none.lua: No such file" },
      { "doctor untrusteed",        2, 'moult doctor: no code word "untrusteed" %(did you mean untrusted%?%)' },
      { "keys forget",              2, 'moult keys: unknown action "forget"; use list or apply' },
      { "keys apply",               2, "moult keys: apply needs FILE" },
    }
    for _, case in ipairs(wrong) do
      local words, exit, text = table.unpack(case)
      it(("says what is wrong with %q"):format(words), function()
        local code, out, err = w:moult(words)
        assert.equal(exit, code)
        assert.equal("", out)
        assert.matches(text, err)
        if words ~= "" then assert.matches("%(usage%)\n$", err) end
      end)
    end

    it("explains every code word, also by its exit code", function()
      for _, row in ipairs(require("update.native.error").codes()) do
        local code, out = w:moult("doctor " .. row.word)
        assert.equal(0, code)
        assert.truthy(out:find(row.advice, 1, true))
        local numbers = require("update.cloud.tencent").numbers
        assert.truthy(out:find("Tencent " .. (numbers[row.word] or "not reported"), 1, true))
        assert.equal(out, (select(2, w:moult("doctor " .. row.exit))))
      end
    end)

    it("explains the word that only scripts meet", function()
      local code, out = w:moult "doctor again"
      assert.equal(0, code)
      assert.matches("^again\n.*would have to wait.*call the same function again", out)
      assert.equal("again", json.decode((select(2, w:moult "doctor again --json"))).word)
    end)

    it("tells its version", function()
      assert.matches("^moult %d+%.%d+%.%d+\n$", (select(2, w:moult "--version")))
    end)

    it("names the field that is wrong in a configuration", function()
      w:write("config.lua", 'return { project = "METER", colour = 1 }')
      local code, _, err = w:moult "status"
      assert.equal(2, code)
      assert.matches("moult status: .*config.lua: .*%(usage%)\n$", err)
    end)

    it("says that there is no device yet", function()
      w:configure()
      for _, verb in ipairs { "status", "history", "confirm", "rollback", "install p.upd", "explain p.upd" } do
        local code, _, err = w:moult(verb)
        assert.equal(2, code, verb)
        assert.matches("run moult provision", err)
      end
      local code, out = w:moult "doctor"
      assert.equal(2, code)
      assert.matches("fail  state .*\n +%-> run `moult provision PKG`", out)
    end)
  end)

  describe("on a device without a running agent", function()
    local w

    before_each(function()
      w = world.new()
      w:configure()
      w:pack { sequence = 1, version = "1.0.0" }
      assert.equal(0, (w:moult "provision p1.upd -q"))
      w:pack { sequence = 2, version = "1.0.1" }
    end)
    after_each(function() w:close() end)

    it("leaves a release's policy out that lets nothing in: after its days, or when asked to", function()
      local never = { ["policy.lua"] = 'return { decide = function() return { action = "defer" } end }' }
      w:pack { sequence = 3, version = "1.0.2", files = never }
      w:configure "policy_days = 1,"
      assert.equal(4, (w:moult "install p3.upd -q"))
      assert.equal(0, w:status().kept_out)
      w:run()
      w:wait_status({ release = "1.0.2", phase = "idle" }, 40)
      w:stop "device"
      w:pack { sequence = 4, version = "1.0.3" }
      assert.equal(0, (w:moult "explain p4.upd --default-policy -q"))
      assert.equal(20, (w:moult "explain p4.upd -q"))
      assert.equal(0, w:status().kept_out) -- it only looked
      assert.equal(20, (w:moult "install p4.upd -q"))
      assert.equal(1, w:status().kept_out)
      assert.matches("policy +the release's policy kept packages out: day 1 of 1; the default policy", (select(2,
        w:moult "status")))
      local code, out = w:moult "explain p4.upd"
      assert.equal(0, code)
      assert.matches("skip  rule policy +the release's policy kept packages out on 1 days: it is left out", out)
      w:configure "policy_days = 2,"
      assert.equal(20, (w:moult "install p4.upd -q")) -- no second time on one day
      assert.equal(1, w:status().kept_out)
      assert.equal(4, (w:moult "install p4.upd --default-policy -q"))
      assert.equal("armed", w:status().phase)
    end)

    it("passes the maker's notes to policy, and shows them", function()
      w:pack { sequence = 3, version = "1.0.2",
        manifest = [[meta = { security = true, advisories = { { id = "CVE-1" } }, support_until = 2000000000 },]] }
      w:configure 'policy = "policy.lua",'
      w:write("policy.lua", [[return { decide = function(offer)
        return { action = "defer", retry_after = 1,
          reason = offer.meta and offer.meta.security and offer.meta.advisories[1].id:lower():gsub("%W", "") or "none" }
      end }]])
      assert.matches("decision: defer %(cve1%)", (select(2, w:moult "explain p3.upd")))
      assert.matches("decision: defer %(none%)", (select(2, w:moult "explain p2.upd")))
      local _, out = w:moult "info p3.upd"
      assert.matches('\nmeta +advisories: %[{"id":"CVE%-1"}%]\nmeta +security: true\n'
        .. "meta +support_until: 2033%-05%-18 03:33:20 UTC\n", out)
    end)

    it("warns of a sequence that looks like a typing error", function()
      local code, _, err = w:moult("explain", w:pack { sequence = 1 << 41, version = "1.0.2" })
      assert.equal(0, code)
      assert.matches("^warning: sequence 2199023255552 is more than 2^40 above the floor of this device, 1: ", err)
      code, _, err = w:moult("explain", w:pack { sequence = (1 << 40) + 1, version = "1.0.2" })
      assert.same({ 0, "" }, { code, err })
      local far = w:pack { sequence = (1 << 62) + 1, version = "1.0.2",
        manifest = "issued = 4102444800, not_after = 9," }
      code, _, err = w:moult("explain", far)
      assert.equal(15, code)
      assert.matches("above the floor of this device", err)
      w:shell "sed -i 's/1\\.0\\.2/June/' src-4611686018427387905/recipe.lua src-4611686018427387905/app/main.lua"
      code, _, err = w:moult("pack", w:path "src-4611686018427387905/recipe.lua", "-k release.key -o x.upd")
      assert.equal(0, code)
      for _, text in ipairs {
        "sequence 4611686018427387905 is above 2^62: devices accept it only with a signed permit\n",
        "issued, 2100-01-01 00:00:00 UTC, is more than a day ahead of this machine's clock\n",
        "version June is not of the form 1.2.3",
        "not_after, 1970-01-01 00:00:09 UTC, is in the past by this machine's clock: no device will install it\n" } do
        assert.truthy(err:find("warning: " .. text, 1, true), err)
      end
    end)

    it("gives status --json as one object with these fields and no others", function()
      local function names(object)
        local list = {}
        for name in pairs(object) do list[#list + 1] = name end
        table.sort(list)
        return table.concat(list, " ")
      end
      local idle = w:status()
      assert.equal("core files floor hotfixes kept_out last mixed phase release retry script time transaction trouble",
        names(idle))
      assert.same({ json.null, json.null, json.null }, { idle.core, idle.transaction, idle.last })
      assert.same({ "idle", "1.0.0", { version = "1.0.0", generation = 1, damage = json.null, restarts = json.null,
        reason = json.null, next_start = json.null },
        { script = 1, core = 0, files = 0 } }, { idle.phase, idle.release, idle.script, idle.floor })
      assert.matches('"hotfixes":%[%]', (select(2, w:moult "status --json")))
      assert.equal(4, (w:moult "install p2.upd -q"))
      local armed = w:status()
      assert.same({ "armed", "1.0.0" }, { armed.phase, armed.release })
      assert.equal("done part release sequence total unsigned", names(armed.transaction))
      assert.same({ "1.0.1", 2, "script" },
        { armed.transaction.release, armed.transaction.sequence, armed.transaction.part })
      assert.equal("integer", math.type(armed.transaction.done))
      assert.equal(0, (w:moult "rollback"))
      local back = w:status()
      assert.equal("code message sequence time unsigned verdict", names(back.last))
      assert.same({ "idle", json.null, "ok" }, { back.phase, back.transaction, back.last.code })
    end)

    it("says what is wrong with the script that runs", function()
      w:write("state/script/1.bad", "generation 1: its files are not those that were installed")
      assert.matches("^generation 1: its files", w:status().script.damage)
      assert.matches("damage +generation 1: its files are not", (select(2, w:moult "status")))
      local _, out = w:moult "doctor"
      assert.matches("warn  script +generation 1: its files are not those that were installed\n +%-> ", out)
    end)

    it("shows the status on one screen", function()
      local code, out = w:moult "status"
      assert.equal(0, code)
      assert.matches("release +1.0.0\n", out)
      assert.matches("script +1.0.0 %(generation 1%)\n", out)
      assert.matches("agent +not running\n$", out)
      assert.is_true(select(2, out:gsub("\n", "\n")) <= 24)
    end)

    it("installs from a file up to armed, once, and disarms", function()
      local code, out, err = w:moult "install p2.upd --progress=plain"
      assert.same({ 4, "" }, { code, out })
      assert.matches("fetching 1.0.1 100%%", err)
      assert.matches("1.0.1 is armed; its trial begins with the next `moult run`\n$", err)
      code, out, err = w:moult "install p2.upd"
      assert.same({ 4, "" }, { code, out })
      assert.matches("1.0.1 is armed already; its trial begins with the next start of the script\n$", err)
      w:pack { sequence = 3, version = "1.0.2" }
      code, out, err = w:moult "install p3.upd"
      assert.same({ 5, "" }, { code, out })
      assert.matches("^moult install: 1.0.1 is armed; .* %(busy%)\n$", err)
      assert.equal(0, (w:moult "rollback"))
      assert.equal(3, (w:moult "rollback"))
      assert.equal(3, (w:moult "confirm"))
      assert.matches("^%d+%-%d%d%-%d%d %d%d:%d%d:%d%d UTC  provisioned", (select(2, w:moult "history")))
      local events = w:history()
      assert.same({ "provisioned 1.0.0", "begun 1.0.1", "armed 1.0.1", "disarmed 1.0.1" }, events)
    end)

    it("installs from a URL with a query string, and says that a file is missing on the server", function()
      w:pack { sequence = 2, version = "1.0.1", name = "depot/p2.upd" }
      w:serve()
      local code, _, err = w:moult(("install '%s/none.upd'"):format(w.url))
      assert.equal(11, code)
      assert.matches("^moult install: .*%(missing%)\n$", err)
      code, _, err = w:moult(("install '%s/p2.upd?token=secret' --progress=json -v"):format(w.url))
      assert.equal(4, code, err)
      assert.is_nil(err:find("secret", 1, true))
      local last
      for line in err:gmatch("[^\n]+") do
        if line:sub(1, 1) == "{" then last = json.decode(line) end
      end
      assert.same({ "progress", last.total }, { last.event, last.done })
    end)

    it("gives up on a server that is not there", function()
      local code, _, err = w:moult "install http://127.0.0.1:9/p.upd"
      assert.equal(10, code)
      assert.matches("%(network%); trying again in %d s\n", err)
      assert.matches("%(network%)\n$", err)
    end)

    it("does nothing with --dry-run, and says what it would do", function()
      local code, out = w:moult "install p2.upd --dry-run"
      assert.equal(0, code)
      assert.matches("decision: install %(newer%)", out)
      assert.equal("idle", w:status().phase)
      assert.is_nil(w:read("state/tx/manifest.json"))
    end)

    it("explains with every gate and rule, and exits with the reason", function()
      local code, out = w:moult "explain p1.upd"
      assert.equal(3, code)
      assert.matches("STOP  gate floor +sequence 1 is not above", out)
      assert.matches("decision: refuse %(same%): release 1.0.0 runs already", out)
      w:pack { sequence = 1, version = "0.9.0", name = "p0.upd" }
      code, out = w:moult "explain p0.upd"
      assert.equal(15, code)
      assert.matches("decision: refuse %(incompatible%)", out)
      code, out = w:moult "explain p2.upd --json"
      assert.equal(0, code)
      local object = json.decode(out)
      assert.same({ "install", "default", "1.0.1" },
        { object.decision.action, object.by, object.offer.release })
      assert.is_true(#object.tree >= 15)
    end)

    it("refuses a package without a trusted signature", function()
      w:write("junk.upd", ("junk"):rep(5000))
      for _, verb in ipairs { "install", "explain" } do
        local code, _, err = w:moult(verb, "junk.upd")
        assert.equal(14, code)
        assert.matches("junk.upd.*%(untrusted%)\n$", err)
      end
      local code, _, err = w:moult "install none.upd"
      assert.equal(11, code)
      assert.matches("none.upd.*%(missing%)\n$", err)
    end)

    it("checks the set-up", function()
      local code, out, err = w:moult "doctor"
      assert.equal(0, code, out)
      for _, what in ipairs { "config", "keys", "state", "slots", "space", "clock", "policy" } do
        assert.matches("\nok +" .. what .. " ", "\n" .. out)
      end
      -- What those two say is of the medium of the temporary directory.
      local level = w:shell('[ "$(stat -fc %T .)" = tmpfs ]') and "warn" or "ok"
      assert.matches("\n" .. level .. " +medium ", "\n" .. out)
      assert.matches("\nok +records +journal:", "\n" .. out)
      assert.matches("warn  agent +not running\n +%-> start it with `moult run`", out)
      assert.equal("this device is usable\n", err)
      assert(w:shell("rm keys/release.pub"))
      code, out = w:moult "doctor --json"
      assert.equal(14, code)
      assert.same({ "fail", "keys" }, { json.decode(out)[3].level, json.decode(out)[3].what })
    end)

    it("finds a broken policy", function()
      w:configure('policy = "policy.lua",')
      w:write("policy.lua", "return { healthy = function() error('oops') end }")
      local code, out = w:moult "doctor"
      assert.equal(19, code)
      assert.matches("fail  policy [^\n]*oops", out)
      code = w:moult "install p2.upd"
      assert.equal(4, code) -- only healthy is broken: decide is the default's
    end)

    it("provisions once", function()
      local code, _, err = w:moult "provision p1.upd"
      assert.equal(2, code)
      assert.matches("^moult provision: .*%(usage%)\n$", err)
    end)

    it("has no cloud to check, and says so", function()
      local code, _, err = w:moult "check"
      assert.equal(2, code)
      assert.matches("no cloud is configured", err)
    end)
  end)

  describe("on a device whose agent runs", function()
    local w

    setup(function()
      w = world.new()
      w:device { period = 86400, config = 'restart_when = "asked", confirm = "script",' }
      w:run()
    end)
    teardown(function() w:close() end)

    it("asks the agent", function()
      assert.matches("agent +running\n$", (select(2, w:moult "status")))
      local code, out = w:moult "doctor"
      assert.equal(0, code, out)
      assert.matches("\nok    agent +running\n", out)
      assert.matches("\nok    cloud luat ", out)
      assert.same({ "provisioned 1.0.0" }, w:history())
    end)

    it("checks, explains, installs, and drops by it", function()
      w:publish()
      local code, out
      w:wait("the depot's news", function()
        code, out = w:moult "check"
        return code == 0
      end)
      assert.matches("^luat offers 1.0.1 %(sequence 2: script 1.0.1; %d+ bytes%)\n", out)
      assert.equal(0, (w:moult "explain depot/p2.upd"))
      local err
      code, out, err = w:moult "install depot/p2.upd --progress=plain"
      assert.same({ 4, "" }, { code, out }, err)
      assert.matches("fetching 1.0.1 100%%", err)
      assert.equal("armed", w:status().phase)
      assert.equal(4, (w:moult "install depot/p2.upd"))
      assert.equal(0, (w:moult "rollback"))
      code, out, err = w:moult "install p1.upd"
      assert.same({ 3, "" }, { code, out })
      assert.matches("moult install: release 1.0.0 runs already %(nothing%)\n$", err)
      local status = w:wait_status { phase = "idle" }
      assert.same({ "1.0.0", "ok" }, { status.release, status.last.code })
      assert.same({ 3, 3 }, { (w:moult "rollback"), (w:moult "confirm") })
    end)
  end)
end)
