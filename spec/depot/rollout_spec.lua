-- Rollouts as the operator lays them down, and what becomes of them: pure modules, no store.

local life = require "depot.rollout.life"
local natives = require "update.natives"
local places = require "depot.rollout.place"
local plans = require "depot.rollout.plan"
local windows = require "depot.rollout.window"
local zones = require "depot.rollout.zone"

describe("depot.rollout.place", function()
  -- printf 'KEY\nSEQUENCE\nID' | sha256sum: the first 16 digits, modulo 10,000.
  local vectors = {
    { ("0"):rep(64), 1, "meter-0001", 6557 },
    { ("0"):rep(64), 2, "meter-0001", 8567 },
    { ("a"):rep(64), 1, "866714040000001", 6506 },
    { ("a"):rep(64), 9007199254740993, "AABBCCDDEEFF", 3180 },
    { ("f"):rep(64), 100, "", 2615 },
  }
  for _, v in ipairs(vectors) do
    it(("has place %d for %q and sequence %d"):format(v[4], v[3], v[2]), function()
      assert.equal(v[4], places.of(natives.digest.sha256, v[1], v[2], v[3]))
    end)
  end

  it("puts a place into the first wave whose percentage is above it", function()
    local waves = { 0.01, 1, 50, 100 }
    for _, case in ipairs { { 0, 1 }, { 1, 2 }, { 99, 2 }, { 100, 3 }, { 4999, 3 }, { 5000, 4 }, { 9999, 4 } } do
      assert.equal(case[2], places.wave(waves, case[1]))
    end
  end)

  it("spreads devices evenly", function()
    local count = 0
    for i = 1, 10000 do
      if places.of(natives.digest.sha256, "key", 7, "dev" .. i) < 1000 then count = count + 1 end
    end
    assert.is_true(count > 900 and count < 1100, count)
  end)
end)

describe("depot.rollout.plan", function()
  it("has what nobody said", function()
    local plan = plans.read {}
    assert.same(plans.DEFAULTS, plan)
    assert.are_not.equal(plans.DEFAULTS.waves, plan.waves)
  end)

  it("reads what was said", function()
    local plan = plans.read { waves = "0.5,20%,100", soak = "2h", limit = "12", in_flight = "7", window = "22:00-05:30",
      zone = "Asia/Shanghai", advance = "hand", retries = "2", backoff = "30m", members = "fixed",
      count_silent = "yes" }
    assert.is_true(plan.count_silent)
    assert.same({ { 0.5, 20, 100 }, 7200, { count = 12 }, 7, { from = 1320, to = 330 }, "hand", 2, 1800 },
      { plan.waves, plan.soak, plan.limit, plan.in_flight, plan.window, plan.advance, plan.retries, plan.backoff })
    assert.same({ percent = 2.5, sample = 50 }, plans.read({ limit = "2.5%", sample = "50" }).limit)
    assert.same({}, plans.read({ limit = "none" }).limit)
  end)

  local wrong = {
    { waves = "" }, { waves = "10" }, { waves = "10,5,100" }, { waves = "10,10,100" }, { waves = "0,100" },
    { waves = "0.001,100" }, { waves = "x,100" }, { waves = "50,101" }, { waves = ("1,"):rep(20) .. "100" },
    { soak = "1" }, { soak = "1w" }, { limit = "0" }, { limit = "0%" }, { limit = "101%" }, { limit = "5 %" },
    { in_flight = "0" }, { in_flight = "1.5" }, { advance = "never" }, { window = "22-5" },
    { window = "24:00-05:00" }, { window = "05:00-05:00" }, { zone = "UTC" }, { limit = "5", sample = "20" },
    { count_silent = "maybe" },
  }
  for _, texts in ipairs(wrong) do
    local name, text = next(texts)
    it(("refuses %s %q"):format(name, text), function()
      local plan, message, code = plans.read(texts)
      assert.same({ nil, "usage" }, { plan, code })
      assert.matches(texts.sample and "sample" or name, message, 1, true)
    end)
  end

  it("keeps the sample when only the share is said again, as the console's form does", function()
    local before = plans.read { limit = "5%", sample = "50" }
    assert.same({ percent = 5, sample = 50 }, plans.read({ limit = "5%", window = "22:00-05:00" }, before).limit)
    assert.same({ percent = 5, sample = 7 }, plans.read({ limit = "5%", sample = "7" }, before).limit)
    assert.same({ percent = 5, sample = 20 }, plans.read({ limit = "5%" }, plans.BATCH).limit)
  end)

  it("changes pace, limits and window, but neither waves nor members", function()
    local before = plans.read { waves = "10,100", soak = "1h" }
    local after = plans.read({ in_flight = "5" }, before)
    assert.same({ { 10, 100 }, 3600, 5 }, { after.waves, after.soak, after.in_flight })
    assert.equal(100, before.in_flight)
    for _, name in ipairs { "waves", "members" } do
      local _, message, code = plans.read({ [name] = "100" }, before)
      assert.equal("usage", code)
      assert.matches(name .. " cannot be changed", message, 1, true)
    end
  end)
end)

