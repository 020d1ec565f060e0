--- The arguments of a route: types and bounds, by one table.
--
-- Pure. A rule is {type = "string"|"integer"|"boolean"|"strings"|"map", need = true, most = length or value, least,
-- one_of = {...}, pattern, about}. An argument that is in no rule is refused by name, so that a misspelt one is not
-- overlooked.
--
-- @module depot.api.fields

local M = {}

local TEXT = 1000    -- bytes of a string, without `most`
local LIST = 10000   -- strings of a list, without `most`

local function is_text(value, most)
  return type(value) == "string" and #value <= most and utf8.len(value) ~= nil
    and not value:gsub("[\n\r\t]", ""):find "%c"
end

local READ = {}

function READ.string(value, rule)
  local most = rule.most or TEXT
  if not is_text(value, most) then return nil, ("a text of at most %d bytes of UTF-8"):format(most) end
  if rule.pattern and not value:find(rule.pattern) then return nil, rule.expected or "another form" end
  for _, word in ipairs(rule.one_of or {}) do
    if word == value then return value end
  end
  if rule.one_of then return nil, "one of " .. table.concat(rule.one_of, ", ") end
  return value
end

function READ.integer(value, rule)
  if type(value) == "string" and value:find "^%-?%d+$" and #value < 18 then value = tonumber(value) end
  local number = type(value) == "number" and math.tointeger(value)
  local least, most = rule.least or 0, rule.most or math.maxinteger
  if not number or number < least or number > most then
    return nil, ("a whole number from %d%s"):format(least, rule.most and " to " .. most or "")
  end
  return number
end

function READ.boolean(value)
  if value == true or value == "1" or value == "true" then return true end
  if value == false or value == "0" or value == "false" or value == "" then return false end
  return nil, "true or false"
end

function READ.strings(value, rule)
  local most = rule.most or LIST
  -- A form has one field with a line for each.
  if type(value) == "string" then
    local list = {}
    for line in value:gmatch "[^\r\n]+" do list[#list + 1] = line:match "^%s*(.-)%s*$" end
    value = list
  end
  if type(value) ~= "table" or #value > most then return nil, ("a list of at most %d texts"):format(most) end
  for key, text in pairs(value) do
    if math.type(key) ~= "integer" or not is_text(text, TEXT) then
      return nil, ("a list of at most %d texts"):format(most)
    end
  end
  return value
end

function READ.map(value)
  -- A form has one field with a line "name=value" for each.
  if type(value) == "string" then
    local map = {}
    for name, text in value:gmatch "([^=\r\n]*)=([^\r\n]*)" do map[name] = text end
    value = map
  end
  if type(value) ~= "table" then return nil, "an object of texts" end
  for key, text in pairs(value) do
    if type(key) ~= "string" or not is_text(text, TEXT) then return nil, "an object of texts" end
  end
  return value
end

--- The names in a table, in order.
-- @tparam {[name]=rule}|nil rules or others by name
-- @treturn {string,...}
function M.names(rules)
  local names = {}
  for name in pairs(rules or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Check arguments.
-- @tparam {[name]=rule} rules
-- @tparam table given
-- @treturn table|nil by name; nil, message, "usage", the name of the argument
function M.check(rules, given)
  local out = {}
  for name in pairs(given) do
    if not rules[name] then
      return nil, ("there is no argument %s here"):format(tostring(name)), "usage", tostring(name)
    end
  end
  for name, rule in pairs(rules) do
    local value = given[name]
    if value == nil and rule.need then return nil, name .. " is missing", "usage", name end
    if value ~= nil then
      local read, expected = READ[rule.type](value, rule)
      if read == nil then return nil, ("%s: expected %s"):format(name, expected), "usage", name end
      out[name] = read
    end
  end
  return out
end

return M
