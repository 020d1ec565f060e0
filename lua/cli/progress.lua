--- Shows progress to people (a bar or lines) and programs (JSON lines).
--
-- Writes to standard error only: a bar at most four times a second, lines at
-- most every two seconds. The end is always written.
--
-- @module cli.progress

local M = {}

local UNITS = { "B", "KiB", "MiB", "GiB", "TiB" }

--- A size in bytes for people, with three digits.
function M.size(bytes)
  local unit, value = 1, bytes
  while value >= 1024 and unit < #UNITS do
    value, unit = value / 1024, unit + 1
  end
  if unit == 1 then return ("%d B"):format(bytes) end
  return ((value < 10) and "%.2f %s" or (value < 100) and "%.1f %s" or "%.0f %s"):format(value, UNITS[unit])
end

--- A duration in seconds for people.
function M.duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d:%02d"):format(seconds // 60, seconds % 60) end
  return ("%d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60)
end

--- One line of a bar that fits `width` columns.
-- @tparam integer done
-- @tparam integer total same unit as done, 0: unknown
-- @tparam string label
-- @tparam number|nil rate bytes a second
-- @tparam integer width columns of the terminal
function M.bar(done, total, label, rate, width)
  local right = M.size(done)
  if total > 0 then right = ("%3d%%  %s of %s"):format(done * 100 // total, right, M.size(total)) end
  if rate and rate > 0 then
    right = ("%s  %s/s"):format(right, M.size(math.floor(rate)))
    if total > done then right = ("%s  %s left"):format(right, M.duration((total - done) / rate)) end
  end
  local room = width - 1 - #label - #right - 4
  if total <= 0 or room < 8 then return ("%s  %s"):format(label, right):sub(1, width - 1) end
  room = math.min(room, 40)
  local filled = room * math.min(done, total) // total
  return ("%s [%s%s] %s"):format(label, ("#"):rep(filled), ("-"):rep(room - filled), right)
end

local Meter = {}
Meter.__index = Meter

--- @tparam table o form ("bar"|"plain"|"json"|"none"), width (columns), write
-- (function of a string), now (function, seconds), encode (JSON, for "json")
function M.new(o)
  return setmetatable({ o = o, shown = 0 }, Meter)
end

function Meter:line(done, total, label)
  local o = self.o
  local elapsed = o.now() - self.since
  local rate = elapsed > 0.5 and (done - self.from) / elapsed or nil
  if o.form == "bar" then
    local text = M.bar(done, total, label, rate, o.width)
    o.write("\r" .. text .. (" "):rep(math.max(0, self.shown - #text)))
    self.shown = #text
  elseif o.form == "plain" then
    o.write(M.bar(done, total, label, rate, 0x7fffffff):gsub(" %[[#-]*%]", "") .. "\n")
  elseif o.form == "json" then
    o.write(o.encode({ event = "progress", label = label, done = done, total = total }) .. "\n")
  end
end

--- @tparam integer done bytes (or other units)
-- @tparam integer total of the same unit; 0: unknown
-- @tparam string label what is being done, one or two words
function Meter:update(done, total, label)
  total, label = total or 0, label or ""
  local now = self.o.now()
  if label ~= self.label then
    self:finish()
    self.label, self.since, self.from, self.last = label, now, done, nil
  end
  self.done, self.total = done, total
  local pause = self.o.form == "plain" and 2 or 0.25
  if self.last and now - self.last < pause and not (total > 0 and done >= total) then return end
  if self.last_done == done and self.last then return end
  self.last, self.last_done = now, done
  self:line(done, total, label)
end

--- End the line, before other text is written.
function Meter:finish()
  if self.label and self.last_done ~= self.done then self:line(self.done, self.total, self.label) end
  if self.shown > 0 then self.o.write("\n") end
  self.label, self.shown, self.last, self.last_done, self.done = nil, 0, nil, nil, nil
end

return M
