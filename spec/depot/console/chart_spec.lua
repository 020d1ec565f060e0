-- The picture of what devices ran day by day: areas that lie on each other, gaps, and the same as a table.

local chart = require "depot.console.chart"
local html = require "depot.console.html"
local words = require "depot.console.words"

local page = { t = function(key, ...) return words.of("en", key, ...) end }

-- A day: day("2026-11-01", "1.0", 4, "1.1", 2).
local function day(date, ...)
  local list, given = {}, { ... }
  for i = 1, #given, 2 do list[#list + 1] = { release = given[i], devices = given[i + 1] } end
  return { day = date, releases = list }
end

local function drawn(...) return html.text(chart.releases(page, { ... })) end

local function paths(text)
  local list = {}
  for class, d in text:gmatch '<path class="(c%d)" d="([^"]*)">' do list[#list + 1] = class .. ": " .. d end
  return list
end

-- The rows of the table.
local function rows(text)
  local list = {}
  for row in text:match "<tbody>(.*)</tbody>":gmatch "<tr>(.-)</tr>" do
    list[#list + 1] = row:gsub("<td[^>]*>", ""):gsub("</td>", " ")
  end
  return list
end

describe("the picture of releases", function()
  it("is not there for a single day", function()
    assert.is_false(chart.releases(page, { day("2026-11-01", "1.0", 4) }))
    assert.is_false(chart.releases(page, {}))
  end)

  it("has areas that lie on each other, in the order in which the releases came", function()
    local text = drawn(day("2026-11-01", "1.0", 4), day("2026-11-02", "1.1", 3, "1.0", 1))
    assert.same({ "c1: M0 100 V0 H10 V75 H20 V100 H10 V100 H0 Z", "c2: M0 100 V0 H10 V0 H20 V75 H10 V0 H0 Z" },
      paths(text))
    assert.is_truthy(text:find('viewbox="0 0 20 100"', 1, true))
    assert.is_truthy(text:find("at most 4 devices", 1, true))
    assert.is_truthy(text:match "1%.1</bdi>.*1%.0</bdi>", "the legend stands as the areas do, the last on top")
    assert.same({ "2026-11-01 4 0 ", "2026-11-02 1 3 " }, rows(text))
  end)

  it("leaves a gap where days are not known, over the end of a year and of summer time", function()
    local text = drawn(day("2026-12-30", "1.0", 1), day("2026-12-31", "1.0", 1), day("2027-01-02", "1.0", 2))
    assert.same({ "c1: M0 100 V50 H10 V50 H20 V100 H10 V100 H0 Z M30 100 V0 H40 V100 H30 Z" }, paths(text))
    text = drawn(day("2026-03-28", "1.0", 1), day("2026-03-30", "1.0", 1))
    assert.is_truthy(text:find('viewbox="0 0 30 100"', 1, true))
  end)

  it("knows how far days are apart, in leap years and others", function()
    for _, year in ipairs { 2000, 2027, 2028, 2100 } do
      local from, till = year .. "-02-28", year .. "-03-01"
      local function noon(date)
        local y, m, d = date:match "(%d+)-(%d+)-(%d+)"
        return os.time { year = tonumber(y), month = tonumber(m), day = tonumber(d), hour = 12 }
      end
      local days = (noon(till) - noon(from)) // 86400 + 1
      local text = drawn(day(from, "1.0", 1), day(till, "1.0", 1))
      assert.is_truthy(text:find(('viewbox="0 0 %d 100"'):format(days * 10), 1, true), from)
    end
  end)

  it("names five releases, and puts the others and those that are not known together", function()
    local days = { day("2026-11-01", "", 1), day("2026-11-02") }
    for i = 1, 7 do table.insert(days[2].releases, { release = "r" .. i, devices = 10 - i }) end
    local text = html.text(chart.releases(page, days))
    local list = paths(text)
    assert.same({ 6, "c6" }, { #list, list[6]:sub(1, 2) })
    assert.is_nil(text:find("r6", 1, true))
    assert.is_truthy(text:find("others, or not known", 1, true))
    assert.same({ "2026-11-01 0 0 0 0 0 1 ", "2026-11-02 9 8 7 6 5 7 " }, rows(text))
  end)

  it("has the days with a change in its table, and the last", function()
    local text = drawn(day("2026-11-01", "1.0", 4), day("2026-11-02", "1.0", 4), day("2026-11-03", "1.0", 5),
      day("2026-11-04", "1.0", 5), day("2026-11-05", "1.0", 5))
    assert.same({ "2026-11-01 4 ", "2026-11-03 5 ", "2026-11-05 5 " }, rows(text))
  end)

  it("shows a hostile name as text, and needs no style in place", function()
    local text = drawn(day("2026-11-01", "\"'><script>alert(1)</script>", 4), day("2026-11-02"))
    assert.is_nil(text:find("<script", 1, true))
    assert.is_nil(text:find("style=", 1, true))
  end)

  it("stays small for ninety days that all differ", function()
    local days = {}
    for i = 0, 89 do
      days[#days + 1] = day(os.date("!%Y-%m-%d", 1767225600 + i * 86400), "a", i, "b", 90 - i, "c", i * 7 % 11, "d", 3,
        "e", i * 5 % 13, "f", i)
    end
    assert.is_true(#html.text(chart.releases(page, days)) < 50 * 1024)
  end)
end)
