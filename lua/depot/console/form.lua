--- What a browser sends as a form.
--
-- Pure.
--
-- @module depot.console.form

local links = require "depot.links"

local M = {}

local FIELDS = 200 -- at most

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(pair) return string.char(tonumber(pair, 16)) end))
end

--- Read application/x-www-form-urlencoded. What comes twice, as boxes that are ticked do, is a line for each.
-- @tparam string body
-- @treturn {[name] = text}
function M.read(body)
  local fields, count = {}, 0
  for pair in body:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=?(.*)$"
    count = count + 1
    if count > FIELDS then break end
    name, value = decode(name), decode(value)
    fields[name] = fields[name] and fields[name] .. "\n" .. value or value
  end
  return fields
end

--- The same the other way: a query for a link.
function M.query(fields)
  local names, parts = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = links.escape(name) .. "=" .. links.escape(tostring(fields[name])) end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

return M
