-- What the maintenance policy promises, as a table of cases. Run it on a PC:
--
--     moult /usr/bin/busted --ignore-lua examples/policy

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local policy = dofile(here .. "maintenance.lua")

local MONDAY_2AM = 1767578400 -- 5 January 2026, 02:00 UTC
local HOUR, DAY = 3600, 86400

-- A device and an offer that suit every rule; a case changes what it is about.
local function decide(case)
  local offer = { version = "1.0.1", to_fetch = 100000, manifest = { override = {} } }
  local device = {
    version = "1.0.0", time = MONDAY_2AM, time_set = true, battery = 80, metered = true, spent_today = 0,
  }
  for key, value in pairs(case.offer or {}) do offer[key] = value end
  for key, value in pairs(case.device or {}) do device[key] = value end
  for _, key in ipairs(case.unknown or {}) do device[key] = nil end
  return policy.decide(offer, device, case.limits or {})
end

describe("the maintenance policy", function()
  local cases = {
    { "installs at night on a weekday", {}, "install", "newer" },

    { "waits at 00:59", { device = { time = MONDAY_2AM - HOUR - 60 } }, "defer", "maintenance", 60 },
    { "installs at 01:00", { device = { time = MONDAY_2AM - HOUR } }, "install", "newer" },
    { "installs at 04:59", { device = { time = MONDAY_2AM + 3 * HOUR - 60 } }, "install", "newer" },
    { "waits at 05:00", { device = { time = MONDAY_2AM + 3 * HOUR } }, "defer", "maintenance", HOUR },
    { "installs on Friday", { device = { time = MONDAY_2AM + 4 * DAY } }, "install", "newer" },
    { "waits on Saturday", { device = { time = MONDAY_2AM + 5 * DAY } }, "defer", "maintenance", HOUR },
    { "waits on Sunday", { device = { time = MONDAY_2AM - DAY } }, "defer", "maintenance", HOUR },
    { "installs when nobody knows the time", { unknown = { "time" } }, "install", "newer" },
    { "installs when the clock was never set", { device = { time = 0, time_set = false } }, "install", "newer" },

    { "installs at 50 %", { device = { battery = 50 } }, "install", "newer" },
    { "waits at 49 %", { device = { battery = 49 } }, "defer", "charge", 900 },
    { "installs at 20 % on the charger", { device = { battery = 20, charging = true } }, "install", "newer" },
    { "waits at 19 % on the charger", { device = { battery = 19, charging = true } }, "defer", "charge", 900 },
    { "installs when nobody knows the battery", { unknown = { "battery" } }, "install", "newer" },

    { "spends the budget to the byte", { device = { spent_today = 1997152 } }, "install", "newer" },
    { "spends no byte more", { device = { spent_today = 1997153 } }, "defer", "bill", HOUR },
    { "waits for another link with a large one", { offer = { to_fetch = 9000000 } }, "defer", "bill", 6 * HOUR },
    { "takes a large one where bytes are free", { offer = { to_fetch = 9000000 }, device = { metered = false } },
      "install", "newer" },

    { "leaves an older release to the default rules", { offer = { version = "0.9.9" } }, "refuse", "version" },
    { "leaves the limits to the default rules", { limits = { battery = 90 } }, "defer", "battery", 900 },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local decision, tree = decide(case[2])
      assert.same({ case[3], case[4], case[5] }, { decision.action, decision.reason, decision.retry_after })
      assert.equal(case[3] ~= "install", tree[#tree].result == "stop") -- explained in the last line
    end)
  end
end)
