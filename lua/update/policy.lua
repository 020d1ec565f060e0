--- The default policy: what to install, when, and when it is well.
--
-- A policy is a Lua file that returns a table with any of the three functions
-- below. A device may have its own (`policy = "path"` in the configuration),
-- a generation may bring one (`policy.lua` beside main.lua); each function is
-- taken from the first of these that defines it, else from this file. A policy
-- can call what it replaces:
--
--     local default = require "update.policy"
--     local M = {}
--     function M.decide(offer, device, limits)
--       if device.pump_running then
--         return { action = "defer", reason = "pump", retry_after = 600 }
--       end
--       return default.decide(offer, device, limits)
--     end
--     return M
--
-- Pure: facts come in, a decision goes out. Where policy runs there are only the
-- libraries string, table, math, utf8 and coroutine, and `require` gives this
-- module and update.version. A policy that uses more than half a second of
-- processor time or 12 MiB, fails, or answers nonsense is broken: the text of
-- it that last answered is asked instead (lua/update/engine/policy_client.lua).
--
-- Every field of offer, device, limits and facts is listed with its type and
-- unit in lua/update/policy_fields.lua and in moult-policy(7). Every one may be
-- nil when it is not known; then the rule that needs it is skipped, and the
-- reason tree says so. Sizes are bytes, times seconds. Battery, metered and
-- anything else that only the device's script can know come from
-- `update.setup { facts = fn }`, and keep the names that it gives.
--
-- @module update.policy

local version = require "update.version"

local M = {}

--- Words of a manifest's `override`, by which its maker says which rules it skips. Nothing but this file knows what
-- they mean.
M.overridable = { "version", "window", "battery", "budget" }

local HOUR, DAY = 3600, 86400

-- A rule looks at what it is given and returns "ok", "skip" or "stop", a
-- sentence, and with "stop" the decision: action, reason and retry_after.

-- A fact or limit that is not a number (a script may say anything) is unknown.
local function number(value)
  return type(value) == "number" and value == value and value or nil
end

-- Whole bytes or seconds, or nil.
local function whole(value)
  value = number(value)
  return value and value >= 0 and value < 2 ^ 53 and math.floor(value) or nil
end

-- The time, unless the clock was never set.
local function time_of(device)
  local set = device.time_set
  if set == nil then set = device.time_trusted end
  return set ~= false and whole(device.time) or nil
end

local function overridden(offer, name)
  for _, rule in ipairs(offer.manifest and offer.manifest.override or {}) do
    if rule == name then
      return true
    end
  end
  return false
end

-- What lets an older version in, or nil.
local function older_allowed(offer)
  return offer.permit and "a permit" or overridden(offer, "version") and "the manifest" or nil
end

local rules = {}

function rules.version(offer, device)
  if not offer.version then
    return "skip", "the package has no script"
  elseif not device.version then
    return "skip", "the version of this device's script is not known"
  elseif older_allowed(offer) then
    return "skip", ("%s allows script %s over %s"):format(older_allowed(offer), offer.version, device.version)
  elseif version.compare(offer.version, device.version) < 0 then
    return "stop", ("script %s is lower than %s, which runs"):format(offer.version, device.version),
      { action = "refuse", reason = "version" }
  end
  return "ok", ("script %s is not lower than %s"):format(offer.version, device.version)
end

function rules.core(offer, device)
  local new, old = offer.core, device.core
  if not new then
    return "skip", "the package has no core"
  elseif not old or not old.name then
    return "skip", "the name of this device's core is not known"
  elseif new.name ~= old.name then
    return "stop", ("core %s is not for a device with core %s"):format(new.name, old.name),
      { action = "refuse", reason = "core" }
  elseif not old.version then
    return "skip", ("the version of core %s is not known"):format(old.name)
  elseif older_allowed(offer) then
    return "skip", ("%s allows core %s over %s"):format(older_allowed(offer), new.version, old.version)
  elseif version.compare(new.version, old.version) < 0 then
    return "stop", ("core %s %s is lower than %s, which runs"):format(new.name, new.version, old.version),
      { action = "refuse", reason = "core" }
  end
  return "ok", ("core %s %s is not lower than %s"):format(new.name, new.version, old.version)
