--- Lines that others can cause by the thousand: some are logged in a minute, the rest are counted.
--
-- Pure: the clock and the log are passed in.
--
-- @module update.agent.log_limit

local M = {}

local SECONDS = 60

--- @tparam table o now (function, seconds of a clock that only goes forward), log (function of a line), what (plural,
--   for "12 more WHAT are not shown"), most (lines in a minute)
-- @treturn function of a line, and of the log that is to take it, when it is another one
function M.new(o)
  local since, count = -math.huge, 0
  return function(line, log)
    local now = o.now()
    if now - since >= SECONDS then
      if count > o.most then o.log(("%d more %s are not shown"):format(count - o.most, o.what)) end
      since, count = now, 0
    end
    count = count + 1
    if count <= o.most then (log or o.log)(line) end
  end
end

return M
