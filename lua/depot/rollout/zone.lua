--- Time zones, as the system's zoneinfo has them (RFC 8536).
--
-- A zone tells how far local time is from UTC at a time. Times after the last
-- listed change follow the rule in the file's footer, as POSIX's TZ has it.
--
-- @module depot.rollout.zone

local M = {}

local Zone = {}
Zone.__index = Zone

local FOLDER = "/usr/share/zoneinfo/"
local DAY = 86400
local SIZE = 1 << 20

--- Days since 1970 of the first day of a month.
function M.days(year, month)
  local y = month <= 2 and year - 1 or year
  local era = y // 400
  local in_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5
  local of_era = (y - era * 400) * 365 + (y - era * 400) // 4 - (y - era * 400) // 100 + in_year
  return era * 146097 + of_era - 719468
end

local function year_of(seconds)
  local year = 1970 + seconds // 31556952
  if M.days(year, 1) * DAY > seconds then return year - 1 end
  if M.days(year + 1, 1) * DAY <= seconds then return year + 1 end
  return year
end

-- "[+-]h[h[h]][:mm[:ss]]" in seconds.
local function span(text)
  local sign, h, rest = text:match "^([+-]?)(%d+)(.*)$"
  local m, s = rest:match "^:(%d+):?(%d*)"
  local seconds = h * 3600 + (tonumber(m) or 0) * 60 + (tonumber(s) or 0)
  return math.tointeger(sign == "-" and -seconds or seconds)
end

-- "Mm.w.d[/time]": function(year) -> local seconds of the change. Julian days are not used by any zone of today.
local function change_of(text)
  local month, week, day, time = text:match "^M(%d+)%.(%d)%.(%d)/?(.*)$"
  if not month then return nil end
  month, week, day = math.tointeger(month), math.tointeger(week), math.tointeger(day)
  local at = time ~= "" and span(time) or 7200
  return function(year)
    local first = M.days(year, month)
    local next_month = month == 12 and M.days(year + 1, 1) or M.days(year, month + 1)
    local found = first + (day - (first + 4)) % 7 + (week - 1) * 7
    while found >= next_month do found = found - 7 end
    return found * DAY + at
  end
end

local NAME = "^(<[^>]+>)"

local function take(text, pattern, other)
  local found = text:match(pattern) or text:match(other)
  return found, found and text:sub(#found + 1)
end

-- The footer: {standard, summer, begins, ends}; nil: none, or not understood.
local function rule_of(text)
  local name, rest = take(text, NAME, "^%a+")
  if not name then return nil end
  local offset
  offset, rest = take(rest, "^[+-]?%d+:?%d*:?%d*", "^[+-]?%d+")
  if not offset then return nil end
  local rule = { standard = -span(offset) }
  name, rest = take(rest, NAME, "^%a+")
  if not name then return rule end
  local summer, begins, ends = rest:match "^([^,]*),([^,]+),([^,]+)$"
  if not summer then return nil end
  rule.summer = summer ~= "" and -span(summer) or rule.standard + 3600
  rule.begins, rule.ends = change_of(begins), change_of(ends)
  return rule.begins and rule.ends and rule or nil
end

local function by_rule(rule, seconds)
  if not rule.summer then return rule.standard end
  local year = year_of(seconds + rule.standard)
  local begins, ends = rule.begins(year) - rule.standard, rule.ends(year) - rule.summer
  local is_summer
  if begins < ends then
    is_summer = seconds >= begins and seconds < ends
  else -- south of the equator
    is_summer = seconds >= begins or seconds < ends
  end
  return is_summer and rule.summer or rule.standard
end

--- Seconds that local time is ahead of UTC.
-- @tparam integer seconds since 1970
function Zone:offset(seconds)
  local times = self.times
  if #times == 0 or seconds < times[1] then return self.first end
  if seconds >= times[#times] and self.rule then return by_rule(self.rule, seconds) end
  local low, high = 1, #times
  while low < high do
    local middle = (low + high + 1) // 2
    if times[middle] <= seconds then low = middle else high = middle - 1 end
  end
  return self.offsets[low]
end

local HEADER = ">c4 c1 c15 I4 I4 I4 I4 I4 I4"

local function header(bytes, at)
  local magic, version, _, isut, isstd, leap, times, types, chars, after = HEADER:unpack(bytes, at)
  if magic ~= "TZif" then return nil end
  return { version = version, isut = isut, isstd = isstd, leap = leap, times = times, types = types, chars = chars,
    after = after }
end

local function parse(bytes)
  local old = header(bytes, 1)
  if not old or old.version == "\0" then return nil end
  local at = old.after + old.times * 5 + old.types * 6 + old.chars + old.leap * 8 + old.isstd + old.isut
  local new = header(bytes, at)
  if not new then return nil end
  local zone, kinds = { times = {}, offsets = {} }, {}
  at = new.after + new.times * 9
  for i = 1, new.types do kinds[i] = (">i4"):unpack(bytes, at + (i - 1) * 6) end
  for i = 1, new.times do
    zone.times[i] = (">i8"):unpack(bytes, new.after + (i - 1) * 8)
    zone.offsets[i] = kinds[bytes:byte(new.after + new.times * 8 + i - 1) + 1]
  end
  zone.first = kinds[1]
  at = at + new.types * 6 + new.chars + new.leap * 12 + new.isstd + new.isut
  local footer = bytes:match("^\n([^\n]*)\n", at)
  if not footer then return nil end
  zone.rule = rule_of(footer)
  if not zone.rule and #zone.times == 0 then zone.rule = { standard = zone.first } end
  return zone
end

--- Read a zone.
-- @tparam string bytes of a zoneinfo file, version 2 or later
-- @treturn table|nil zone; nil: damaged
function M.parse(bytes)
  local fine, zone = pcall(parse, bytes)
  return fine and zone and setmetatable(zone, Zone) or nil
end

M.UTC = setmetatable({ times = {}, offsets = {}, first = 0 }, Zone)

local cache = {}

--- The zone of a name, as Asia/Shanghai.
-- @treturn table|nil zone; nil, message, "missing"
function M.load(name)
  if not name or name == "UTC" then return M.UTC end
  if cache[name] then return cache[name] end
  local zone
  if name:find "^%a[%w_+-]*[%w/_+-]*$" and #name <= 64 then
    local file = io.open(FOLDER .. name, "rb")
    local bytes = file and file:read(SIZE)
    if file then file:close() end
    zone = bytes and M.parse(bytes)
  end
  if not zone then
    return nil, ("time zone %s: not found in %s (Debian package tzdata)"):format(name, FOLDER), "missing"
  end
  cache[name] = zone
  return zone
end

return M
