--- A text that is equal for equal values, for specs that play every sequence of events: equal states have one future.
--
-- @module state_key

--- Tables by content, in any order of their fields; all else as tostring() gives it.
-- @param value
-- @tparam[opt] string without a field that is left out, at any depth
-- @treturn string
local function key_of(value, without)
  if type(value) ~= "table" then return type(value):sub(1, 1) .. tostring(value) end
  local parts = {}
  for name, field in pairs(value) do
    if name ~= without then parts[#parts + 1] = name .. "=" .. key_of(field, without) end
  end
  table.sort(parts)
  return "{" .. table.concat(parts, "\0") .. "}"
end

return key_of
