--- The time of day in which a rollout makes offers.
--
-- Pure. A window may cross midnight. A time that the clock skips in spring
-- stands for the next one that exists. Of two equal times in autumn the first
-- opens a window, and the last closes it.
--
-- @module depot.rollout.window

local M = {}

local DAY = 86400

--- When local time reaches `wanted`, as UTC.
-- @tparam table zone of depot.rollout.zone
-- @tparam integer wanted seconds since 1970 by local time
-- @tparam[opt] boolean last of two such moments the later one
-- @treturn integer seconds since 1970
function M.to_utc(zone, wanted, last)
  local before, after = zone:offset(wanted - DAY), zone:offset(wanted + DAY)
  local early, late = wanted - math.max(before, after), wanted - math.min(before, after)
  local early_fits, late_fits = early + zone:offset(early) == wanted, late + zone:offset(late) == wanted
  if early_fits and late_fits then return last and late or early end
  if early_fits then return early end
  if late_fits then return late end
  -- Skipped: the moment at which the clock was moved lies between the two.
  local offset = zone:offset(early)
  while late - early > 1 do
    local middle = (early + late) // 2
    if zone:offset(middle) == offset then early = middle else late = middle end
  end
  return late
end

-- The window that opens on a local day: UTC seconds from and to.
local function of_day(window, zone, day)
  local from = M.to_utc(zone, day * DAY + window.from * 60, false)
  local length = (window.to - window.from) % 1440 * 60
  local to = M.to_utc(zone, day * DAY + window.from * 60 + length, true)
  return from, to > from and to or from + length
end

--- A window as people write it.
function M.text(window)
  return ("%02d:%02d-%02d:%02d"):format(window.from // 60, window.from % 60, window.to // 60, window.to % 60)
end

--- Whether a window is open.
-- @tparam table|nil window from, to (minutes of the day); nil: always open
-- @tparam table zone of depot.rollout.zone
-- @tparam integer now ms
-- @treturn boolean
function M.is_open(window, zone, now)
  if not window then return true end
  local seconds = now // 1000
  local today = (seconds + zone:offset(seconds)) // DAY
  for day = today - 1, today do
    local from, to = of_day(window, zone, day)
    if seconds < from then return false end
    if seconds < to then return true end
  end
  return false
end

return M
