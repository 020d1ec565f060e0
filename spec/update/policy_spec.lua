local policy = require "update.policy"

local function merge(base, changes)
  local out = {}
  for key, value in pairs(base) do
    out[key] = value
  end
  for key, value in pairs(changes or {}) do
    out[key] = value
  end
  return out
end

-- Defaults plus changes; "nil" takes a field away.
local function build(base, changes)
  local out = merge(base, changes)
  for key, value in pairs(out) do
    if value == "nil" then
      out[key] = nil
    end
  end
  return out
end

-- Thursday 1 January 2026, 12:00 UTC.
local NOON = 1767268800

local function offer(changes)
  return build({
    cloud = "luat", release = "1.0.1", version = "1.0.1", sequence = 18, size = 1000, to_fetch = 1000,
    core = { name = "Luat", version = 22 }, manifest = { override = {} },
  }, changes)
end

local function device(changes)
  return build({
    project = "METER", release = "1.0.0", version = "1.0.0", core = { name = "Luat", version = 17 },
    battery = 80, time = NOON, time_set = true, metered = true, spent_today = 0,
  }, changes)
end

local function override(...)
  return { manifest = { override = { ... } } }
end

local function window(from, to, offset)
  return { window = { from = from, to = to, offset = offset } }
end

local function core(name, version)
  return { core = { name = name, version = version } }
end

local script_only = { core = "nil" }
local core_only = { version = "nil" }

