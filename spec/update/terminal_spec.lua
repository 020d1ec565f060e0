local session = require "update.cloud.terminal_session"
local terminal = require "update.cloud.terminal"

local function call(o)
  local made = { apn = "cmnet", userid = "user", passwd = "1234", ip = "10.1.2.3", port = "8083", prover = "080507",
    downfile = "/fw/UPDATE_080507.upd", type = 1 }
  for name, value in pairs(o or {}) do made[name] = value end
  return made
end

describe("terminal.decide", function()
  -- Row, the call, what runs, what is pending, whether some of it is there: action, state of the end when none.
  local rows = {
    { "idle",      {},                       "080506", "",       false, "fresh" },
    { "resume",    {},                       "080506", "080507", true,  "resume" },
    { "lost",      {},                       "080506", "080507", false, "fresh" },
    { "higher",    { prover = "080508" },    "080506", "080507", true,  "fresh" },
    { "between",   { prover = "080507" },    "080506", "080508", true,  "fresh" },
    { "lower",     { prover = "080505" },    "080506", "",       false, "none" },
    { "lower",     { prover = "080505" },    "080506", "080505", true,  "none" },
    { "same",      { prover = "080506" },    "080506", "",       false, "none" },
    { "same",      { prover = "80506" },     "080506", "080507", true,  "none" },
    { "address",   { ip = "10.1.2" },        "080506", "",       false, "none" },
    { "address",   { ip = "10.1.2.256" },    "080506", "",       false, "none" },
    { "address",   { ip = "a b" },           "080506", "",       false, "none" },
    { "address",   { port = "0" },           "080506", "",       false, "none" },
    { "address",   { port = "65536" },       "080506", "",       false, "none" },
    { "address",   { port = "http" },        "080506", "",       false, "none" },
    { "carrier",   {},                       "080506", "080507", "up",  "none" },
    { "arguments", { apn = "" },             "080506", "",       false, "none" },
    { "arguments", { prover = 80507 },       "080506", "",       false, "none" },
    { "arguments", { downfile = false },     "080506", "",       false, "none" },
    { "arguments", { passwd = "a\nb" },      "080506", "",       false, "none" },
    { "arguments", { type = "1" },           "080506", "",       false, "none" },
    { "type",      { type = 3 },             "080506", "",       false, "none" },
    { "type",      { type = 8 },             "080506", "",       false, "none" },
    { "unsigned",  { downfile = "/U.tar.gz" }, "080506", "",     false, "none" },
    { "unsigned",  { downfile = "/U.tar.gz" }, "080506", "080507", true, "none" },
    { "idle",      { downfile = "/U.tar.gz" }, "080506", "",     "trusted", "fresh" },
    { "idle",      { ip = "fw.example.org" }, "080506", "",      false, "fresh" },
    { "idle",      { type = 4 },             "",       "",       false, "fresh" },
    { "idle",      { prover = "100000" },    "99999",  "",       false, "fresh" },
    { "idle",      { prover = "1.10" },      "1.9",    "",       false, "fresh" },
  }
  for _, row in ipairs(rows) do
    local name, o, running, pending, partial, action = table.unpack(row)
    it(("%s: %s for %s, %s pending"):format(name, action, running, pending == "" and "none" or pending), function()
      local got = terminal.decide(call(o), { running = running, pending = pending,
        partial = partial ~= "trusted" and partial, trusted = partial == "trusted", link_up = partial == "up" })
      assert.same({ name, action }, { got.row, got.action })
      assert.equal(partial == true and action == "fresh", got.drop == true)
      assert.is_string(got.reason)
    end)
  end

  it("maps the end of a transfer to a state", function()
    assert.equal(4, terminal.state_of("network", false)) -- no server
    assert.equal(2, terminal.state_of("network", true))
    assert.equal(2, terminal.state_of("missing", false)) -- a wrong URL
    assert.equal(2, terminal.state_of("untrusted", true))
    assert.equal(4, terminal.state_of("deferred", true))
  end)

  it("makes the URL of address, port and path", function()
    assert.equal("http://10.1.2.3:8083/fw/UPDATE_080507.upd", terminal.url(call()))
    assert.equal("http://10.1.2.3:8083/a%20b?c=d", terminal.url(call { downfile = "a b?c=d" }))
    assert.equal("http://10.1.2.3:8083/fw/%20U.upd?For=T%2F1", terminal.url(call { downfile = "/fw/ U.upd?For=T%2F1" }))
  end)
end)