describe("depot.rollout.life", function()
  local NOW = 1000000

  local function rollout(fields)
    local made = { state = "draft", wave = 0, verdicts = 0, failed = 0, plan = plans.read { limit = "2" } }
    for name, value in pairs(fields or {}) do made[name] = value end
    return made
  end

  describe("by its verdicts", function()
    local function judged(plan, verdicts, state)
      local r, paused = rollout { state = state or "running", plan = plan, wave = 1 }, 0
      for verdict, count in verdicts:gmatch "(%a)(%d+)" do
        local word = ({ s = "succeeded", f = "failed", r = "reverted" })[verdict]
        for _ = 1, tonumber(count) do
          if life.judge(r, word, NOW) then paused = paused + 1 end
        end
      end
      return r.state, paused
    end

    local cases = {
      { "a count, one below", { limit = "3" }, "f2s99", "running" },
      { "a count, reached", { limit = "3" }, "f3", "paused" },
      { "a count reached by a device that fell back", { limit = "3" }, "s3f2r1", "paused" },
      { "a share, before the sample is there", { limit = "5%" }, "f19", "running" },
      { "a share reached when the sample is there", { limit = "5%" }, "f1s19", "paused" },
      { "a share just reached", { limit = "5%" }, "s19f1", "paused" },
      { "a share below it", { limit = "5%" }, "s20f1", "running" },
      { "no limit", { limit = "none" }, "f1000", "running" },
    }
    for _, case in ipairs(cases) do
      it("judges " .. case[1], function()
        local state, paused = judged(plans.read(case[2]), case[3])
        assert.equal(case[4], state)
        assert.is_true(paused <= 1)
      end)
    end

    it("is paused while it soaks and waits, too, but neither twice nor after its end", function()
      assert.same({ "paused", 1 }, { judged(plans.read { limit = "1" }, "f3", "soaking") })
      assert.same({ "paused", 1 }, { judged(plans.read { limit = "1" }, "f1", "waiting") })
      assert.same({ "finished", 0 }, { judged(plans.read { limit = "1" }, "f1", "finished") })
    end)

    it("counts a device that fell silent only if that was wanted, and a late success never", function()
      local r = rollout { state = "running", wave = 1, plan = plans.read { limit = "1" } }
      assert.is_false(life.judge(r, "failed", NOW, "silent"))
      assert.is_false(life.judge(r, "succeeded", NOW, "late"))
      assert.same({ 0, 0, "running" }, { r.verdicts, r.failed, r.state })
      r.plan = plans.read({ count_silent = "yes" }, r.plan)
      assert.is_true(life.judge(r, "failed", NOW, "silent"))
      assert.same({ 1, 1, "paused" }, { r.verdicts, r.failed, r.state })
    end)

    it("counts each release of the automatic mode by itself, the last sixteen", function()
      local r = rollout { kind = "auto", state = "running", wave = 1, plan = plans.read_auto({ limit = "50%",
        sample = "4" }, plans.BATCH) }
      for i = 1, 3 do assert.is_false(life.judge(r, "failed", NOW, nil, "1." .. i)) end
      for _ = 1, 3 do assert.is_false(life.judge(r, "succeeded", NOW, nil, "1.2")) end
      assert.same({ { release = "1.1", verdicts = 1, failed = 1 }, { release = "1.3", verdicts = 1, failed = 1 },
        { release = "1.2", verdicts = 4, failed = 1 } }, r.judged)
      assert.is_false(life.judge(r, "failed", NOW, nil, "1.2"))
      assert.is_true(life.judge(r, "reverted", NOW, nil, "1.2"))
      assert.same({ release = "1.2", verdicts = 5, failed = 3, reached = true }, r.judged[3])
      life.apply(r, "resume", NOW)
      assert.is_nil(r.judged)
      for i = 1, 20 do life.judge(r, "failed", NOW, nil, "2." .. i) end
      assert.same({ 16, "2.5", "2.20" }, { #r.judged, r.judged[1].release, r.judged[16].release })
    end)

    it("forgives what was before a resume", function()
      local r = rollout { state = "running", wave = 1 }
      life.judge(r, "failed", NOW)
      assert.is_true(life.judge(r, "failed", NOW))
      life.apply(r, "resume", NOW + 5)
      assert.same({ "running", 0, NOW + 5 }, { r.state, r.failed, r.limits_from })
      assert.is_false(life.judge(r, "failed", NOW))
      assert.is_true(life.judge(r, "failed", NOW))
    end)
  end)

  describe("by time", function()
    local none = { count = 0, verdicts = 0, succeeded = 0 }
    local function due(fields, heard, now) return life.due(rollout(fields), now or NOW, heard or none) end

    it("begins when it was told to, and soaks as long as it was told to", function()
      assert.is_nil(due({ state = "scheduled", starts_at = NOW + 1 }))
      assert.equal("due", due({ state = "scheduled", starts_at = NOW }))
      local plan = plans.read { soak = "1m" }
      assert.is_nil(due({ state = "soaking", soak_at = NOW - 59999, plan = plan }))
      assert.equal("soaked", due({ state = "soaking", soak_at = NOW - 60000, plan = plan }))
    end)

    it("is done with a wave when nine of ten that were heard have a verdict, and one has succeeded", function()
      local r = { state = "running", wave = 1 }
      assert.is_nil(due(r)) -- empty
      assert.is_nil(due(r, { count = 10, verdicts = 8, succeeded = 8 }))
      assert.equal("wave_done", due(r, { count = 10, verdicts = 9, succeeded = 1 }))
      assert.is_nil(due(r, { count = 10, verdicts = 10, succeeded = 0 }))
      r.wave = 4
      assert.is_nil(due(r, { count = 10, verdicts = 10, succeeded = 10 })) -- the last one stays open
    end)

    it("goes on from a wave that nobody is in after the time of its soak, a minute at least", function()
      local empty = { count = 0, verdicts = 0, succeeded = 0, is_empty = true }
      for soak, ms in pairs { ["1h"] = 3600000, ["0"] = 60000 } do
        local r = { state = "running", wave = 1, wave_at = NOW - ms + 1, plan = plans.read { soak = soak } }
        assert.is_nil(due(r, empty))
        r.wave_at = NOW - ms
        assert.equal("empty", due(r, empty))
        r.wave = 4
        assert.is_nil(due(r, empty))
        r.plan.members = "fixed"
        assert.equal("empty", due(r, empty))
      end
    end)

    it("is never due while it is paused", function()
      assert.is_nil(due({ state = "paused", starts_at = 1, soak_at = 1 }, { count = 1, verdicts = 1, succeeded = 1 }))
    end)
  end)
end)

describe("depot.rollout.window", function()
  local berlin, sydney = assert(zones.load "Europe/Berlin"), assert(zones.load "Australia/Sydney")

  -- Milliseconds of a UTC time.
  local function utc(text)
    local y, mo, d, h, m = text:match "^(%d+)-(%d+)-(%d+) (%d+):(%d+)$"
    local a = mo + 0 <= 2 and 1 or 0
    local yy, mm = y - a, mo + 12 * a - 3
    local days = d + (153 * mm + 2) // 5 + 365 * yy + yy // 4 - yy // 100 + yy // 400 - 719469
    return math.tointeger((days * 1440 + h * 60 + m) * 60000)
  end

  local cases = {
    { "by day", "08:00-17:00", zones.UTC, "2026-05-01 07:59", false },
    { "by day", "08:00-17:00", zones.UTC, "2026-05-01 08:00", true },
    { "by day", "08:00-17:00", zones.UTC, "2026-05-01 16:59", true },
    { "by day", "08:00-17:00", zones.UTC, "2026-05-01 17:00", false },
    { "over midnight", "22:00-05:00", zones.UTC, "2026-05-01 23:00", true },
    { "over midnight", "22:00-05:00", zones.UTC, "2026-05-02 04:59", true },
    { "over midnight", "22:00-05:00", zones.UTC, "2026-05-02 05:00", false },
    { "in a zone", "02:00-04:00", berlin, "2026-01-10 01:00", true },
    { "in a zone", "02:00-04:00", berlin, "2026-07-10 01:00", true },
    { "in a zone", "02:00-04:00", berlin, "2026-07-10 02:00", false },
    { "in a zone", "02:00-04:00", sydney, "2026-01-10 15:30", true },
    { "in an hour that is skipped", "02:00-02:30", berlin, "2026-03-29 00:59", false },
    { "in an hour that is skipped", "02:00-02:30", berlin, "2026-03-29 01:00", true },
    { "in an hour that is skipped", "02:00-02:30", berlin, "2026-03-29 01:29", true },
    { "in an hour that is skipped", "02:00-02:30", berlin, "2026-03-29 01:30", false },
    { "in an hour that comes twice", "02:15-02:45", berlin, "2026-10-25 00:14", false },
    { "in an hour that comes twice", "02:15-02:45", berlin, "2026-10-25 00:15", true },
    { "in an hour that comes twice", "02:15-02:45", berlin, "2026-10-25 01:44", true },
    { "in an hour that comes twice", "02:15-02:45", berlin, "2026-10-25 01:45", false },
  }
  for _, case in ipairs(cases) do
    it(("is %s %s: %s at %s"):format(case[5] and "open" or "closed", case[1], case[2], case[4]), function()
      local window = plans.read({ window = case[2] }).window
      assert.equal(case[5], (windows.is_open(window, case[3], utc(case[4]))))
    end)
  end

  it("is always open if there is none", function() assert.is_true(windows.is_open(nil, zones.UTC, 5)) end)
end)

describe("depot.rollout.zone", function()
  it("agrees with the system's own at any time", function()
    for _, name in ipairs { "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Sydney", "Asia/Kathmandu",
      "Africa/Casablanca", "Europe/Dublin" } do
      local zone, list = assert(zones.load(name)), {}
      for i = 1, 40 do list[i] = i * 97654321 end
      local pipe <close> = assert(io.popen(("printf '@%%s\\n' %s | TZ=%s date -f - +%%::z"):format(
        table.concat(list, " "), name)))
      for _, seconds in ipairs(list) do
        local sign, h, m, s = pipe:read("l"):match "^([+-])(%d+):(%d+):(%d+)$"
        local offset = (h * 3600 + m * 60 + s) * (sign == "-" and -1 or 1)
        assert.equal(offset, zone:offset(seconds), ("%s at %d"):format(name, seconds))
      end
    end
  end)

  it("refuses names that are none, and damaged files", function()
    for _, name in ipairs { "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "", "posixrules\0" } do
      local zone, message, code = zones.load(name)
      assert.same({ nil, "missing" }, { zone, code })
      assert.matches("time zone", message, 1, true)
    end
    local file <close> = assert(io.open("/usr/share/zoneinfo/Europe/Berlin", "rb"))
    local bytes = file:read "a"
    assert.is_truthy(zones.parse(bytes))
    for cut = 0, #bytes - 1 do assert.is_nil(zones.parse(bytes:sub(1, cut))) end
  end)
end)
