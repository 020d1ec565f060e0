--- The limits of a configuration: those of the default policy are checked, others are a policy's own.
--
-- It reads no file.
--
-- @module update.config.limits

local nearest = require "update.config.nearest"
local policy_fields = require "update.policy_fields"

local M = {}

local MISSPELT = 2 -- letters: what differs by more is a name of its own

local right = {}

function right.number(value) return type(value) == "number" and value == value, "a number" end
function right.integer(value) return math.type(value) == "integer", "an integer" end
function right.string(value) return type(value) == "string", "a string" end
function right.table(value) return type(value) == "table", "a table" end

local function names(fields)
  local list = {}
  for i, field in ipairs(fields) do list[i] = field.name end
  return list
end

local check

local function wrong_value(value, field, prefix)
  local fits, what = right[field.type](value)
  if not fits then return ("field %s%s must be %s"):format(prefix, field.name, what) end
  if field.fields then return check(value, field.fields, prefix .. field.name .. ".", true) end
end

function check(given, fields, prefix, closed)
  for _, field in ipairs(fields) do
    local wrong = given[field.name] ~= nil and wrong_value(given[field.name], field, prefix)
    if wrong then return wrong end
  end
  local known = names(fields)
  for key in pairs(given) do
    local near = type(key) == "string" and nearest.of(key, known)
    if type(key) ~= "string" and closed then
      return ("field %s holds a value without a name"):format(prefix:sub(1, -2))
    elseif near ~= key and (closed or near and nearest.distance(key, near) <= MISSPELT) then
      return ("unknown field %s%s%s"):format(prefix, key, nearest.hint(key, known))
    end
  end
end

--- What is wrong with limits.
-- @tparam table limits
-- @treturn string|nil names the field
function M.wrong(limits)
  return check(limits, policy_fields.limits, "limits.", false)
end

return M
