--- Update at night, with enough battery, and without a surprise on the bill.
--
-- A policy for devices in the field. It asks the default policy first (is the
-- release newer? what do the limits of the configuration say?) and then has
-- three rules of its own. What it can look at, with types and units, is listed
-- at the head of lua/update/policy.lua.

local default = require "update.policy"

local HOUR, DAY = 3600, 86400

-- The maintenance window: hours of the day in UTC, Monday (1) to Friday (5).
local OPENS, CLOSES = 1, 5
local FIRST, LAST = 1, 5

-- Percent; a device on its charger may start with less.
local BATTERY, CHARGING = 50, 20

-- Bytes a day over a link that is paid by the byte.
local BUDGET = 2 * 1024 * 1024

-- 1 January 1970 was a Thursday (4); Monday is 1 and Sunday 7.
local function weekday(time)
  return (time // DAY + 3) % 7 + 1
end

local function is_open(time)
  local day, hour = weekday(time), time % DAY // HOUR
  return day >= FIRST and day <= LAST and hour >= OPENS and hour < CLOSES
end

-- Each rule returns nil when it has nothing against the update, else a decision
-- and a sentence. A fact that nobody knows is nil: then the rule does not apply,
-- because a device that does not know its battery must still be updated.
local rules = {}

function rules.maintenance(_, device)
  if not device.time or not device.time_set or is_open(device.time) then
    return nil
  end
  -- Look again at the next full hour until it is open.
  return { action = "defer", reason = "maintenance", retry_after = HOUR - device.time % HOUR },
    ("open from %02d:00 to %02d:00 UTC on weekdays"):format(OPENS, CLOSES)
end

function rules.charge(_, device)
  local least = device.charging and CHARGING or BATTERY
  if not device.battery or device.battery >= least then
    return nil
  end
  return { action = "defer", reason = "charge", retry_after = 900 },
    ("battery at %d %%, %d %% needed"):format(device.battery // 1, least)
end

function rules.bill(offer, device)
  if not device.metered or not offer.to_fetch or offer.to_fetch + (device.spent_today or 0) <= BUDGET then
    return nil
  end
  -- Larger than any day's budget: wait for another link, and do not ask often.
  local wait = offer.to_fetch > BUDGET and 6 * HOUR or HOUR
  return { action = "defer", reason = "bill", retry_after = wait },
    ("%d bytes to fetch, %d a day"):format(offer.to_fetch, BUDGET)
end

local M = {}

function M.decide(offer, device, limits)
  local decision, tree = default.decide(offer, device, limits)
  if decision.action ~= "install" then
    return decision, tree
  end
  for _, name in ipairs { "maintenance", "charge", "bill" } do
    local against, text = rules[name](offer, device)
    -- Every rule leaves its line: `moult explain` shows them.
    table.insert(tree, { rule = name, result = against and "stop" or "ok", text = text or "nothing against it" })
    if against then
      return against, tree
    end
  end
  return decision, tree
end

-- There is no choose() and no healthy() here: the default's are used.
return M