describe("policy.decide", function()
  -- what, offer, device, limits, action, reason, retry_after
  local cases = {
    { "installs what is newer", {}, {}, {}, "install", "newer" },

    { "refuses a lower script", { version = "0.9.9" }, {}, {}, "refuse", "version" },
    { "refuses a lower script with a higher core", { version = "0.9" }, {}, {}, "refuse", "version" },
    { "takes a level script with a higher core", { version = "1.0.0" }, {}, {}, "install", "newer" },
    { "compares numbers, not text", { version = "1.0.10" }, { version = "1.0.9" }, {}, "install", "newer" },
    { "takes a lower script by permit", { version = "0.9", permit = true }, {}, {}, "install", "newer" },
    { "takes a lower script by override",
      merge({ version = "0.9" }, override "version"), {}, {}, "install", "newer" },
    { "refuses a lower script when the manifest overrides another rule",
      merge({ version = "0.9" }, override "window"),
      {}, {}, "refuse", "version" },
    { "takes a script where none is known", {}, { version = "nil" }, {}, "install", "newer" },

    { "refuses a core of another name", core("Other", 22), {}, {}, "refuse", "core" },
    { "refuses another core's name by permit, too",
      merge(core("Other", 22), { permit = true }), {}, {}, "refuse", "core" },
    { "refuses a lower core", core("Luat", 16), {}, {}, "refuse", "core" },
    { "takes a level core with a higher script", core("Luat", 17), {}, {}, "install", "newer" },
    { "takes a lower core by permit", merge(core("Luat", 16), { permit = true }), {}, {}, "install", "newer" },
    { "takes a core where none is known", {}, { core = "nil" }, {}, "install", "newer" },

    { "refuses what runs already", merge(core("Luat", 17), { version = "1.0.0" }), {}, {}, "refuse", "same" },
    { "takes another build of the script that runs", merge(script_only, { version = "1.0.0+b2" }), {}, {}, "install",
      "newer" },
    { "refuses a pre-release of what runs", merge(script_only, { version = "1.0.0-rc10" }), {}, {}, "refuse",
      "version" },
    { "takes a later pre-release", merge(script_only, { version = "1.0.0-rc10" }), { version = "1.0.0-rc2" }, {},
      "install", "newer" },
    { "refuses the same with a v", merge(script_only, { version = "v1.0.0" }), {}, {}, "refuse", "same" },
    { "refuses the script that runs", merge(script_only, { version = "1.0.0" }), {}, {}, "refuse", "same" },
    { "refuses the core that runs", merge(core("Luat", 17), core_only), {}, {}, "refuse", "same" },
    { "refuses what runs already although overridden",
      merge(merge(core("Luat", 17), { version = "1.0" }), override "version"),
      {}, {}, "refuse", "same" },
    { "installs what runs once more by permit", merge(core("Luat", 17), { version = "1.0.0", permit = true }),
      {}, {}, "install", "newer" },
    { "installs what runs once more when its script is damaged",
      merge(core("Luat", 17), { version = "1.0.0", repair = true }), {}, {}, "install", "newer" },
    { "takes files whose script runs already", merge(script_only, { version = "1.0.0", files = { version = "1" } }),
      {}, {}, "install", "newer" },
    { "refuses files with a lower script", merge(script_only, { version = "0.9", files = { version = "1" } }), {}, {},
      "refuse", "version" },
    { "installs a script alone", script_only, {}, {}, "install", "newer" },
    { "installs a core alone", core_only, {}, {}, "install", "newer" },

    { "installs at the battery limit", {}, { battery = 30 }, { battery = 30 }, "install", "newer" },
    { "defers below the battery limit", {}, { battery = 29.9 }, { battery = 30 }, "defer", "battery", 900 },
    { "goes on when the battery is unknown", {}, { battery = "nil" }, { battery = 30 }, "install", "newer" },
    { "goes on when the battery is nonsense", {}, { battery = "full" }, { battery = 30 }, "install", "newer" },
    { "goes on when the battery is not a number", {}, { battery = 0 / 0 }, { battery = 30 }, "install", "newer" },
    { "installs with low battery by override",
      override "battery", { battery = 1 }, { battery = 30 }, "install", "newer" },

    { "installs as the window opens", {}, {}, window("12:00", "13:00"), "install", "newer" },
    { "defers a second before the window opens",
      {}, { time = NOON - 1 }, window("12:00", "13:00"), "defer", "window", 1 },
    { "installs a second before the window closes",
      {}, { time = NOON + 3599 }, window("12:00", "13:00"), "install", "newer" },
    { "defers as the window closes", {}, { time = NOON + 3600 }, window("12:00", "13:00"), "defer", "window", 82800 },
    { "installs after midnight in a window past it",
      {}, { time = NOON + 43200 }, window("22:00", "04:00"), "install", "newer" },
    { "installs before midnight in a window past it",
      {}, { time = NOON + 43199 }, window("22:00", "04:00"), "install", "newer" },
    { "defers at noon to a window past midnight", {}, {}, window("22:00", "04:00"), "defer", "window", 36000 },
    { "takes a window until 24:00", {}, { time = NOON + 43199 }, window("23:00", "24:00"), "install", "newer" },
    { "takes a window of the whole day", {}, {}, window("00:00", "24:00"), "install", "newer" },
    { "counts the offset from UTC", {}, {}, window("14:00", "15:00", 120), "install", "newer" },
    { "counts an offset west of UTC", {}, {}, window("06:59", "07:00", -301), "install", "newer" },
    { "defers when the offset moves the window away",
      {}, {}, window("12:00", "13:00", 120), "defer", "window", 79200 },
    { "goes on when the clock was never set",
      {}, { time_set = false }, window("01:00", "02:00"), "install", "newer" },
    { "goes on when the time is unknown", {}, { time = "nil" }, window("01:00", "02:00"), "install", "newer" },
    { "defers when the window makes no sense", {}, {}, window("25:00", "02:00"), "defer", "window", 3600 },
    { "defers when the window has no end", {}, {}, window("05:00", nil), "defer", "window", 3600 },
    { "installs out of the window by override", override "window", {}, window("01:00", "02:00"), "install", "newer" },

    { "installs at the data budget", {}, { spent_today = 500 }, { budget = 1500 }, "install", "newer" },
    { "defers a byte over the data budget", {}, { spent_today = 501 }, { budget = 1500 }, "defer", "budget", 43200 },
    { "defers for an hour when the time is unknown", {}, { spent_today = 501, time = "nil" }, { budget = 1500 },
      "defer", "budget", 3600 },
    { "spends no budget on a free link", {}, { metered = false }, { budget = 1 }, "install", "newer" },
    { "goes on when the link is unknown", {}, { metered = "nil" }, { budget = 1 }, "install", "newer" },
    { "goes on when what was spent is unknown", {}, { spent_today = "nil" }, { budget = 1 }, "install", "newer" },
    { "installs over the budget by override", override "budget", {}, { budget = 1 }, "install", "newer" },

    { "installs a full package at the data cap", { fallback = true }, {}, { data_cap = 1000 }, "install", "newer" },
    { "defers a full package a byte over the data cap",
      { fallback = true }, {}, { data_cap = 999 }, "defer", "data_cap", 21600 },
    { "lets a delta pass the data cap", {}, {}, { data_cap = 1 }, "install", "newer" },
    { "needs no data cap on a free link",
      { fallback = true }, { metered = false }, { data_cap = 1 }, "install", "newer" },
  }
  for _, case in ipairs(cases) do
    local name, o, d, limits, action, reason, retry = table.unpack(case, 1, 7)
    it(name, function()
      local decision, tree = policy.decide(offer(o), device(d), limits)
      assert.same({ action, reason, retry }, { decision.action, decision.reason, decision.retry_after })
      -- The decision and the last line of the tree say the same thing.
      assert.equal(action == "install" and "data_cap" or (reason == "same" and "higher" or reason), tree[#tree].rule)
      assert.equal(action ~= "install", tree[#tree].result == "stop")
    end)
  end

  it("leaves a line for every rule, in order", function()
    local _, tree = policy.decide(offer(), device(), {})
    local lines = {}
    for i, line in ipairs(tree) do
      lines[i] = line.rule .. " " .. line.result
      assert.is_string(line.text)
    end
    assert.same({
      "version ok", "core ok", "higher ok", "battery skip", "window skip", "budget skip", "data_cap skip",
    }, lines)
  end)

  it("names the missing fact of a skipped rule", function()
    local _, tree = policy.decide(offer(), device { battery = "nil", time = "nil", metered = "nil" },
      { battery = 30, window = { from = "01:00", to = "02:00" }, budget = 5 })
    assert.matches("charge is not known", tree[4].text)
    assert.matches("time is not known", tree[5].text)
    assert.matches("metered is not known", tree[6].text)
    for i = 4, 6 do
      assert.equal("skip", tree[i].result)
    end
  end)

  it("does not fail when nothing is known", function()
    assert.equal("refuse", policy.decide({}, {}, {}).action)
  end)
end)

describe("policy.choose", function()
  it("takes, in order, the hotfixes that are not applied in that version", function()
    assert.same({ "new", "newer" }, policy.choose({
      { name = "new", version = "1" },
      { name = "level", version = "1", applied = "1.0" },
      { name = "newer", version = "1.1", applied = "1" },
      { name = "older", version = "1", applied = "2" },
    }, {}))
  end)
end)

describe("policy.healthy", function()
  local well = { uptime = 60, starts = 1, errors = 0, cloud_reached = true, confirm_called = false }
  local cases = {
    { "confirms at 60 s without an error", {}, nil, true },
    { "waits before 60 s", { uptime = 59.9 }, nil, nil },
    { "waits while the uptime is unknown", { uptime = "nil" }, nil, nil },
    { "waits for the cloud", { cloud_reached = false }, nil, nil },
    { "does not wait for a cloud that is not configured", { cloud_reached = "nil" }, nil, true },
    { "waits after an error", { errors = 1 }, nil, nil },
    { "confirms at once when the script says so", { uptime = 1, errors = 3, confirm_called = true }, nil, true },
    { "waits for the script when told to", { uptime = 1e6 }, { confirm = "script" }, nil },
    { "confirms when the script was waited for", { confirm_called = true }, { confirm = "script" }, true },
    { "takes another time to wait", { uptime = 5 }, { confirm = "auto", confirm_after = 5 }, true },
    { "waits for another time to wait", { uptime = 60 }, { confirm_after = 61 }, nil },
  }
  for _, case in ipairs(cases) do
    local name, facts, limits, verdict = table.unpack(case, 1, 4)
    it(name, function()
      local got, why = policy.healthy(build(well, facts), limits)
      assert.equal(verdict, got)
      assert.is_string(why)
    end)
  end
end)

describe("policy.overridable", function()
  it("names the rules that recipes may override", function()
    local recipe = require "cli.recipe_fields"
    for _, field in ipairs(recipe) do
      if field.name == "override" then assert.equal(policy.overridable, field.choices) end
    end
    for _, field in ipairs(require("update.policy_fields").offer) do
      for _, inner in ipairs(field.fields or {}) do
        if inner.name == "override" then
          for _, word in ipairs(policy.overridable) do assert.matches(('"%s"'):format(word), inner.meaning, 1, true) end
        end
      end
    end
  end)
end)
