--- What devices ran day by day, drawn here: an area for each of the most common releases, and the same as a table.
--
-- Pure. `page` is a depot.console.page.
--
-- @module depot.console.chart

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

local NAMED, HEIGHT, WIDTH = 5, 100, 10 -- releases that have an area of their own; of the picture, and of a day

-- Days are counted from one in the far past. A year begins in March here, so that its last day is the leap one.
local function number_of(day)
  local year, month, rest = day:match "^(%d+)-(%d+)-(%d+)$"
  year, month, rest = math.tointeger(tonumber(year)), math.tointeger(tonumber(month)), math.tointeger(tonumber(rest))
  if month < 3 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + rest
end

-- The releases that are drawn: the most common of any day, in the order in which they came.
local function named(days)
  local most, came, list = {}, {}, {}
  for at, day in ipairs(days) do
    for _, run in ipairs(day.releases) do
      if run.release ~= "" then
        if not most[run.release] then list[#list + 1], came[run.release] = run.release, at end
        most[run.release] = math.max(most[run.release] or 0, run.devices)
      end
    end
  end
  table.sort(list, function(a, b)
    if most[a] ~= most[b] then return most[a] > most[b] end
    return a < b
  end)
  for i = #list, NAMED + 1, -1 do list[i] = nil end
  table.sort(list, function(a, b)
    if came[a] ~= came[b] then return came[a] < came[b] end
    return a < b
  end)
  return list
end

-- The counts of each day by series: the named releases, and last the others.
local function counted(days, series)
  local place, most, others = {}, 1, false
  for i, release in ipairs(series) do place[release] = i end
  local list = {}
  for k, day in ipairs(days) do
    local counts, total = {}, 0
    for i = 1, #series + 1 do counts[i] = 0 end
    for _, run in ipairs(day.releases) do
      local i = place[run.release] or #series + 1
      counts[i], total = counts[i] + run.devices, total + run.devices
    end
    others, most = others or counts[#counts] > 0, math.max(most, total)
    list[k] = { day = day.day, at = number_of(day.day) - number_of(days[1].day), counts = counts }
  end
  return list, most, others
end

-- The edge above the first `of` series, as steps; down to where it ends.
local function edge(run, of, most, is_back)
  local parts = {}
  for k = is_back and #run or 1, is_back and 1 or #run, is_back and -1 or 1 do
    local sum = 0
    for i = 1, of do sum = sum + run[k].counts[i] end
    local x = run[k].at * WIDTH
    parts[#parts + 1] = ("V%d H%d"):format(HEIGHT - (sum * HEIGHT + most // 2) // most, is_back and x or x + WIDTH)
  end
  return table.concat(parts, " ")
end

-- The area of a series. Where days are not known, it is interrupted.
local function area(list, i, most)
  local parts, run = {}, {}
  for k, day in ipairs(list) do
    run[#run + 1] = day
    if not list[k + 1] or list[k + 1].at > day.at + 1 then
      parts[#parts + 1] = ("M%d %d %s %s Z"):format(run[1].at * WIDTH, HEIGHT, edge(run, i, most),
        edge(run, i - 1, most, true))
      run = {}
    end
  end
  return h.path { class = "c" .. i, d = table.concat(parts, " ") }
end

-- The days on which something was different from the day before, and the last.
local function rows_of(list, count)
  local rows = {}
  for k, day in ipairs(list) do
    local before, differs = list[k - 1], k == 1 or k == #list
    for i = 1, count do differs = differs or day.counts[i] ~= before.counts[i] end
    if differs then
      local row = { day.day }
      for i = 1, count do row[i + 1] = frame.number(day.counts[i]) end
      rows[#rows + 1] = row
    end
  end
  return rows
end

--- The picture and the table; false while there is only one day.
-- @tparam table page
-- @tparam {{day, releases = {{release, devices},...}},...} days the oldest first
function M.releases(page, days)
  if #days < 2 then return false end
  local series = named(days)
  local list, most, others = counted(days, series)
  local count = #series + (others and 1 or 0)
  local areas, keys, heads = {}, {}, { page.t "day" }
  for i = 1, count do
    local other = page.t "other_releases"
    local name = series[i] and frame.outside(series[i]) or other
    areas[i], heads[i + 1] = area(list, i, most), series[i] or other
    keys[count + 1 - i] = h.li { h.svg { class = "key", viewbox = "0 0 10 10", ["aria-hidden"] = "true",
      h.rect { width = 10, height = 10, class = "c" .. i } }, " ", name }
  end
  local first, last = list[1].day, list[#list].day
  return h.figure { class = "chart",
    h.svg { viewbox = ("0 0 %d %d"):format((list[#list].at + 1) * WIDTH, HEIGHT), preserveaspectratio = "none",
      role = "img", ["aria-label"] = page.t("chart_of", first, last), areas },
    h.figcaption { h.p { class = "span", h.span { first }, h.span { page.t("chart_most", most) }, h.span { last } },
      h.ul { class = "legend", keys } },
    h.details { h.summary { page.t "as_table" }, frame.table(heads, rows_of(list, count), page.t "as_table") } }
end

return M
