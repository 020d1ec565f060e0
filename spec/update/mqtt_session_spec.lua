local session = require "update.cloud.mqtt_session"
local key_of = require "spec.support.state_key"

local A = { version = "2.0.0", url = "http://h/a", size = 100, md5 = ("a"):rep(32) }
local B = { version = "3.0.0", url = "http://h/b", size = 200, md5 = ("b"):rep(32) }

local traits = {
  aliyun = {},
  tencent = { waits = true, burning = true, done = true },
}

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

-- One line for each action.
local function line_of(action)
  if action.type == "report" then
    local r = action.report
    return table.concat({ r.kind, r.version, tostring(r.percent or r.code or "") }, " "):gsub(" $", "")
  elseif action.type == "install" then
    return "install " .. action.offer.version
  elseif action.type == "link" then
    return "link " .. (action.code or action.offer.url)
  elseif action.type == "remember" then
    return ("remember %s %s"):format(action.record.version, action.record.stage)
  elseif action.type == "wait" then
    return ("wait %s %d"):format(action.what, action.seconds)
  end
  return action.type
end

-- A machine that is driven step by step; said() empties what it said.
local function machine(cloud, record)
  local o = copy(traits[cloud])
  o.record = record
  local self = { state = session.new(o), lines = {} }
  function self.send(type, fields)
    local event = copy(fields or {})
    event.type = type
    local actions
    self.state, actions = session.step(self.state, event)
    for _, action in ipairs(actions) do self.lines[#self.lines + 1] = line_of(action) end
    return self
  end
  function self.said()
    local lines = self.lines
    self.lines = {}
    return lines
  end
  function self.settled(release, code, text)
    return self.send("settled", { release = release or "1.0.0", code = code or "ok", text = text or "" })
  end
  function self.talking()
    self.settled().send "connected"
    if o.waits then self.send("reply", { ok = true }) end
    self.said()
    return self
  end
  return self
end

local function progress(done, now)
  return { done = done, total = 100, now = now }
end

describe("mqtt_session", function()
  it("reports the release once for a start, and asks on later connections", function()
    local m = machine("aliyun").settled().send "connected"
    assert.same({ "version 1.0.0" }, m.said())
    m.send("disconnected").send("connected")
    assert.same({ "get 1.0.0" }, m.said())
    m.settled()
    assert.same({}, m.said())
    m.settled "1.0.1"
    assert.same({ "version 1.0.1" }, m.said())
  end)

  it("asks periodically, with the running release, but not during an update", function()
    local m = machine("aliyun").send("ask").settled().send("connected").send "ask"
    assert.same({ "version 1.0.0", "ask 1.0.0" }, m.said())
    m.send("offer", { offer = A }).send "ask"
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m = machine("tencent").settled().send("connected").send "ask"
    m.said()
    m.send("reply", { ok = true }).send("ask").send("reply", { ok = true }).send("unsettled").send "ask"
    assert.same({ "ask 1.0.0" }, m.said())
  end)

  it("reports it on each connection to a cloud that answers, and waits for the answer", function()
    local m = machine("tencent").settled().send "connected"
    m.send("offer", { offer = A })
    assert.same({ "version 1.0.0", "wait reply 10" }, m.said())
    m.send("timer", { what = "reply" })
    assert.same({ "version 1.0.0", "wait reply 20" }, m.said())
    m.send("reply", { ok = false })
    assert.same({ "wait reply 40" }, m.said())
    m.send("reply", { ok = true })
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m.send("timer", { what = "reply" })
    assert.same({}, m.said())
  end)

  it("says nothing before the device settled", function()
    local m = machine("aliyun").send("connected").send "unsettled"
    assert.same({}, m.said())
    assert.same({ "version 1.0.0" }, m.settled().said())
  end)

  it("goes from offer to success", function()
    local m = machine("tencent").talking().send("offer", { offer = A })
    m.send("begun", { now = 0 })
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0", "progress 2.0.0 0" }, m.said())
    for i = 1, 99 do m.send("progress", progress(i, i / 10)) end
    local count = 0
    for _, line in ipairs(m.said()) do count = count + (line:find("^progress") and 1 or 0) end
    assert.equal(9, count) -- of 9.9 seconds
    m.send("progress", progress(100, 9.91)).send("progress", progress(100, 9.92)).send "installing"
    assert.same({ "progress 2.0.0 100", "remember 2.0.0 installing", "burning 2.0.0" }, m.said())
    m.send("unsettled").send "ended"
    assert.same({}, m.said())
    m.settled "2.0.0"
    assert.same({ "version 2.0.0", "wait reply 20" }, m.said())
    m.send("reply", { ok = true })
    assert.same({ "done 2.0.0" }, m.said())
    m.send("acked", { kind = "version" }).send("acked", { kind = "done" })
    assert.same({ "forget" }, m.said())
  end)

  it("takes the report of the new version for success where nothing else is wanted", function()
    local m = machine("aliyun").talking().send("offer", { offer = A }).send("ended").send "unsettled"
    m.said()
    m.settled("2.0.0").send("acked", { kind = "version" })
    assert.same({ "version 2.0.0", "forget" }, m.said())
  end)

  it("continues after restarts: while fetching, on trial, and with the outcome", function()
    local record = { version = "2.0.0", size = 100, md5 = A.md5, offset = 40, stage = "fetching" }
    local m = machine("aliyun", record).settled().send "connected"
    assert.same({ "version 1.0.0", "ask 1.0.0" }, m.said())
    m.send("offer", { offer = A }).send("begun", { now = 0 })
    -- No second beginning.
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())

    record.stage = "installing"
    m = machine("tencent", record).send("connected").send("unsettled").send("offer", { offer = A })
    assert.same({}, m.said())
    m.settled("2.0.0").send("reply", { ok = true })
    assert.same({ "version 2.0.0", "wait reply 10", "done 2.0.0" }, m.said())

    m = machine("aliyun", record).send("connected").settled("1.0.0", "rolledback", "three starts failed")
    assert.same({ "remember 2.0.0 failed", "version 1.0.0", "fail 2.0.0 rolledback" }, m.said())
    m.send("acked", { kind = "fail" })
    assert.same({ "forget" }, m.said())

    record.stage, record.code = "failed", "corrupt"
    m = machine("aliyun", record).settled().send "connected"
    assert.same({ "version 1.0.0", "fail 2.0.0 corrupt" }, m.said())

    record.stage = "installing" -- and power went before it was armed
    m = machine("aliyun", record).send("connected").send("settled", { release = "1.0.0", code = "ok", open = true })
    assert.same({ "version 1.0.0", "ask 1.0.0" }, m.said())
  end)

  it("fails with the word of the failure, once", function()
    local m = machine("aliyun").talking().send("offer", { offer = A })
    m.said()
    m.send("ended", { code = "corrupt", text = "block 3" }).send("ended", { code = "corrupt" })
    assert.same({ "remember 2.0.0 failed", "fail 2.0.0 corrupt" }, m.said())
    m.send("offer", { offer = A }) -- tried again
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
  end)

  it("holds a failure until the cloud can hear it", function()
    local m = machine("aliyun").talking().send("offer", { offer = A }).send "disconnected"
    m.said()
    m.send("ended", { code = "nospace", text = "" })
    assert.same({ "remember 2.0.0 failed" }, m.said())
    m.send "connected"
    assert.same({ "fail 2.0.0 nospace", "get 1.0.0" }, m.said())
  end)

  it("suspends the transfer when network and cloud are gone, and asks again", function()
    local m = machine("aliyun").talking().send("offer", { offer = A }).send "disconnected"
    m.said()
    m.send("ended", { code = "network", text = "" })
    assert.same({}, m.said())
    m.send "connected"
    assert.same({ "ask 1.0.0" }, m.said())
    m.send("offer", { offer = A })
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m.send("ended", { code = "network", text = "30 tries" })
    assert.same({ "remember 2.0.0 failed", "fail 2.0.0 network" }, m.said())
  end)

  it("asks for a fresh link and hands it to the transfer", function()
    local m = machine("aliyun").talking().send("offer", { offer = A })
    m.said()
    local fresh = copy(A)
    fresh.url = "http://h/fresh"
    m.send("expired").send("offer", { offer = fresh })
    assert.same({ "ask 1.0.0", "link http://h/fresh" }, m.said())
    m.send("expired").send("offer", { offer = B })
    assert.same({ "ask 1.0.0", "link expired" }, m.said())
    m.send("expired").send "disconnected"
    assert.same({ "ask 1.0.0", "link network" }, m.said())
    m.send "expired"
    assert.same({ "link network" }, m.said())
  end)

  it("remembers a newer offer while busy, and drops an older one", function()
    local m = machine("aliyun").talking().send("offer", { offer = A }).send("offer", { offer = B })
    m.send("offer", { offer = { version = "1.5.0", url = "http://h/old", size = 1 } })
    m.said()
    m.send("ended", { code = "corrupt" })
    assert.same({ "remember 2.0.0 failed", "fail 2.0.0 corrupt", "remember 3.0.0 fetching", "install 3.0.0" }, m.said())
  end)

  it("takes the same version with other bytes for another firmware", function()
    local again = copy(A)
    again.md5 = ("c"):rep(32)
    local m = machine("aliyun").talking().send("offer", { offer = A }).send("offer", { offer = again })
    m.said()
    m.send("ended", { code = "corrupt" })
    assert.equal("install 2.0.0", m.said()[4])
  end)

  it("installs a remembered offer after the trial, unless that release runs already", function()
    local m = machine("aliyun").talking().send("offer", { offer = A }).send("unsettled").send("ended")
    m.send("offer", { offer = B }).send("offer", { offer = A })
    m.said()
    m.settled "2.0.0"
    assert.same({ "version 2.0.0", "remember 3.0.0 fetching", "install 3.0.0" }, m.said())
    m = machine("aliyun").talking().send("unsettled").send("offer", { offer = B })
    m.said()
    m.settled "3.0.0"
    assert.same({ "version 3.0.0" }, m.said())
  end)

  it("tries again when policy said so, and when another update is over", function()
    local m = machine("aliyun").talking().send("offer", { offer = A })
    m.said()
    m.send("ended", { code = "deferred", retry_after = 70 })
    assert.same({ "wait retry 70" }, m.said())
    m.send("offer", { offer = A })
    assert.same({}, m.said())
    m.send("timer", { what = "retry" })
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m.send("ended", { code = "busy" })
    assert.same({ "wait retry 60" }, m.said())
    m.send("unsettled").settled "1.9.0"
    assert.same({ "version 1.9.0", "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m.send("ended", { code = "deferred", retry_after = 31622400 }) -- a day is the most
    assert.same({ "wait retry 86400" }, m.said())
    m.send("timer", { what = "retry" })
    assert.same({ "remember 2.0.0 fetching", "install 2.0.0" }, m.said())
    m.send("ended", { code = "deferred" })
    assert.same({ "wait retry 900" }, m.said())
    m.send("offer", { offer = B }) -- the last word counts while nothing began
    assert.same({ "remember 3.0.0 fetching", "install 3.0.0" }, m.said())
  end)

  it("ignores retained offers, and offers of the running release", function()
    local m = machine("aliyun").talking().send("offer", { offer = A, retained = true })
    m.send("offer", { offer = { version = "1.0.0", url = "http://h/x", size = 1 } })
    assert.same({}, m.said())
  end)

  it("forgets a job whose release was installed in another way", function()
    local record = { version = "2.0.0", size = 100, offset = 40, stage = "fetching" }
    local m = machine("aliyun", record).settled "2.0.0"
    assert.same({ "forget" }, m.said())
  end)

  it("raises on an unknown event", function()
    assert.has_error(function() session.step(session.new {}, { type = "x" }) end, "unknown event 'x'")
  end)
end)

-- Every sequence of events against a device and a cloud that are counted along.
-- `send` hands events to the machine; what it says is judged by `judge`.

local function broken(world, why)
  error({ why = why, trace = world.trace }, 0)
end

local judge = {}

function judge.report(world, action)
  local r, kind = action.report, action.report.kind
  if not world.online then broken(world, "said something while offline") end
  if kind == "version" then
    if world.unsettled or r.version ~= world.release then broken(world, "reported what is not confirmed") end
    world.told, world.answered = true, false
    world.reported[r.version] = (world.reported[r.version] or 0) + 1
    return
  end
  if not world.told or world.cloud == "tencent" and not world.answered then
    broken(world, "spoke before its version")
  end
  if kind == "done" then
    world.successes = world.successes - 1
    if r.version ~= world.release or world.unsettled then broken(world, "done before it was confirmed") end
  elseif kind == "fail" then
    world.failures = world.failures - 1
  elseif kind == "progress" then
    if r.version ~= world.working then broken(world, "progress of nothing") end
    if r.percent <= world.percent then broken(world, "progress twice, or backwards") end
    if r.percent < 100 and world.now - world.progress_at < 1 then broken(world, "progress too often") end
    world.percent, world.progress_at = r.percent, world.now
  end
  if world.successes < 0 or world.failures < 0 then broken(world, "an outcome that never was, or twice") end
end

function judge.install(world, action)
  if world.installing then broken(world, "a second install") end
  if world.unsettled then broken(world, "an install during a trial") end
  if action.offer.version == world.release then broken(world, "an install of what runs") end
  world.offers = world.offers - 1
  if world.offers < 0 then broken(world, "an install that nobody offered") end
  world.percent, world.progress_at, world.done = -1, -math.huge, 0
  if world.wanted == action.offer.version then world.wanted = nil end
  world.installing, world.working = action.offer, action.offer.version
end

function judge.remember(world, action) world.record = action.record end
function judge.forget(world) world.record = nil end
function judge.wait() end
function judge.link(world, action)
  if not world.asked then broken(world, "a link that nobody asked for") end
  if action.offer and action.offer.version ~= world.working then broken(world, "a link to something else") end
  world.asked = false
end

local function send(world, type, fields)
  local event = fields or {}
  event.type = type
  local actions
  world.state, actions = session.step(world.state, event)
  for _, action in ipairs(actions) do judge[action.type](world, action) end
end

local function settle(world, code)
  world.unsettled = false
  send(world, "settled", { release = world.release, code = code, text = "" })
end

local function end_install(world, code, retry_after)
  local was = world.installing
  world.installing, world.asked = nil, false
  if code and was then
    if code == "deferred" then
      world.offers = world.offers + 1
    elseif code ~= "network" or world.online then
      world.failures = world.failures + 1
    end
  elseif was then
    send(world, "installing")
    world.armed, world.unsettled = was.version, true
    send(world, "unsettled")
  end
  send(world, "ended", { code = code, text = "", retry_after = retry_after })
end

local events = {
  connected = function(w)
    w.online, w.answered = true, false
    if w.cloud == "tencent" then w.told = false end
    send(w, "connected")
  end,
  disconnected = function(w)
    w.online = false
    send(w, "disconnected")
  end,
  reply = function(w)
    if w.online and w.told then w.answered = true end
    send(w, "reply", { ok = true })
  end,
  offer_a = function(w) w.offers = w.offers + 1 send(w, "offer", { offer = A }) end,
  offer_b = function(w)
    local job = w.state.job
    w.offers = w.offers + 1
    if w.release ~= B.version and not (job and job.offer.version == B.version) then w.wanted = B.version end
    send(w, "offer", { offer = B })
  end,
  retained = function(w) send(w, "offer", { offer = B, retained = true }) end,
  ask = function(w) send(w, "ask") end,
  progress = function(w)
    w.now, w.done = w.now + 0.6, math.min(100, w.done + 34)
    send(w, "progress", { done = w.done, total = 100, now = w.now })
  end,
  armed = function(w) end_install(w) end,
  failed = function(w) end_install(w, "corrupt") end,
  lost = function(w) end_install(w, "network") end,
  expired = function(w)
    if w.asked then return end -- it is waited for
    w.asked = w.installing ~= nil
    send(w, "expired")
  end,
  deferred = function(w) end_install(w, "deferred", 10) end,
  retry = function(w) send(w, "timer", { what = "retry" }) end,
  confirmed = function(w)
    if w.armed then w.release, w.successes = w.armed, w.successes + 1 end
    if w.wanted == w.release then w.wanted = nil end
    w.armed = nil
    settle(w, "ok")
  end,
  rolledback = function(w)
    if w.armed then w.failures = w.failures + 1 end
    settle(w, w.armed and "rolledback" or "ok")
    w.armed = nil
  end,
  restart = function(w)
    local o = copy(traits[w.cloud])
    o.record = w.record
    w.state, w.online, w.told, w.answered, w.installing = session.new(o), false, false, false, nil
    w.wanted, w.asked = nil, false -- the cloud offers it anew
    -- What was not told yet may be told once more after a restart.
    if w.record and w.record.stage == "failed" then w.failures = math.max(w.failures, 1) end
    if w.unsettled then send(w, "unsettled") else settle(w, "ok") end
  end,
}

-- What must hold after each event.
local function check_state(w)
  local s = w.state
  if w.online and w.told and not w.unsettled and (w.answered or w.cloud == "aliyun") then
    if (s.next or w.wanted) and not w.installing then broken(w, "the newest offer is forgotten") end
    if w.failures > 0 then broken(w, "a failure is not told") end
    if w.cloud == "tencent" and w.successes > 0 then broken(w, "a success is not told") end
  end
  if w.asked and not w.online then broken(w, "a transfer waits for a link for ever") end
  if w.online and not w.unsettled and not w.reported[w.release] then broken(w, "the release is not told") end
  if w.cloud == "aliyun" and not w.restarted and (w.reported[w.release] or 0) > 1 then broken(w, "told twice") end
end

local function fresh(cloud, talking)
  local w = { cloud = cloud, state = session.new(traits[cloud]), online = false, told = false, answered = false,
    release = "1.0.0", offers = 0, failures = 0, successes = 0, percent = -1, progress_at = -math.huge, now = 0,
    done = 0, reported = {}, trace = "" }
  settle(w, "ok")
  if talking then
    events.connected(w)
    events.reply(w)
  end
  return w
end

-- The number of sequences. Equal worlds have the same future, so that of each is played once: seen[depth][key].
local function enumerate(w, names, depth, seen)
  if depth == 0 then return 1 end
  seen[depth] = seen[depth] or {}
  local key, count = key_of(w, "trace"), 0
  if seen[depth][key] then return seen[depth][key] end
  for _, name in ipairs(names) do
    local after = copy(w)
    after.reported = copy(w.reported)
    after.trace = w.trace .. " " .. name
    after.restarted = w.restarted or name == "restart"
    events[name](after)
    check_state(after)
    count = count + enumerate(after, names, depth - 1, seen)
  end
  seen[depth][key] = count
  return count
end

describe("mqtt_session: all sequences of five of nine events", function()
  local sets = {
    ["updates"] = { "connected", "disconnected", "reply", "offer_a", "offer_b", "progress", "armed", "failed",
      "confirmed" },
    ["interruptions"] = { "connected", "disconnected", "reply", "retained", "offer_a", "deferred", "retry", "armed",
      "rolledback" },
    ["links"] = { "connected", "disconnected", "reply", "ask", "offer_a", "offer_b", "expired", "lost", "armed" },
    ["restarts"] = { "connected", "reply", "offer_a", "offer_b", "armed", "failed", "confirmed", "rolledback",
      "restart" },
  }
  local times, each = 0, nil

  teardown(function()
    print(("\nmqtt_session: %d times %d sequences of events, 0 broken"):format(times, each or 0))
  end)

  for _, cloud in ipairs { "aliyun", "tencent" } do
    for name, list in pairs(sets) do
      it(("%s, %s: one install for a transaction, nothing before it is confirmed"):format(cloud, name), function()
        for _, talking in ipairs { false, true } do
          each = enumerate(fresh(cloud, talking), list, 5, {})
          assert.equal(9 ^ 5, each)
          times = times + 1
        end
      end)
    end
  end
end)
