local engine = require "update.engine"
local patience = require "update.engine.patience"
local fakes = require "spec.support.engine_fakes"
local retry = require "update.engine.retry"

local INSTALL = { action = "install", reason = "newer" }

-- An engine over fakes; what happened is in the second result.
local function make(o)
  local f = fakes.new(o)
  f.witnessed = {}
  local lines, events, asked = {}, {}, {}
  local e = engine.new {
    natives = f.natives, device = f.device, loop = {}, keys = "/keys", tasks = f.tasks, tries = o.tries,
    ask = function(offer, facts, left_out)
      f.write(left_out and "ask: " .. left_out or "ask")
      asked[#asked + 1] = { offer = offer, facts = facts }
      if left_out and o.default then return o.default, {}, "default" end
      if o.silent then return nil, "the policy process was killed", "refused" end
      local tree = { { rule = "higher", result = "ok", text = "the script is new" } }
      return o.decision or INSTALL, tree, o.by or "default"
    end,
    facts = function() return { battery = 80, project = "FORGED" } end,
    http = { proxy = "http://proxy" },
    log = function(line) lines[#lines + 1] = line end, note = o.quiet and function() end or nil,
    detail = o.verbose and function(line) lines[#lines + 1] = line end or nil,
    on = function(event) events[#events + 1] = event end,
    random = function() return 1 end,
    witness = function(date) f.witnessed[#f.witnessed + 1] = date end,
  }
  return e, f, lines, events, asked
end

local function where(fields)
  local w = { cloud = "luat", location = "http://h/p.upd?token=secret" }
  for k, v in pairs(fields or {}) do w[k] = v end
  return w
end

local function fail(code, message) return { nil, message or code .. " happened", code } end

local URL = "open http://h/p.upd?token=secret"
local ALL = { URL, "package in spool", "gates", "ask", "begin", "transfer", "close transfer", "close source", "finish",
  "finish", "close package" }

describe("update.engine", function()
  it("shows a permit to the gates and to begin, and to nothing else", function()
    local e, f, _, _, asked = make { gates = { open = true, permitted = true, lines = {} } }
    assert.truthy(e:install(where { permit = "/p.json" }))
    assert.same({ URL, "package in spool", "permit /p.json", "gates", "no permit", "ask", "permit /p.json", "begin",
      "no permit", "transfer" }, table.move(f.log, 1, 10, 1, {}))
    assert.is_true(asked[1].offer.permit)
    e, f, _, _, asked = make {}
    assert.truthy(e:install(where()))
    assert.same(ALL, f.log)
    assert.is_false(asked[1].offer.permit)
  end)

  describe("with a source of its own that somebody else arms", function()
    -- A place whose held() gives these answers in turn.
    local function pushed(f, answers, more)
      local place = { location = "the pieces of a cloud", pause = function() f.write "pause" end,
        source = function() return f.natives.source.file "pieces" end,
        held = function()
          f.write "held"
          local answer = table.remove(answers, 1)
          if type(answer) == "function" then answer = answer() end
          if type(answer) == "table" then return table.unpack(answer, 1, 3) end
          return answer
        end }
      for name, value in pairs(more or {}) do place[name] = value end
      return where(place)
    end

    it("waits for what is fed, reads back, and arms when it is told to", function()
      local e, f = make {}
      assert.truthy(e:install(pushed(f, { "hold", "hold", "arm" })))
      assert.same({ "open pieces", "pause", "package in spool", "gates", "ask", "begin", "transfer", "pause",
        "close transfer", "close source", "prepare", "held", "wait 1.0", "held", "wait 1.0", "held", "finish", "finish",
        "close package" }, (function()
          local log = f.log
          -- The head is opened before it waits for the first time.
          if log[2] == "package in spool" then log[2], log[3] = log[3], log[2] end
          return log
        end)())
    end)

    it("lets another update go first while it waits, and keeps its transaction", function()
      local e, f = make {}
      local place = pushed(f, { function()
        assert.same({ false, true }, { e:has_begun(), e:stands_by() })
        e:make_way()
        return "hold"
      end, "hold" })
      local result, message, code = e:install(place)
      assert.same({ nil, "another update goes first", "busy" }, { result, message, code })
      assert.is_false(e:stands_by())
      assert.is_nil(table.concat(f.log, "\n"):match "finish")
      assert.is_nil(table.concat(f.log, "\n"):match "abandon")
    end)

    it("ends when it is cancelled, or when who feeds it goes", function()
      local e, f = make {}
      local _, message, code = e:install(pushed(f, { function() e:cancel "nobody wants it" return "hold" end }))
      assert.same({ "nobody wants it", "refused" }, { message, code })
      e, f = make {}
      _, message, code = e:install(pushed(f, { { nil, "the cloud began anew", "network" } }))
      assert.same({ "the cloud began anew", "network" }, { message, code })
      assert.is_nil(table.concat(f.log, "\n"):match "abandon")
    end)

    it("does not arm what is not read back", function()
      local e, f = make { prepare = { fail("write", "it reads back otherwise") } }
      local _, message, code = e:install(pushed(f, {}))
      assert.same({ "it reads back otherwise", "write" }, { message, code })
      assert.match("abandon write", table.concat(f.log, "\n"))
    end)
  end)

  it("passes on what policy decides about reusing blocks", function()
    local e, f = make { decision = { action = "install", reason = "newer", reuse = false } }
    assert.truthy(e:install(where()))
    assert.same({ "reuse false", "transfer" }, table.move(f.log, 6, 7, 1, {}))
  end)

  it("keeps the gate closed with an invalid permit", function()
    local e, f = make { permit = { nil, "/p.json: signed by a stranger", "untrusted" } }
    local ok, message, code, verdict = e:install(where { permit = "/p.json" })
    assert.same({ nil, "/p.json: signed by a stranger", "untrusted" }, { ok, message, code })
    assert.same({ gate = "floor", result = "stop", text = message }, verdict.tree[1])
    assert.same({ URL, "package in spool", "permit /p.json", "close package", "close source" }, f.log)
  end)

  it("checks certificates by the known lower bound while the clock is not trusted", function()
    for _, floor in ipairs { 1700000000, false } do
      local e, f = make { time_floor = floor or nil }
      e:install(where())
      assert.equal(floor or nil, f.options.time_floor)
      assert.equal("http://proxy", f.options.proxy)
    end
  end)

  describe("when the release's policy keeps a package out", function()
    local DEFER, ALONE = { action = "defer", reason = "mine" }, "ask: only the default policy is asked"
    local SEEN = { URL, "package in spool", "gates", "ask" }
    local CLOSED = { "close package", "close source" }

    -- what, of the fakes, what happens between
    local cases = {
      { "counts the day when the default would install", { due = true, default = INSTALL }, { ALONE, "count" } },
      { "does not count a package that the default keeps out, too", { due = true, default = DEFER }, { ALONE } },
      { "does not ask for what is counted already", { due = false, default = INSTALL }, {} },
      { "does not count what the owner's policy says", { due = true, default = INSTALL, by = "owner" }, {} },
      { "does not count what the default says", { due = true, default = INSTALL, by = "default" }, {} },
      { "goes on when the day cannot be written",
        { due = true, default = INSTALL, count = { nil, "journal: full", "write" } }, { ALONE, "count" } },
      { "counts a refusal as well",
        { due = true, default = INSTALL, decision = { action = "refuse", reason = "no" } }, { ALONE, "count" } },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        case[2].decision, case[2].by = case[2].decision or DEFER, case[2].by or "generation"
        local e, f = make(case[2])
        local ok, _, code = e:install(where())
        assert.is_nil(ok)
        assert.equal(case[2].decision.action == "refuse" and "refused" or "deferred", code)
        local expected = table.move(SEEN, 1, #SEEN, 1, {})
        table.move(case[3], 1, #case[3], #expected + 1, expected)
        table.move(CLOSED, 1, 2, #expected + 1, expected)
        assert.same(expected, f.log)
      end)
    end

    it("counts nothing when it only looks", function()
      local e, f = make { due = true, default = INSTALL, decision = DEFER, by = "generation" }
      e:inspect(where())
      assert.is_nil(table.concat(f.log, " "):find("count"))
    end)

    it("counts nothing when a gate is closed", function()
      local e, f = make { due = true, default = INSTALL,
        gates = { open = false, code = "incompatible", message = "m", lines = {} } }
      e:install(where())
      assert.is_nil(table.concat(f.log, " "):find("count"))
    end)

    it("tells the device whose policy let something in", function()
      for by, expected in pairs { generation = true, default = false, owner = false } do
        local e, f = make { by = by }
        assert.truthy(e:install(where()))
        assert.equal(expected, f.let_in)
      end
    end)

    it("leaves it out when a person says so", function()
      local e, f = make { default = INSTALL, decision = DEFER, by = "generation" }
      assert.truthy(e:install(where { left_out = "asked for" }))
      assert.equal("ask: asked for", f.log[4])
      assert.is_false(f.let_in)
    end)
  end)

  it("passes on the time of a verified server once, as soon as it is known", function()
    local e, f = make { dates = { false, 1800000000, 1800000000, 1800000007 },
      head = { fail "again", fail "again", fail "again", true } }
    e:install(where())
    assert.same({ 1800000000, 1800000007 }, f.witnessed)
  end)

  it("reads the head, asks gates and policy, journals, fetches and finishes, in this order", function()
    local e, f = make {}
    assert.same({ release = "1.0.1", sequence = 18, needs_restart = false }, e:install(where()))
    assert.same(ALL, f.log)
  end)

  it("says whether the device has to restart", function()
    local e = make { needs_restart = true }
    assert.is_true(e:install(where()).needs_restart)
  end)

  it("never writes a query string into a log", function()
    local e, _, lines = make { head = { fail "network", true } }
    assert(e:install(where()))
    assert.is_true(#lines > 3)
    assert.is_nil(table.concat(lines, "\n"):find("secret", 1, true))
  end)

  it("logs the reasons against a package once, and those for one only in detail", function()
    local function reasons(o)
      local e, _, lines = make(o)
      e:install(where())
      e:install(where())
      local _, count = table.concat(lines, "\n"):gsub("gate project: ok", "")
      return count, #lines
    end
    assert.equal(0, (reasons { head = { true, true }, blocks = { { "done" }, { "done" } },
      finish = { { "armed", "x" }, { "armed", "x" } } }))
    local count, lines = reasons { quiet = true, head = { true, true }, blocks = { { "done" }, { "done" } },
      finish = { { "armed", "x" }, { "armed", "x" } } }
    assert.same({ 0, 0 }, { count, lines })
    assert.equal(1, (reasons { quiet = true, head = { true, true },
      decision = { action = "refuse", reason = "same" } }))
    assert.equal(1, (reasons { head = { true, true }, decision = { action = "defer", reason = "battery" } }))
  end)

  it("logs the transaction's id on every edge, and the whole reason tree", function()
    local e, _, lines = make { verbose = true }
    assert(e:install(where()))
    local all = table.concat(lines, "\n")
    for _, text in ipairs { "from luat: install", "gate project: ok, METER", "rule higher: ok, the script is new",
      "fetching http://h/p.upd", "every block is in place", "armed, read back past the cache" } do
      assert.truthy(all:find(text, 1, true), text)
    end
    for _, line in ipairs(lines) do assert.matches("^update abababab: ", line) end
  end)

  it("takes a path for a file and asks no server", function()
    local e, f = make {}
    assert(e:install { cloud = "file", location = "/tmp/p.upd" })
    assert.equal("open /tmp/p.upd", f.log[1])
    assert.is_nil(f.options)
  end)

  it("passes facts of the script to policy, but never instead of the device's own", function()
    local e, _, _, _, asked = make {}
    assert(e:install(where()))
    assert.equal(80, asked[1].facts.battery)
    assert.equal("METER", asked[1].facts.project)
    assert.equal("luat", asked[1].offer.cloud)
    assert.equal(5000, asked[1].offer.size)
  end)

  describe("before the transaction", function()
    local cases = {
      { "refuse", { decision = { action = "refuse", reason = "same" } }, "refused",
        "refuse %(same%): the script is new" },
      { "defer", { decision = { action = "defer", reason = "battery", retry_after = 900 } }, "deferred",
        "defer %(battery%)" },
      { "a policy that does not answer", { silent = true }, "deferred", "was killed" },
    }
    for _, case in ipairs(cases) do
      local name, o, code, text = table.unpack(case)
      it(name .. " closes the source and journals nothing", function()
        local e, f = make(o)
        local ok, message, word, verdict = e:install(where())
        assert.same({ nil, code }, { ok, word })
        assert.matches(text, message)
        assert.same({ URL, "package in spool", "gates", "ask", "close package", "close source" }, f.log)
        assert.equal(o.silent and "defer" or o.decision.action, verdict.decision.action)
        assert.is_true(f.sources[1].closed)
      end)
    end

    it("a closed gate is not shown to policy", function()
      local e, f = make { gates = { open = false, code = "incompatible", message = "sequence 18 is not above 18",
        lines = { { gate = "floor", open = false, text = "18 is not above 18" } } } }
      local ok, message, code = e:install(where())
      assert.same({ nil, "sequence 18 is not above 18", "incompatible" }, { ok, message, code })
      assert.same({ URL, "package in spool", "gates", "close package", "close source" }, f.log)
    end)

    it("succeeds for the package that is armed already; another one is busy", function()
      local armed = { release = "1.0.1", sequence = 18, digest = ("ab"):rep(32) }
      local e, f = make { phase = "armed", transaction = armed, needs_restart = true }
      assert.same({ release = "1.0.1", sequence = 18, already = true, needs_restart = true }, (e:install(where())))
      assert.same({ URL, "package without spool", "close package", "close source" }, f.log)
      armed.digest = ("cd"):rep(32)
      local other = make { phase = "armed", transaction = armed }
      local ok, message, code = other:install(where())
      assert.same({ nil, "busy" }, { ok, code })
      assert.matches("^1.0.1 is armed; wait until that is over", message)
      local lost = make { phase = "armed", transaction = armed, head = { { nil, "away", "network" } } }
      assert.equal("busy", select(3, lost:install(where())))
    end)

    it("the release that runs, offered again, is nothing, but not when another gate is closed", function()
      local lines = { { gate = "floor", open = false, text = "18 is not above 18" } }
      local o = { runs = "1.0.1", floor = { script = 18, core = 3 },
        gates = { open = false, code = "incompatible", message = "not above", lines = lines } }
      local e, _, log = make(o)
      local ok, message, code, verdict = e:install(where())
      assert.same({ nil, "release 1.0.1 runs already", "nothing" }, { ok, message, code })
      assert.same({ "refuse", "same" }, { verdict.decision.action, verdict.decision.reason })
      assert.equal(1, #log)
      o.floor.script = 19
      assert.equal("incompatible", select(3, make(o):install(where())))
      o.floor.script = 18
      lines[2] = { gate = "hardware", open = false, text = "another" }
      assert.equal("incompatible", select(3, make(o):install(where())))
    end)

    for _, phase in ipairs { "trial", "confirming", "rolling_back" } do
      it("nothing is opened while the phase is " .. phase, function()
        local e, f = make { phase = phase, transaction = { release = "1.0.1" } }
        local ok, message, code = e:install(where())
        assert.same({ nil, "busy" }, { ok, code })
        assert.matches("^1.0.1 is ", message)
        assert.same({}, f.log)
      end)
    end

    it("a package that makes another release than the cloud announced is not looked at further", function()
      local e, f = make {}
      local ok, message, code = e:install(where { release = "9.9.9" })
      assert.same({ nil, "incompatible" }, { ok, code })
      assert.matches("but the cloud announced 9.9.9", message, 1, true)
      assert.same({ URL, "package in spool", "close package", "close source" }, f.log)
    end)

    it("a size that differs from the announced one is a hint, no more", function()
      local e, _, lines = make {}
      assert(e:install(where { size = 5001, release = "1.0.1" }))
      assert.matches("announced 5001 bytes, the signed package has 5000", table.concat(lines, "\n"), 1, true)
    end)

    it("inspecting touches neither spool nor journal", function()
      local e, f = make {}
      assert.equal("install", e:inspect(where()).decision.action)
      assert.same({ URL, "package without spool", "gates", "ask", "close package", "close source" }, f.log)
    end)

    it("an untrusted head ends it at once", function()
      local e, f = make { head = { fail "untrusted" } }
      local _, _, code = e:install(where())
      assert.equal("untrusted", code)
      assert.same({ URL, "package in spool", "close package", "close source" }, f.log)
    end)
  end)

  describe("when the network fails", function()
    it("tries again with pauses that double, and continues where it was", function()
      local e, f, _, events = make { head = { fail "network", fail "network", true },
        blocks = { { "block", fail "network" }, { fail "network" }, { "block", "done" } } }
      assert(e:install(where()))
      assert.same({
        URL, "package in spool", "close package", "close source", "wait 1.0",
        URL, "package in spool", "close package", "close source", "wait 2.0",
        URL, "package in spool", "gates", "ask", "begin",
        "transfer", "close source", "wait 0.2", -- further than before: patience starts anew
        URL, "go on", "close source", "wait 2.0",
        URL, "go on", "close transfer", "close source", "finish", "finish", "close package",
      }, f.log)
      local retries = 0
      for _, event in ipairs(events) do retries = retries + (event.event == "retry" and 1 or 0) end
      assert.equal(4, retries)
    end)

    it("gives up after its tries and leaves the transaction open", function()
      local e, f = make { tries = 3, blocks = { { fail "network" }, { fail "network" }, { fail "network" } } }
      local ok, message, code = e:install(where())
      assert.same({ nil, "network happened", "network" }, { ok, message, code })
      assert.is_nil(table.concat(f.log, ","):find("abandon", 1, true))
      assert.equal("close package", f.log[#f.log])
    end)

    it("continues within a verified head as long as there is progress", function()
      local e, f = make { head = { fail "network", fail "network", true }, offsets = { 1000, 2000 } }
      assert(e:install(where()))
      assert.same({ URL, "package in spool", "wait 0.2", "wait 0.2", "gates" }, table.move(f.log, 1, 5, 1, {}))
    end)

    it("begins the head anew without progress, or before its signature is verified", function()
      local e, f = make { head = { fail "network", fail "network", true }, offsets = { 1000, 1000 } }
      assert(e:install(where()))
      assert.same({ "wait 0.2", "close package" }, table.move(f.log, 3, 4, 1, {}))
      e, f = make { unverified = true, head = { fail "network" }, offsets = { 1000 }, tries = 1 }
      assert.equal("network", select(3, e:install(where())))
      assert.equal("close package", f.log[3])
    end)

    it("waits as long as the server says, a day at most, and tells when", function()
      local e, f, _, events = make { blocks = { { fail "network" }, { fail "network" }, { "block", "done" } },
        answers = { { status = 503, retry_after = 120 }, { status = 503, retry_after = 1 << 40 } } }
      assert(e:install(where()))
      local log = table.concat(f.log, ",")
      assert.truthy(log:find("close source,wait 132.0,", 1, true)) -- not all of a fleet at once
      assert.truthy(log:find("close source,wait 86400.0,", 1, true))
      local retries = {}
      for _, event in ipairs(events) do if event.event == "retry" then retries[#retries + 1] = event.seconds end end
      assert.same({ 132, 86400 }, retries)
    end)

    it("says when a server wants to be asked again that it does not try again", function()
      local e = make { tries = 1, head = { fail "network" }, answers = { { status = 503, retry_after = 120 } } }
      local results = table.pack(e:install(where()))
      assert.same({ "network", 120 }, { results[3], results[5] })
    end)

    it("has patience with the offer of a cloud, for the head and for the blocks", function()
      local fails = {}
      for i = 1, 40 do fails[i] = fail "network" end
      local e, f = make { tries = 3, head = fails }
      local started = f.tasks.now()
      assert.equal("network", select(3, e:install(where { patience = patience.new(600) })))
      assert.is_true(f.tasks.now() - started >= 600)
      local runs = {}
      for i = 1, 40 do runs[i] = { fail "network" } end
      e, f = make { tries = 3, blocks = runs }
      started = f.tasks.now()
      assert.equal("network", select(3, e:install(where { patience = patience.new(600) })))
      assert.is_true(f.tasks.now() - started >= 600)
    end)

    it("counts the patience over attempts that were interrupted", function()
      local e, f = make { tries = 1, head = { fail "network", fail "network" } }
      local w = where { patience = patience.new(600) }
      f.tasks.rest = function() e:make_way() end
      assert.equal("busy", select(3, e:install(w)))
      local now = f.tasks.now
      f.tasks.now = function() return now() + 600 end
      assert.equal("network", select(3, e:install(w)))
    end)

    it("lets others go first until blocks are fetched", function()
      local e, f
      e, f = make { head = { fail "network", fail "network", true }, blocks = { { fail "network" }, { "done" } } }
      local await, count = f.tasks.rest, 0
      f.tasks.rest = function(...)
        e:make_way() -- somebody by hand: it only tries
        await(...)
      end
      assert(e:install(where()))
      e, f = make { head = { fail "network" } }
      f.tasks.rest = function() e:make_way() end
      local _, message, code = e:install(where { patience = patience.new(600) })
      assert.same({ "another update goes first: http://h/p.upd: network happened", "busy" }, { message, code })
      e, f = make { blocks = { { fail "network" }, { "done" } } }
      f.tasks.rest = function() count = count + 1 e:make_way() end
      assert(e:install(where { patience = patience.new(600) }))
      assert.equal(1, count)
    end)

    it("takes the link of now for each try", function()
      local e, f = make { head = { fail "network", true } }
      assert(e:install(where { latest = function() return "http://h/newer" end }))
      assert.equal("open http://h/newer", f.log[6])
    end)

    it("waits at most five minutes, with jitter down to half", function()
      assert.same({ 300, 150, 0.5, 1 }, { retry.pause(30, 1), retry.pause(30, 0), retry.pause(1, 0),
        retry.pause(1, 1) })
    end)
  end)

  describe("when the link expired", function()
    it("asks for a fresh one", function()
      local e, f = make { blocks = { { "block", fail "expired" }, { "block", "done" } } }
      assert(e:install(where { renew = function() return "http://h/fresh" end }))
      assert.truthy(table.concat(f.log, ","):find("open http://h/fresh,go on", 1, true))
    end)

    it("gives up after three renewals in a row without progress", function()
      local renewals = 0
      local e, f = make { head = { fail "expired", fail "expired", fail "expired", fail "expired" } }
      local function renew() renewals = renewals + 1 return "http://h/" .. renewals end
      local _, _, code = e:install(where { renew = renew })
      assert.equal("expired", code)
      assert.equal(3, renewals)
      assert.equal("open http://h/3", f.log[#f.log - 3])
    end)

    it("ends at once when nobody can renew it", function()
      local e = make { head = { fail "expired" } }
      assert.equal("expired", select(3, e:install(where())))
    end)
  end)

  describe("when it is corrupt", function()
    it("ends at once after a block that was wrong twice", function()
      local e, f = make { wasted = 1000, blocks = { { "block", fail "corrupt" } } }
      assert.equal("corrupt", select(3, e:install(where())))
      assert.equal("abandon corrupt", f.log[#f.log - 1])
    end)

    it("tries once more with an object that changed on the server", function()
      local e, f = make { blocks = { { "block", fail "corrupt" }, { "block", "done" } } }
      assert(e:install(where()))
      assert.truthy(table.concat(f.log, ","):find("close source,open http://h/p.upd?token=secret,transfer", 1, true))
      assert.is_nil(table.concat(f.log, ","):find("wait", 1, true))
    end)

    it("ends the transaction when it changed again", function()
      local e, f = make { blocks = { { "block", fail "corrupt" }, { fail "corrupt" } } }
      local _, _, code = e:install(where())
      assert.equal("corrupt", code)
      assert.equal("abandon corrupt", f.log[#f.log - 1])
    end)

    it("forgives again after progress", function()
      local e = make { blocks = { { "block", fail "corrupt" }, { "block", fail "corrupt" }, { "block", "done" } } }
      assert(e:install(where()))
    end)
  end)

  for _, code in ipairs { "untrusted", "nospace", "write", "incompatible" } do
    it("drops a transaction whose blocks end with " .. code, function()
      local e, f = make { blocks = { { "block", fail(code) } } }
      assert.equal(code, select(3, e:install(where())))
      assert.equal("abandon " .. code, f.log[#f.log - 1])
    end)
  end

  it("drops a transaction whose finish fails", function()
    local e, f = make { finish = { { nil, "nothing yet", "again" }, fail "write" } }
    assert.equal("write", select(3, e:install(where())))
    assert.same({ "finish", "finish", "abandon write", "close package" }, table.move(f.log, #f.log - 3, #f.log, 1, {}))
  end)

  it("lets a release rest that the medium did not keep three times", function()
    local bad = fail("write", "core: block 0 reads back differently")
    local e, f = make { finish = { bad, bad, bad, bad, { "armed", "past the cache" } },
      blocks = { { "done" }, { "done" }, { "done" }, { "done" }, { "done" } },
      head = { true, true, true, true, true, true, true } }
    for times = 1, 3 do
      local _, message, code = e:install(where())
      assert.equal("write", code)
      assert.equal(times == 3, message:find("this was try 3", 1, true) ~= nil)
    end
    local _, message, code, verdict = e:install(where())
    assert.equal("deferred", code)
    assert.truthy(message:find("did not return what was written", 1, true))
    assert.equal(3600, verdict.decision.retry_after)
    f.tasks.await(nil, nil, 3600)
    assert.truthy(select(2, e:install(where())):find("this was try 4.*not tried again for 2 h"))
    assert.equal("deferred", select(3, e:install(where())))
    assert.truthy(e:install(where { by_hand = true })) -- and that it worked ends it
    assert.is_nil(e.unkept:rest(("ab"):rep(32)))
  end)

  it("reads what a server's refusal means by the cloud's dialect", function()
    local seen = {}
    local e, f = make { head = { fail "missing", fail "missing", fail "refused", true },
      answers = { { status = 404, body = "43" }, { status = 302 }, { status = 404, body = "27" } } }
    local ok, message, code = e:install(where { answered = function(answer)
      seen[#seen + 1] = answer.status
      if answer.body == "43" then return { wait = 30 } end
      if answer.status == 302 then return { location = "http://oss/p" } end
      return nil, "no newer release", "nothing"
    end })
    assert.same({ nil, "no newer release", "nothing" }, { ok, message, code })
    assert.same({ 404, 302, 404 }, seen)
    assert.truthy(table.concat(f.log, ","):find("wait 30.0,open http://h/p", 1, true))
    assert.truthy(table.concat(f.log, ","):find("open http://oss/p", 1, true))
  end)

  it("does not pass a proxy's answer to the dialect, and tries again", function()
    local seen = 0
    local e = make { head = { fail "network", true }, answers = {} }
    assert.truthy(e:install(where { answered = function()
      seen = seen + 1
      return nil, "the server answered 407", "refused"
    end }))
    assert.equal(0, seen)
  end)

  it("tells progress at most four times a second, and at the end", function()
    local run = {}
    for i = 1, 50 do run[i] = "block" end -- each takes a tenth of a second
    run[#run + 1] = "done"
    local e, _, _, events = make { blocks = { run } }
    assert(e:install(where()))
    local count = 0
    for _, event in ipairs(events) do count = count + (event.event == "progress" and 1 or 0) end
    assert.is_true(count >= 16 and count <= 21, count)
  end)

  it("tells progress while a block is still coming", function()
    local e, _, _, events = make { blocks = { { { nil, "nothing yet", "again" }, "block", "done" } } }
    assert(e:install(where()))
    local first
    for _, event in ipairs(events) do first = first or event.event == "progress" and event.done end
    assert.equal(0, first) -- before the first block was whole
  end)

  it("drops the transaction when it is cancelled", function()
    local e, f
    e, f = make { blocks = { { "block", "block", "block" } } }
    e.on = function(event)
      if event.event == "progress" then e:cancel("dropped by hand") end
    end
    local ok, message, code = e:install(where())
    assert.same({ nil, "dropped by hand", "refused" }, { ok, message, code })
    assert.equal("abandon refused", f.log[#f.log - 1])
    assert.is_nil(e:alone(function() return e.cancelled end)) -- what comes next is not cancelled
  end)

  it("cancels a pause between tries", function()
    local e, f
    e, f = make { blocks = { { "block", fail "network" } } }
    f.tasks.rest = function() e:cancel("dropped by hand") end
    local _, message, code = e:install(where())
    assert.same({ "dropped by hand", "refused" }, { message, code })
    assert.same({ "wake", "close transfer", "abandon refused", "close package" },
      table.move(f.log, #f.log - 3, #f.log, 1, {}))
  end)

  it("does one update at a time, also after one that raised", function()
    local e
    e = make {}
    e.on = function()
      assert.equal("busy", select(3, e:install(where())))
      e.on = function() error("a watcher failed") end
    end
    assert.has_error(function() e:install(where()) end)
    e.on = function() end
    assert.is_nil(e.busy)
  end)
end)
