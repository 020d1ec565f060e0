--- Lines of CSV that no spreadsheet takes for formulas.
--
-- Pure. Each cell is quoted. One that begins with = + - @, a tab or a carriage return gets an apostrophe before it.
--
-- @module depot.csv

local M = {}

local function cell(value)
  local text = value == nil and "" or tostring(value)
  if text:find "^[=+%-@\t\r]" then text = "'" .. text end
  return '"' .. text:gsub('"', '""') .. '"'
end

--- @tparam table row
-- @tparam {string,...} fields of the row, in order
-- @treturn string without the end of the line
function M.line(row, fields)
  local cells = {}
  for i, name in ipairs(fields) do cells[i] = cell(row[name]) end
  return table.concat(cells, ",")
end

--- The first line of a file: the names of its columns.
function M.head(fields)
  local cells = {}
  for i, name in ipairs(fields) do cells[i] = cell(name) end
  return table.concat(cells, ",")
end

return M