describe("terminal_session", function()
  -- A terminal that is played: what lies on its medium, what it runs, and what was done to it.
  local function new(random)
    return { random = random, state = session.new(), running = "10", mit = { prover = "10", downprover = "",
      downfile = "" }, link = false, told = 0, taken = 0, made = 0 }
  end

  local function check(t, ok, what)
    if not ok then error(("%s, after:\n%s"):format(what, table.concat(t.log, "\n")), 0) end
  end

  local act = {}

  function act.answer(t, a) if a.value == 0 then t.made = t.made + 1 end end
  function act.carrier(t, a)
    check(t, not a.up or t.state.carrier, "the carrier is brought up without a record of it")
    t.link = a.up
    if not a.up then t.state = session.step(t.state, { type = "down" }) end
  end
  function act.drop(t) t.partial = nil end
  function act.mit(t, a) for name, value in pairs(a.values) do t.mit[name] = value end end
  function act.fetch(t)
    local job = t.state.job
    check(t, terminal.compare(job.requested, t.has_files and t.running or t.mit.prover) > 0,
      "a version is fetched that is not higher")
    check(t, not t.partial or t.partial == job.requested, "two packages are mixed")
    check(t, t.mit.downprover == job.requested, "mit.ini does not say what is fetched")
    t.partial = job.requested
  end
  function act.tell(t, a)
    t.told = t.told + 1
    if a.state == terminal.OK then
      check(t, t.mit.prover == t.running and t.mit.downprover == "" and t.mit.downfile == "",
        "success, and mit.ini does not say so")
    end
    check(t, t.state.owed[a.twin] == a.state, "a state that nothing keeps")
  end

  -- A step, cut after any of its actions when `cut` is true.
  local function step(t, event, cut)
    local detail = event.code or event.running or event.call and event.call.prover or ""
    t.log[#t.log + 1] = ("%s %s"):format(event.type, detail)
    local actions
    local open = t.state.job
    t.state, actions = session.step(t.state, event)
    if open and not t.state.job then t.over = (t.over or 0) + 1 end
    local most = cut and t.random(0, #actions) or #actions
    for i = 1, most do act[actions[i].what](t, actions[i]) end
  end

  -- A device of files says their version; another only its release, and mit.ini keeps the version.
  local function look(t, type)
    return { type = type, files = t.has_files and t.running or nil, release = t.has_files and "1.0-F" .. t.running
      or t.running, pending = t.mit.downprover }
  end

  local function begin(t)
    step(t, look(t, "start"))
    check(t, not t.link, "the carrier is up after a start")
    check(t, not t.has_files or t.mit.prover == t.running, "mit.ini names other files after a start")
    check(t, not t.state.job or t.state.job.stage == "armed", "a job without a process")
  end

  -- What the machine around the session does next, by chance.
  local moves = {}

  function moves.call(t, cut)
    if session.must_hang_up(t.state) then act.carrier(t, { up = false }) end
    local c = call { prover = tostring(t.random(8, 14)), ip = t.random(8) == 1 and "x y" or nil,
      type = t.random(9) == 1 and 3 or nil }
    step(t, { type = "call", call = c, twin = t.random(2) == 1 and "app" or "mdma",
      now = { running = t.has_files and t.running or t.mit.prover, pending = t.mit.downprover,
        partial = t.partial == t.mit.downprover and t.partial ~= nil } }, cut)
  end
  function moves.carrier(t, cut) step(t, { type = "carrier", ok = t.random(4) > 1 }, cut) end
  function moves.ended(t, cut)
    local codes = { "ok", "ok", "network", "missing", "untrusted", "deferred" }
    local job = t.state.job
    local code = codes[t.random(#codes)]
    if code == "ok" and job and job.stage == "fetching" then t.armed, t.partial = job.requested, nil end
    step(t, { type = "ended", code = code, begun = t.random(2) == 1 }, cut)
  end
  function moves.verdict(t, cut)
    if t.armed and t.random(3) > 1 then t.running = t.armed end
    t.armed = nil
    step(t, look(t, "verdict"), cut)
  end
  function moves.took(t)
    local twin = t.random(2) == 1 and "app" or "mdma"
    if t.state.owed[twin] then t.taken = t.taken + 1 end
    step(t, { type = "took", twin = twin })
  end
  function moves.restart(t) begin(t) end

  local names = { "call", "call", "carrier", "carrier", "ended", "ended", "verdict", "took", "restart" }

  it("keeps its promises through sequences of calls, ends, verdicts, cuts and restarts", function()
    local sequences, steps = 20000, 0
    for seed = 1, sequences do
      math.randomseed(seed)
      local t = new(math.random)
      t.has_files = seed % 2 == 0
      t.log = { "seed " .. seed }
      for _ = 1, 24 do
        local cut = t.random(6) == 1
        moves[names[t.random(#names)]](t, cut)
        steps = steps + 1
        if cut then begin(t) end
        check(t, not t.link or t.state.carrier, "the carrier is up and nobody knows")
        check(t, t.state.job or not t.link, "the carrier stays up without a job")
      end
    end
    print(("terminal: %d sequences, %d steps, 0 bad"):format(sequences, steps))
  end)

  it("tells success only when the version runs, once, and forgets it when it was taken", function()
    local a
    local s = session.step(session.new(), { type = "call", call = call(), twin = "mdma",
      now = { running = "080506", pending = "" } })
    s = session.step(s, { type = "carrier", ok = true })
    s = session.step(session.step(s, { type = "ended", code = "ok", begun = true }), { type = "down" })
    assert.is_nil(s.owed.mdma)
    s, a = session.step(s, { type = "start", files = "080506", release = "1-F080506",
      pending = "080507" }) -- on trial
    assert.same({ { what = "mit", values = { prover = "080506" } } }, a)
    s, a = session.step(s, { type = "verdict", files = "080507", release = "1-F080507", pending = "080507" })
    assert.same({ { what = "mit", values = { prover = "080507", downprover = "", downfile = "" } },
      { what = "tell", twin = "mdma", state = 1 } }, a)
    s = session.step(s, { type = "took", twin = "mdma" })
    assert.same({}, s.owed)
    assert.same({ owed = {} }, s)
  end)

  it("takes what is there from the journal, and else keeps what mit.ini says", function()
    -- Files in place, the release, what is pending: prover and downprover afterwards (false: as they were).
    local rows = {
      { "080507", "1-F080507", "080507", "080507", "" },
      { "80507",  "1-F80507",  "080507", "80507",  "" },
      { "080508", "1-F080508", "080507", "080508", "" },
      { "080506", "1-F080506", "080507", "080506", false },
      { "080506", "1-F080506", "",       "080506", false },
      { nil,      "080507",    "080507", "080507", "" },
      { nil,      "1.0.1",     "080507", false,    false },
      { nil,      "080508",    "",       false,    false },
      { "080506", "1.0.1",     "1.0.1",  "080506", "" },
    }
    for i = 1, 9 do
      local files, release, pending, prover, after = table.unpack(rows[i], 1, 5)
      local _, a = session.step(session.new(), { type = "verdict", files = files, release = release,
        pending = pending })
      assert.same({ prover or nil, after or nil }, { a[1].values.prover, a[1].values.downprover })
    end
  end)

  it("answers -1 during an update, or to an invalid call", function()
    local s = session.step(session.new(), { type = "call", call = call(), twin = "app",
      now = { running = "1", pending = "" } })
    local _, a = session.step(s, { type = "call", call = call(), twin = "mdma", now = { running = "1", pending = "" } })
    assert.same({ "answer", -1 }, { a[1].what, a[1].value })
    _, a = session.step(session.new(), { type = "call", call = call { apn = "" }, twin = "app",
      now = { running = "1", pending = "" } })
    assert.same({ 1, -1 }, { #a, a[1].value })
  end)
end)
