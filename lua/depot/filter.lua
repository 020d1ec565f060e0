--- Which devices a filter selects: `state:failed -release:1.0.2 heard<7d`.
--
-- Pure. Terms are separated by spaces, and all must hold:
--
--     field:value    equals the value, ignoring case; a name may also match by its beginning, `name:meter-*`, and a
--                    MAC is found in any spelling
--     -field:value   differs from the value, or is not known
--     field<value    release, by version; core and code, as numbers; heard, a time span: `heard<7d` means not heard of
--                    for seven days
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

--- The ways to write a name that count as one: those of a MAC, else just the name in lower case.
-- @treturn {string,...} the first is the same for all of them
function M.spellings(name)
  local low = name:lower()
  local digits = #low <= 17 and low:gsub("[:.-]", "") or ""
  if #digits ~= 12 or not digits:find "^%x+$" then return { low } end
  local list = { digits, (digits:gsub("%x%x%x%x", "%0.", 2)), (digits:gsub("%x%x", "%0:", 5)),
    (digits:gsub("%x%x", "%0-", 5)) }
  for _, spelling in ipairs(list) do
    if spelling == low then return list end
  end
  return { low }
end

local function name_is(given, wanted)
  local start = wanted:match "^(.*)%*$"
  if not start then return given ~= nil and M.spellings(given)[1] == M.spellings(wanted)[1] end
  return given ~= nil and given:sub(1, #start):lower() == start:lower()
end

local function has(given, wanted)
  for _, one in ipairs(given) do
    if same(one, wanted) then return true end
  end
  return wanted == "" and #given == 0
end

local function number(text)
  local value = math.tointeger(tonumber(text))
  if value then return value end
  return nil, "a whole number"
end

local function below(given, wanted) return given < wanted end

-- For each field: `of`, its name in a row; `is` and `less`, how it is compared; `read`, which reads the value after `<`
-- (or returns nil and what was expected); `lasts`, whether only people change it, or what the device runs.
local FIELDS = {
  tag = { of = "tags", is = has, lasts = true },
  group = { of = "groups", is = has, lasts = true },
  product = { of = "product", is = same, lasts = true },
  cloud = { of = "cloud", is = same, lasts = true },
  name = { of = "device", is = name_is, lasts = true },
  admitted = { of = "admitted", is = function(given, wanted) return given == 1 and wanted == "yes" end, lasts = true },
  listening = { of = "not_listening", is = function(given, wanted) return given ~= nil and wanted == "no" end },
  hardware = { of = "hardware", is = same, lasts = true },
  core = { of = "core", is = same, less = below, read = number, lasts = true },
  release = { of = "release", is = same, lasts = true,
    less = function(given, wanted) return version.compare(given, wanted) < 0 end,
    read = function(text)
      if version.is(text) then return text end
      return nil, "a version, as 1.0.2"
    end },
  target = { of = "target", is = same },
  state = { of = "state", is = same },
  reason = { of = "reason", is = same },
  rollout = { of = "rollout", is = same },
  code = { of = "code", is = same, less = below, read = number },
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
  return { negated = negated, of = field.of, relation = relation, holds = field[with], wanted = wanted }
end

--- Read a filter.
-- @tparam string text
-- @tparam[opt] boolean lasting allow only fields that do not change with jobs and time
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
      return nil, ("filter: %s changes over time; batches, rollouts and groups can use %s"):format(name,
        known "lasts"), "usage"
    end
    local term, message = term_of(minus == "-", name, relation, value)
    if not term then return nil, "filter: " .. message, "usage" end
    if #terms == TERMS then return nil, ("filter: more than %d terms"):format(TERMS), "usage" end
    terms[#terms + 1], at = term, after
  end
  return { terms = terms }
end

--- The text of a term for a value from outside. A quote cannot be written in a filter and is left out.
-- @tparam string field
-- @tparam string value
-- @treturn string
function M.term(field, value) return ('%s:"%s"'):format(field, (value:gsub('"', ""))) end

local function holds(term, row, now, about)
  local given = row[term.of]
  if given == nil and about and about[term.of] then given = about[term.of](row) end
  if given == nil and term.wanted == "" then return true end
  return given ~= nil and term.holds(given, term.wanted, now) == true
end

--- Whether a filter selects a device.
-- @tparam table filter of parse()
-- @tparam table row of depot.store, or of depot.http_devices
-- @tparam[opt] integer now ms; may be nil if the filter uses only lasting fields
-- @tparam[opt] table about tags and groups: functions(row) -> array of names, asked for what the row does not have
-- @treturn boolean
function M.means(filter, row, now, about)
  for _, term in ipairs(filter.terms) do
    if holds(term, row, now, about) == term.negated then return false end
  end
  return true
end

--- Whether a filter asks for a field of rows.
function M.asks(filter, of)
  for _, term in ipairs(filter.terms) do
    if term.of == of then return true end
  end
  return false
end

return M
