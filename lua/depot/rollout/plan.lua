--- What an operator lays down for a rollout: waves, soak, limits, pace.
--
-- Pure: reads the texts of options, fills in what is not said, and names what
-- is wrong. A plan holds numbers and strings only, so that the store can keep
-- it as JSON.
--
-- @module depot.rollout.plan

local M = {}

local SPANS = { s = 1, m = 60, h = 3600, d = 86400 }
local WAVES = 20 -- at most

--- What a plan has unless it says otherwise. Spans are seconds.
M.DEFAULTS = {
  waves = { 1, 10, 50, 100 },
  soak = 86400,    -- between a wave that is done and the next one
  advance = "time", -- or "hand": a person opens each wave
  limit = { percent = 5, sample = 20 },
  count_silent = false, -- whether a device that falls silent amid an upgrade counts for the limit
  in_flight = 100, -- offers that are open at once
  done = 90,       -- percent of the devices heard since the wave opened that need a verdict
  least = 1,       -- of them have succeeded
  retries = 0,     -- a failed device tries again so often by itself
  backoff = 3600,  -- between two tries
  members = "open",
}

local function number_in(text, least, most)
  local number = text:find "^%d+%.?%d*$" and #text <= 9 and tonumber(text)
  if not number or number < least or number > most then return nil end
  return math.tointeger(number) or number
end

local function whole(least, most)
  return function(text)
    local number = math.tointeger(number_in(text, least, most))
    if number then return number end
    return nil, ("a whole number from %d to %d"):format(least, most)
  end
end

local function span(text)
  local count, unit = text:match "^(%d+)(%l)$"
  if text == "0" then return 0 end
  if count and #count <= 6 and SPANS[unit] then return math.tointeger(tonumber(count)) * SPANS[unit] end
  return nil, "a span, as 30m, 24h or 7d"
end

local function one_of(...)
  local words = { ... }
  return function(text)
    for _, word in ipairs(words) do
      if text == word then return word end
    end
    return nil, table.concat(words, " or ")
  end
end

local function yes_or_no(text)
  if text == "yes" then return true end
  if text == "no" then return false end
  return nil, "yes or no"
end

local WAVES_ARE = ("rising percentages of which the last is 100, as 1,10,50,100; at most %d"):format(WAVES)

local function waves(text)
  local list = {}
  for piece in (text .. ","):gmatch "([^,]*)," do
    local percent = number_in(piece:gsub("%%$", ""), 0.01, 100)
    -- A place is a hundredth of a percent.
    if not percent or percent * 100 % 1 > 1e-6 and percent * 100 % 1 < 1 - 1e-6 then return nil, WAVES_ARE end
    if percent <= (list[#list] or 0) or #list == WAVES then return nil, WAVES_ARE end
    list[#list + 1] = percent
  end
  if list[#list] ~= 100 then return nil, WAVES_ARE end
  return list
end

local function limit(text)
  if text == "none" then return {} end
  local percent = text:match "^(.+)%%$"
  if percent then
    percent = number_in(percent, 0.01, 100)
    if percent then return { percent = percent, sample = M.DEFAULTS.limit.sample } end
  else
    local count = math.tointeger(number_in(text, 1, 1000000))
    if count then return { count = count } end
  end
  return nil, "a percentage, as 5%, a number of failures, as 20, or none"
end

local function window(text)
  local h1, m1, h2, m2 = text:match "^(%d%d):(%d%d)%-(%d%d):(%d%d)$"
  if h1 then
    local from, to = h1 * 60 + m1, h2 * 60 + m2
    if from < 1440 and to < 1440 and m1 + 0 < 60 and m2 + 0 < 60 and from ~= to then
      return { from = math.tointeger(from), to = math.tointeger(to) }
    end
  end
  return nil, "two different times of day, as 22:00-05:00"
end

local READ = {
  waves = waves, soak = span, limit = limit, window = window, backoff = span,
  advance = one_of("time", "hand"), members = one_of("open", "fixed"),
  in_flight = whole(1, 1000000), done = whole(1, 100), least = whole(1, 1000000), retries = whole(0, 100),
  sample = whole(1, 1000000), count_silent = yes_or_no, zone = function(text) return text end,
}

-- Fields that a rollout keeps once it has started: they say who belongs to which wave.
local FIXED = { waves = true, members = true }

local function given_in(texts)
  local names = {}
  for name in pairs(READ) do
    if texts[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local made = {}
  for k, v in pairs(value) do made[k] = copy(v) end
  return made
end

--- Read a plan, or the change of one.
-- @tparam {string=string} texts by field: waves, soak, advance, limit, sample, count_silent, in_flight, done,
--   least, retries, backoff, members, window, zone
-- @tparam[opt] table before the plan that is changed; else M.DEFAULTS
-- @treturn table|nil a new plan; nil, message, "usage"
function M.read(texts, before)
  local plan = copy(before or M.DEFAULTS)
  local sample = plan.limit.sample
  for _, name in ipairs(given_in(texts)) do
    if before and FIXED[name] then
      return nil, name .. " cannot be changed: they are fixed once a rollout is made", "usage"
    end
    local value, expected = READ[name](texts[name])
    if value == nil then return nil, ("%s %s: expected %s"):format(name, texts[name], expected), "usage" end
    if name ~= "sample" then plan[name] = value end
  end
  if plan.limit.percent then plan.limit.sample = sample or plan.limit.sample end
  if texts.sample then
    if not plan.limit.percent then return nil, "sample needs a limit in percent", "usage" end
    plan.limit.sample = READ.sample(texts.sample)
  end
  if plan.zone and not plan.window then return nil, "zone needs a window", "usage" end
  return plan
end

-- Fields that the automatic mode can have: it has no release of its own, so no waves. Its limit is for each release.
local AUTO = { in_flight = true, window = true, zone = true, retries = true, backoff = true, limit = true,
  sample = true, count_silent = true }

--- Read the change of the automatic mode's plan.
-- @treturn table|nil a new plan; nil, message, "usage"
function M.read_auto(texts, before)
  for _, name in ipairs(given_in(texts)) do
    if not AUTO[name] then
      return nil, ("the automatic mode has no %s; make the product staged and create a rollout"):format(name),
        "usage"
    end
  end
  return M.read(texts, before)
end

--- The plan of a batch, and of the automatic mode: everybody at once, no limits.
M.BATCH = { waves = { 100 }, soak = 0, advance = "time", limit = {}, done = 90, least = 1, retries = 0, backoff = 3600,
  members = "open" }

return M
