--- Print one field of the JSON object on stdin: field.lua core.version
-- A missing or null field prints as "null", a table as JSON.

local json = require "cjson"

local value = json.decode(io.read("a"))
for name in arg[1]:gmatch("[^.]+") do
  if type(value) ~= "table" then
    break
  end
  value = value[name]
end
if value == nil or value == json.null then
  print("null")
elseif type(value) == "table" then
  print(json.encode(value))
elseif math.type(value) == "float" and value == math.floor(value) then
  print(("%d"):format(value))
else
  print(tostring(value))
end