end

-- +1, 0 or -1 for the part of the offer against what runs; what runs unknown, or
-- another build of it, counts as lower, and nil says that the offer has no such part.
local function order_of(new, old)
  if not new then return nil end
  local order = old and version.compare(new, old) or 1
  return order == 0 and not version.same(new, old) and 1 or order
end

function rules.higher(offer, device)
  local script = order_of(offer.version, device.version)
  local core = order_of(offer.core and offer.core.version, device.core and device.core.version)
  local function news(order)
    return order ~= nil and (order > 0 or order < 0 and older_allowed(offer) ~= nil)
  end
  if offer.hotfix then return "ok", ("hotfix %s %s is not applied"):format(offer.hotfix.name, offer.hotfix.version) end
  if offer.files then return "ok", ("files %s are put in place"):format(tostring(offer.files.version)) end
  if news(script) and news(core) then
    return "ok", "script and core are new and go together"
  elseif news(script) then
    return "ok", core and "the script is newer, the core is the one that runs" or "the script is new"
  elseif news(core) then
    return "ok", script and "the core is newer, the script is the one that runs" or "the core is new"
  elseif offer.repair then
    return "ok", "the script that runs is damaged, and this is the same release"
  elseif offer.permit then
    return "skip", "a permit allows what runs already to be installed again"
  end
  return "stop", "nothing in it is newer than what runs", { action = "refuse", reason = "same" }
end

function rules.battery(offer, device, limits)
  local least, charge = number(limits.battery), number(device.battery)
  if not least then
    return "skip", "no battery limit is configured"
  elseif overridden(offer, "battery") then
    return "skip", "the manifest overrides this rule"
  elseif not charge then
    return "skip", "the battery's charge is not known"
  elseif charge < least then
    return "stop", ("battery at %s %%, below %s %%"):format(charge, least),
      { action = "defer", reason = "battery", retry_after = 900 }
  end
  return "ok", ("battery at %s %%, at least %s %%"):format(charge, least)
end

-- "HH:MM" as seconds of the day; nil if it is not a time. "24:00" is the end of it.
local function seconds_of(clock)
  local hour, minute = tostring(clock):match("^(%d%d?):([0-5]%d)$")
  local at = hour and math.tointeger(hour) * HOUR + math.tointeger(minute) * 60
  return at and at <= DAY and at % DAY or nil
end

