--- What a field of free form may hold: anything that JSON can say, within limits.
--
-- Pure.
--
-- @module update.config.free_form

local M = {}

local VALUES = 10000 -- in one field
local DEPTH = 8

-- A table may be in it many times, so what is looked at is counted.
local function check(value, depth, looked)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or math.type(value) == "integer" then return value end
  if kind == "number" and value == value and value - value == 0 then return value end
  if kind == "number" then return nil, "must not hold a number that is not finite" end
  if kind ~= "table" then return nil, "must not hold a " .. kind end
  if depth > DEPTH then return nil, "is nested too deeply" end
  for key, element in pairs(value) do
    if type(key) ~= "string" and math.type(key) ~= "integer" then return nil, "must have words or numbers as keys" end
    looked.count = looked.count + 1
    if looked.count > VALUES then return nil, ("holds more than %d values"):format(VALUES) end
    local ok, wrong = check(element, depth + 1, looked)
    if ok == nil then return nil, wrong end
  end
  return value
end

--- Check a value.
-- @param value
-- @return the same | nil, what is wrong
function M.check(value)
  return check(value, 1, { count = 0 })
end

return M
