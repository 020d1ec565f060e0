--- Which devices a filter selects: `state:failed -release:1.0.2 heard<7d`.
--
-- Pure. Terms are separated by spaces, and all must hold:
--
--     field:value    equals the value, ignoring case; a name may also match by its beginning, `name:meter-*`
--     -field:value   differs from the value, or is not known
--     field<value    release, by version; code; heard, a time span: `heard<7d` means not heard of for seven days
--
-- Put a value with spaces in double quotes; "" matches a field that is not set. FIELDS lists the fields.
--
-- @module depot.filter

local version = require "update.version"

local M = {}

local TERMS = 32 -- at most
local SPANS = { s = 1000, m = 60000, h = 3600000, d = 86400000 }

--- A span as 30m, 24h or 7d.
-- @treturn integer|nil ms; nil, what was expected
function M.span(text)
  local count, unit = text:match "^(%d+)(%l)$"
  local span = SPANS[unit] and #count < 9 and math.tointeger(tonumber(count)) * SPANS[unit]
  if span then return span end
  return nil, "a span, as 30m, 24h or 7d"
end

local function same(given, wanted) return given ~= nil and tostring(given):lower() == wanted:lower() end

local function name_is(given, wanted)
  local start = wanted:match "^(.*)%*$"
  if not start then return same(given, wanted) end
  return given ~= nil and given:sub(1, #start):lower() == start:lower()
end

-- For each field: `of`, its name in a row; `is` and `less`, how it is compared; `read`, which reads the value after `<`
-- (or returns nil and what was expected); `lasts`, whether it stays the same over time.
local FIELDS = {
  tag = { of = "tags", is = function(given, wanted)
    for _, tag in ipairs(given) do
      if same(tag, wanted) then return true end
    end
    return wanted == "" and #given == 0
  end },
  product = { of = "product", is = same, lasts = true },
  cloud = { of = "cloud", is = same, lasts = true },
  name = { of = "device", is = name_is, lasts = true },
  release = { of = "release", is = same, lasts = true,
    less = function(given, wanted) return version.compare(given, wanted) < 0 end,
    read = function(text)
      if version.is(text) then return text end
      return nil, "a version, as 1.0.2"
    end },
  target = { of = "target", is = same },
  state = { of = "state", is = same },
  code = { of = "code", is = same, less = function(given, wanted) return given < wanted end, read = function(text)
    local number = math.tointeger(tonumber(text))
    if number then return number end
    return nil, "a whole number"
  end },
  heard = { of = "heard", less = function(given, wanted, now) return given < now - wanted end, read = M.span },
}

local function known(with)
  local names = {}
  for name, field in pairs(FIELDS) do
    if field[with] then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

local function term_of(negated, name, relation, value)
  local field = FIELDS[name]
  if not field then return nil, ("unknown field %s; the fields are %s"):format(name, known "of") end
  local with = relation == ":" and "is" or "less"
  if not field[with] then
    return nil, ("%s%s: only %s can be compared like this"):format(name, relation, known(with))
  end
  local wanted, why = value, nil
  if with == "less" then wanted, why = field.read(value) end
  if wanted == nil then return nil, ("%s<%s: the value is not %s"):format(name, value, why) end
  return { negated = negated, of = field.of, holds = field[with], wanted = wanted }
end

--- Read a filter.
-- @tparam string text
-- @tparam[opt] boolean lasting allow only fields that do not change with jobs and time: product, cloud, name, release
-- @treturn table|nil {terms} | nil, message, "usage"
function M.parse(text, lasting)
  local terms, at = {}, 1
  while text:find("%S", at) do
    local minus, name, relation, stop = text:match("^%s*(%-?)(%l+)([:<])()", at)
    if not name then
      return nil, ("filter: %q is not of the form field:value"):format(text:match("%S.*", at)), "usage"
    end
    local value, after = text:match('^"([^"]*)"()', stop)
    if not value then value, after = text:match('^([^%s"]+)()', stop) end
    if not value or text:find("^%S", after) then
      return nil, ("filter: %s%s has no value"):format(name, relation), "usage"
    end
    if lasting and FIELDS[name] and not FIELDS[name].lasts then
      return nil, ("filter: %s changes over time; a batch can use %s"):format(name, known "lasts"), "usage"
    end
    local term, message = term_of(minus == "-", name, relation, value)
    if not term then return nil, "filter: " .. message, "usage" end
    if #terms == TERMS then return nil, ("filter: more than %d terms"):format(TERMS), "usage" end
    terms[#terms + 1], at = term, after
  end
  return { terms = terms }
end

local function holds(term, row, now)
  local given = row[term.of]
  if given == nil and term.wanted == "" then return true end
  return given ~= nil and term.holds(given, term.wanted, now) == true
end

--- Whether a filter selects a device.
-- @tparam table filter of parse()
-- @tparam table row of depot.store, or of depot.http_devices
-- @tparam[opt] integer now ms; may be nil if the filter uses only lasting fields
-- @treturn boolean
function M.means(filter, row, now)
  for _, term in ipairs(filter.terms) do
    if holds(term, row, now) == term.negated then return false end
  end
  return true
end

return M
