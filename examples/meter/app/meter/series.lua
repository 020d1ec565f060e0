--- The last readings, and what they come to. Pure.
-- @module meter.series

local M = {}

local Series = {}
Series.__index = Series

--- @tparam {string,...} columns
-- @tparam integer window readings that are kept
function M.new(columns, window)
  return setmetatable({ columns = columns, window = window, first = 1, last = 0 }, Series)
end

--- Add a reading (name = number); the oldest beyond the window goes.
function Series:add(reading)
  self.last = self.last + 1
  self[self.last] = reading
  if self.last - self.first >= self.window then
    self[self.first] = nil
    self.first = self.first + 1
  end
end

--- Least, mean and greatest value of a column.
-- @treturn[1] number least
-- @treturn[1] number mean
-- @treturn[1] number greatest
-- @treturn[2] nil when no reading has it
function Series:range(name)
  local least, greatest, sum, count = math.huge, -math.huge, 0, 0
  for i = self.first, self.last do
    local value = self[i][name]
    if value then
      least, greatest = math.min(least, value), math.max(greatest, value)
      sum, count = sum + value, count + 1
    end
  end
  if count == 0 then
    return nil
  end
  return least, sum / count, greatest
end

--- One line for people.
function Series:summary()
  local words = {}
  for _, name in ipairs(self.columns) do
    local least, mean, greatest = self:range(name)
    words[#words + 1] = least and ("%s %g..%g, mean %.2f"):format(name, least, greatest, mean) or name .. " unknown"
  end
  return table.concat(words, "; ")
end

return M