function rules.window(offer, device, limits)
  local window, time = limits.window, time_of(device)
  if type(window) ~= "table" then
    return "skip", "no time window is configured"
  elseif overridden(offer, "window") then
    return "skip", "the manifest overrides this rule"
  elseif not time then
    return "skip", "the time is not known"
  end
  local from, to, offset = seconds_of(window.from), seconds_of(window.to), window.offset or 0
  if not from or not to or math.type(offset) ~= "integer" then
    return "stop", "limits.window is malformed: { from = \"02:00\", to = \"04:30\", offset = 120 } is one",
      { action = "defer", reason = "window", retry_after = HOUR }
  end
  local now = (time + offset * 60) % DAY
  local zone = offset == 0 and "UTC" or ("UTC%+d min"):format(offset)
  local text = ("%02d:%02d %s is %%s %s to %s"):format(now // HOUR, now % HOUR // 60, zone, window.from, window.to)
  -- Counted from the opening, a window past midnight is like any other.
  if from == to or (now - from) % DAY < (to - from) % DAY then
    return "ok", text:format("within")
  end
  return "stop", text:format("outside"), { action = "defer", reason = "window", retry_after = (from - now) % DAY }
end

-- Seconds until the budget's next day begins; an hour when the time is not known.
local function next_day(device)
  local time = time_of(device)
  return time and DAY - time % DAY or HOUR
end

function rules.budget(offer, device, limits)
  local budget, fetch, spent = whole(limits.budget), whole(offer.to_fetch), whole(device.spent_today)
  if not budget then
    return "skip", "no data budget is configured"
  elseif overridden(offer, "budget") then
    return "skip", "the manifest overrides this rule"
  elseif device.metered == false then
    return "ok", "the link is not metered"
  elseif device.metered == nil then
    return "skip", "whether the link is metered is not known"
  elseif not fetch or not spent then
    return "skip", (fetch and "what was spent today" or "what is still to fetch") .. " is not known"
  end
  local text = ("%d bytes to fetch and %d spent today"):format(fetch, spent)
  if fetch + spent <= budget then
    return "ok", ("%s stay within %d a day"):format(text, budget)
  end
  local hint = fetch > budget and "; no day's budget is enough for it" or ""
  return "stop", ("%s are over %d a day%s"):format(text, budget, hint),
    { action = "defer", reason = "budget", retry_after = next_day(device) }
end

function rules.data_cap(offer, device, limits)
  local cap, fetch = whole(limits.data_cap), whole(offer.to_fetch)
  if not cap then
    return "skip", "no data cap is configured"
  elseif overridden(offer, "budget") then
    return "skip", "the manifest overrides this rule"
  elseif not offer.fallback then
    return "ok", "it is not a full package instead of a delta"
  elseif device.metered == false then
    return "ok", "the link is not metered"
  elseif not fetch then
    return "skip", "what is still to fetch is not known"
  elseif fetch <= cap then
    return "ok", ("the full package needs %d bytes, at most %d"):format(fetch, cap)
  end
  return "stop", ("the full package needs %d bytes, over %d"):format(fetch, cap),
    { action = "defer", reason = "data_cap", retry_after = 6 * HOUR }
end

local order = { "version", "core", "higher", "battery", "window", "budget", "data_cap" }

--- Decide about an offer. Rules run in order; the first that says stop ends it.
-- @tparam table offer what is to be had; signed, and every gate passed already
-- @tparam table device what runs now
-- @tparam table limits those of the configuration; may be empty
-- @treturn table decision {action = "install"|"defer"|"refuse", reason = word,
--   retry_after = seconds (with "defer"), prefer = "delta"|"full", reuse = false or nil}
-- @treturn table the reason tree: an array of {rule = word, result =
--   "ok"|"skip"|"stop", text = sentence}, a line for each rule that ran
function M.decide(offer, device, limits)
  local tree = {}
  for _, name in ipairs(order) do
    local result, text, decision = rules[name](offer, device, limits)
    tree[#tree + 1] = { rule = name, result = result, text = text }
    if decision then
      return decision, tree
    end
  end
  return { action = "install", reason = "newer", prefer = "delta" }, tree
end

--- Choose hotfixes: all that are not applied yet, in the order offered.
-- @tparam {table,...} hotfixes {name = string, version = string, applied =
--   string (the version that is applied now) or nil}
-- @tparam table _device what runs now; the default does not look at it
-- @treturn {string,...} names of those to apply, in order
function M.choose(hotfixes, _device)
  local names = {}
  for _, fix in ipairs(hotfixes) do
    if not fix.applied or version.compare(fix.version, fix.applied) > 0 then
      names[#names + 1] = fix.name
    end
  end
  return names
end

--- Say whether the release on trial is well. It is also asked while a hotfix is tested: false undoes that.
-- Default: the script called update.confirm(); or, with `confirm = "auto"`,
-- it ran `confirm_after` seconds without an error and a cloud answered. What
-- errs is never confirmed by itself: the deadline of the trial rolls it back.
-- @tparam table facts how the release on trial does
-- @tparam[opt] table limits confirm, confirm_after
-- @treturn boolean|nil true confirms, false rolls back at once, nil: not yet
-- @treturn string a sentence: why
function M.healthy(facts, limits)
  limits = limits or {}
  local least, uptime, errors = number(limits.confirm_after) or 60, number(facts.uptime), whole(facts.errors) or 0
  if facts.confirm_called then
    return true, "confirm() was called"
  elseif limits.confirm == "script" then
    return nil, "waiting for a call of confirm()"
  elseif errors > 0 then
    return nil, ("its tasks failed %d times: only update.confirm() can confirm it now"):format(errors)
  elseif not uptime or uptime < least then
    return nil, ("it ran %s of %s s"):format(uptime or 0, least)
  elseif facts.cloud_reached == false then
    return nil, "no cloud has answered yet"
  end
  return true, ("it ran %s s without an error"):format(uptime)
end

return M
